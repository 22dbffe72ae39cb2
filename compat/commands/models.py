"""What the commands ``trt-compat models`` do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console

from compat import models
from compat.models import fetching


def listing(arguments: argparse.Namespace, console: Console) -> int:
    """List the built-in models."""
    if arguments.json:
        console.print_json(json.dumps(sorted([*models.BUILTINS, *models.TRAINED])))
        return 0
    for name in sorted([*models.BUILTINS, *models.TRAINED]):
        console.print(f"builtin:{name}", markup=False)
    return 0


def describe(arguments: argparse.Namespace, console: Console) -> int:
    """Say what an ONNX file holds and which profile it would get."""
    described = models.describe(arguments.file)
    if arguments.json:
        console.print_json(json.dumps(asdict(described), default=str))
        return 0
    for line in _description(described):
        console.print(line, markup=False)
    return 0


def _description(found: models.Description) -> Iterator[str]:
    """Yield what a person asks of an ONNX file, the profile to write last."""
    external = f" + {len(found.external)} external files" if found.external else ""
    yield f"{found.path}: {found.bytes / 1e6:.1f} MB{external}"
    yield f"opset {found.opset}, IR {found.ir_version}, made by {found.producer or 'unknown'}"
    for kind, tensors in (("input", found.inputs), ("output", found.outputs)):
        for tensor in tensors:
            shape = ", ".join(map(str, tensor.shape))
            yield f"{kind} {tensor.name}: {tensor.dtype} [{shape}]"
    yield "ops: " + ", ".join(f"{count} {name}" for name, count in found.operators.items())
    if found.domains:
        yield "domains beside the standard one: " + ", ".join(found.domains)
    if found.types:
        yield "weights: " + ", ".join(f"{count} {name}" for name, count in found.types.items())
    for axis, span in found.axes.items():
        yield f"profile: {axis} = {list(span)} (proposed)"
    for axis in found.missing:
        yield f"profile: {axis} = [min, opt, max] has to be written in compat.toml"


def fetch(arguments: argparse.Namespace, console: Console) -> int:
    """Fetch pretrained weights or an ONNX file."""
    path = fetching.fetch(
        arguments.source,
        arguments.work / "models",
        endpoint=arguments.endpoint,
        revision=arguments.revision,
        sha256=arguments.sha256,
        progress=lambda text: console.print(text, markup=False),
    )
    console.print(f"{path}", markup=False)
    return 0
