"""From planned items to what the suite is told: files, shapes, and the key of every result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compat.config import Config
from compat.matrix import Item, Plan
from compat.models import PreparedModel, TypedModel
from compat.suite import SUITE_VERSION
from compat.targets import Environment

CELL = (
    "check",
    "phase",
    "model",
    "precision",
    "typing",
    "variant",
    "builder",
    "runtime",
    "point",
    "batch",
)


@dataclass(frozen=True, slots=True)
class Kitchen:
    """Everything an item's job entry is made from."""

    config: Config
    plan: Plan
    work: Path
    machine: Mapping[str, Any]
    models: Mapping[str, PreparedModel]
    environments: Mapping[str, Environment]

    def typed(self, item: Item) -> TypedModel:
        """Return the ONNX file of an item's precision."""
        for typed in self.models[item.model].typed:
            if typed.precision == item.precision:
                return typed
        raise KeyError(item.id)

    def settings(self) -> dict[str, Any]:
        """Return how the suite measures latency; times in seconds."""
        bench = self.config.bench
        return {
            "seconds": bench.seconds,
            "warmup_s": bench.warmup,
            "min_samples": bench.min_samples,
            "max_samples": bench.max_samples,
        }


def engine_path(item: Item, version: str, kitchen: Kitchen) -> str:
    """Return where an engine stands below the work dir.

    The name follows ``{model}_{shape}_{version}_{arch}_{precision}[_{variant}].engine``.
    """
    axes = kitchen.models[item.model].axes
    shape = "_".join(f"{axis}{'-'.join(map(str, span))}" for axis, span in axes.items())
    flavour = kitchen.config.targets[item.builder].flavour
    # By default one TensorRT-RTX engine serves every GPU that it supports.
    arch = "portable" if flavour == "tensorrt_rtx" else kitchen.machine["arch"]
    variant = "" if item.variant == "plain" else f"_{item.variant}"
    precision = f"{item.precision}-{item.typing}"
    size = "quick_" if kitchen.plan.quick else ""
    name = f"{item.model}_{size}{shape or 'static'}_{version}_{arch}_{precision}{variant}.engine"
    return f"engines/{item.builder}/{name}"


def entry(
    item: Item, kitchen: Kitchen, build: Mapping[str, Any] | None, round_: int | None
) -> dict[str, Any]:
    """Return one item as the suite reads it.

    Args:
        item: the planned item.
        kitchen: prepared models and environments.
        build: the record of the build whose engine the item uses; None in the build phase.
        round_: the benchmark round, None for other items.
    """
    prepared, typed = kitchen.models[item.model], kitchen.typed(item)
    slug = item.id.replace("/", "_") + (f"_r{round_}" if round_ is not None else "")
    size = "quick/" if kitchen.plan.quick else ""
    made: dict[str, Any] = {
        "id": item.id,
        "check": item.check,
        "round": round_,
        "model": item.model,
        "precision": item.precision,
        "typing": item.typing,
        "variant": item.variant,
        "batch": item.batch,
        "cell": {name: getattr(item, name) for name in CELL},
        "log": f"logs/{size}{slug}.log",
        "engine": engine_path(item, kitchen.config.targets[item.builder].version, kitchen),
    }
    if item.phase == "build":
        made["onnx"] = str(typed.path)
        made["onnx_sha256"] = typed.sha256
        made["onnx_types"] = dict(typed.types)
        made["profile"] = _profile(prepared)
    if item.point is not None:
        made["feeds"] = str(prepared.feeds[item.point])
        made["outputs"] = f"outputs/{size}{slug}.npz"
        made["samples"] = f"samples/{size}{slug}.npy"
    made["key"] = _key(item, made, kitchen, build)
    return made


def _profile(prepared: PreparedModel) -> dict[str, dict[str, list[int]]]:
    """Return input -> min/opt/max shape, from the values of its symbolic axes."""
    return {
        tensor.name: {
            point: [values[axis] if isinstance(axis, str) else axis for axis in tensor.shape]
            for point, values in prepared.points.items()
        }
        for tensor in prepared.inputs
    }


def _key(
    item: Item, made: Mapping[str, Any], kitchen: Kitchen, build: Mapping[str, Any] | None
) -> str:
    """Digest everything that determines an item's result."""
    parts: list[Any] = [
        SUITE_VERSION,
        item.id,
        kitchen.plan.quick,
        kitchen.environments[item.runtime].fingerprint,
        made.get("onnx_sha256"),
        made.get("profile"),
    ]
    if build is not None:
        parts.append(build["facts"]["engine_sha256"])
    if item.phase != "build":
        parts.append(kitchen.machine)
    if item.point is not None:
        prepared = kitchen.models[item.model]
        parts += [prepared.digest, prepared.points[item.point], _identity(made["feeds"])]
    if item.phase == "bench":
        parts.append(kitchen.settings())
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _identity(path: str) -> str:
    """Name a prepared file: the models part puts the digest of its making into its path."""
    return f"{Path(path).parent.name}/{Path(path).name}"


def job_document(
    target: Mapping[str, Any],
    phase: str,
    entries: Sequence[Mapping[str, Any]],
    kitchen: Kitchen,
    events: Path,
) -> dict[str, Any]:
    """Return the job file's content."""
    return {
        "schema": 1,
        "target": dict(target),
        "phase": phase,
        "work": str(kitchen.work),
        "events": str(events),
        "deps": str(kitchen.environments[str(target["name"])].deps),
        "settings": kitchen.settings(),
        "items": list(entries),
    }
