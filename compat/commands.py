"""What each command of ``trt-compat`` does; the command line itself is ``compat.cli``."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from compat import models, workflow
from compat.config import find_config
from compat.matrix import PHASES, Item, Plan, Selection
from compat.models.hub import fetch
from compat.workflow import Options


def plan(arguments: argparse.Namespace, console: Console) -> int:
    """Print the plan: every item with its expectation."""
    _, planned = workflow.lay_out(_options(arguments))
    if arguments.json:
        console.print_json(json.dumps(planned.as_dict(), default=list))
        return 0
    _print_plan(planned, console)
    return 0


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the matrix."""
    return workflow.run(_options(arguments), console)


def report(arguments: argparse.Namespace, console: Console) -> int:
    """Write the report of an output folder anew; 0 whatever the gate says."""
    workflow.judge(arguments.out, console, render=True)
    return 0


def gate(arguments: argparse.Namespace, console: Console) -> int:
    """Judge an output folder again."""
    return workflow.judge(arguments.out, console, render=False)


def models_list(arguments: argparse.Namespace, console: Console) -> int:
    """List the built-in models."""
    if arguments.json:
        console.print_json(json.dumps(sorted(models.BUILTINS)))
        return 0
    for name in sorted(models.BUILTINS):
        console.print(f"builtin:{name}", markup=False)
    return 0


def models_describe(arguments: argparse.Namespace, console: Console) -> int:
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


def models_fetch(arguments: argparse.Namespace, console: Console) -> int:
    """Fetch pretrained weights or an ONNX file."""
    path = fetch(
        arguments.source,
        arguments.work / "models",
        endpoint=arguments.endpoint,
        revision=arguments.revision,
        sha256=arguments.sha256,
        progress=lambda text: console.print(text, markup=False),
    )
    console.print(f"{path}", markup=False)
    return 0


def _options(arguments: argparse.Namespace) -> Options:
    """Gather what the command line says; a planning command lacks the running options."""
    given = vars(arguments)
    return Options(
        config=find_config(arguments.config, Path.cwd()).absolute(),
        work=given.get("work", Path(".trt-compat")).absolute(),
        out=given.get("out", Path("reports/latest")),
        selection=Selection(
            targets=arguments.targets,
            models=arguments.models,
            precisions=arguments.precisions,
            items=tuple(given.get("item", ())),
        ),
        quick=arguments.quick,
        offline=given.get("offline", False),
        retry=given.get("retry", False),
        phases=tuple(given.get("phase") or PHASES),
        only=given.get("on"),
    )


def _print_plan(planned: Plan, console: Console) -> None:
    """Print one line per item, then the counts."""
    table = Table(box=None, pad_edge=False)
    for column in ("check", "model", "precision", "built with", "run with", "at", "expected"):
        table.add_column(column, no_wrap=True)
    for item in planned.items:
        table.add_row(*_row(item))
    console.print(table)
    counts = Counter(item.check for item in planned.items)
    console.print(
        f"{len(planned.items)} items: " + ", ".join(f"{n} {check}" for check, n in counts.items())
    )
    for upgrade in planned.upgrades:
        console.print(f"upgrade to judge: {upgrade['from']} -> {upgrade['to']}", markup=False)


def _row(item: Item) -> tuple[str, ...]:
    expected = item.expectation
    at = f"batch {item.batch}" if item.batch is not None else item.point or ""
    return (
        item.check,
        item.model,
        f"{item.precision}-{item.typing}",
        item.builder,
        item.runtime,
        at,
        f"{expected['outcome']} ({expected['rule']})" if expected else "",
    )
