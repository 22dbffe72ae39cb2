"""From planned items to what the suite is told: files, shapes, and the key of every result."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from compat.config import Config
from compat.matrix import Item, Plan
from compat.prepared import PreparedModel, TypedModel
from compat.targets import Environment
from compat.typings import onnx_opset, onnx_precision

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
    "damage",
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
        """Return the ONNX file that an item's engine is built from."""
        return typed_model(item, self.config, self.models[item.model])

    def settings(self) -> dict[str, Any]:
        """Return how the suite measures latency; times in seconds."""
        bench = self.config.bench
        return {
            "seconds": bench.seconds,
            "warmup_s": bench.warmup,
            "min_samples": bench.min_samples,
            "max_samples": bench.max_samples,
        }


def typed_model(item: Item, config: Config, model: PreparedModel) -> TypedModel:
    """Return the one of a model's ONNX files that an item's engine is built from.

    A user's own ONNX has the one opset it was exported with, whatever the target would like.
    """
    target = config.targets[item.builder]
    wanted, opset = onnx_precision(target, item.precision, item.typing), onnx_opset(target)
    fitting = [typed for typed in model.typed if typed.precision == wanted]
    return next((typed for typed in fitting if typed.opset == opset), fitting[0])


def engine_name(item: Item, version: str, kitchen: Kitchen) -> str:
    """Return an engine's file name.

    It follows ``{model}_{shape}_{version}_{arch}_{precision}[_{variant}].engine``.
    """
    axes = kitchen.models[item.model].axes
    shape = "_".join(f"{axis}{'-'.join(map(str, span))}" for axis, span in axes.items())
    flavour = kitchen.config.targets[item.builder].flavour
    gpu = re.search(r"\((sm_\w+)\)", " ".join(kitchen.machine["gpus"]))
    # By default one TensorRT-RTX engine serves every GPU that it supports.
    arch = "portable" if flavour == "tensorrt_rtx" else kitchen.machine["arch"]
    if gpu and flavour in ("tensorrt", "pytorch"):
        arch = gpu[1]
    variant = "" if item.variant == "plain" else f"_{item.variant}"
    precision = f"{item.precision}-{item.typing}"
    size = "quick_" if kitchen.plan.quick else ""
    return f"{item.model}_{size}{shape or 'static'}_{version}_{arch}_{precision}{variant}.engine"


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
    made: dict[str, Any] = {
        "id": item.id,
        "check": item.check,
        "round": round_,
        "model": item.model,
        "precision": item.precision,
        "typing": item.typing,
        "variant": item.variant,
        "batch": prepared.batch.get(item.point, 1) if item.point else None,
        "cell": {name: getattr(item, name) for name in CELL},
    }
    if item.phase == "build" or item.check == "trtexec_build":
        made |= _build_entry(item, kitchen, typed, prepared)
    if build is not None:
        made["engine"] = build["files"]["engine"]
        made["engine_sha256"] = build["facts"]["engine_sha256"]
        made["trusted"] = True  # the digest of the build's record says that this matrix built it
    if item.point is not None:
        made["feeds"] = str(prepared.feeds[item.point])
    if item.check == "damaged":
        made["damage"] = item.damage
        made["feeds"] = str(prepared.feeds["opt"])
    if item.check == "top1":
        made["labelled"] = str(prepared.feeds["top1"])
        made["batches"] = [prepared.batch["min"], prepared.batch["max"]]
    made["key"] = _key(item, made, kitchen)
    return made | _files(item, made, kitchen, round_)


def _files(
    item: Item, made: Mapping[str, Any], kitchen: Kitchen, round_: int | None
) -> dict[str, str]:
    """Return where an item writes, below the work dir.

    The key stands in every path: another run over the same work dir can then never put other
    bytes under a record that is on file already.
    """
    slug = item.id.replace("/", "_") + (f"_r{round_}" if round_ is not None else "")
    name = f"{slug}-{made['key'][:12]}"
    files = {
        "log": f"logs/{name}.log",
        "layers": f"logs/{name}.layers.json.gz",
        "outputs": f"outputs/{name}.npz",
        "samples": f"samples/{name}.npy",
        "predictions": f"outputs/{name}.npz",
    }
    if item.phase == "build":
        build = replace(item, check="build")
        key = _key(build, made, kitchen)
        version = kitchen.config.targets[item.builder].version
        files["engine"] = f"engines/{key[:12]}/{engine_name(build, version, kitchen)}"
    return files


def _build_entry(
    item: Item, kitchen: Kitchen, typed: TypedModel, prepared: PreparedModel
) -> dict[str, Any]:
    """Return what a build item needs: the ONNX, the profile, the builder's settings, its caches.

    A timing cache belongs to one version and one GPU, a calibration table to one model and one set
    of inputs besides.
    """
    build, target = kitchen.config.build_of(item.builder), kitchen.config.targets[item.builder]
    gpus = "_".join(kitchen.machine["gpus"]) or "cpu"
    owner = re.sub(r"[^A-Za-z0-9.]+", "-", f"{target.flavour}-{target.version}-{gpus}")
    calibration = prepared.feeds.get("calibration", prepared.feeds["max"])
    table = f"{prepared.digest[:12]}-{calibration.stem}"
    quantized = item.precision in ("int8", "int8-calibrated")
    cached = build.timing_cache and target.flavour == "tensorrt"
    return {
        "onnx": str(typed.path),
        "onnx_sha256": typed.sha256,
        "onnx_types": dict(typed.types),
        "profile": _profile(prepared),
        "workspace_bytes": int(build.workspace or 0),
        "optimization_level": build.optimization_level,
        "timing_cache": f"caches/{owner}.timing" if cached else "",
        "calibration": str(calibration),
        "calibration_cache": f"caches/{owner}-{table}.calibration",
        "calibration_coverage": dict(prepared.calibration_coverage) if quantized else {},
        "nodes": _nodes(item, typed),
    }


def _nodes(item: Item, typed: TypedModel) -> dict[str, Any] | None:
    """Return the user's list of nodes where the builder, not the ONNX, has to heed it."""
    lowered = item.typing == "weak" and item.precision not in ("fp32", "tf32")
    return asdict(typed.listed) if lowered and typed.listed is not None else None


def _profile(prepared: PreparedModel) -> dict[str, dict[str, list[int]]]:
    """Return input -> min/opt/max shape, from the values of its symbolic axes."""
    return {
        tensor.name: {
            point: [values[axis] if isinstance(axis, str) else axis for axis in tensor.shape]
            for point, values in prepared.points.items()
        }
        for tensor in prepared.inputs
    }


@cache
def suite_digest() -> str:
    """Return the digest of the suite's sources: another suite may measure something else."""
    digest = hashlib.sha256()
    folder = files("compat.suite")
    for path in sorted(Path(str(folder)).rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _key(item: Item, made: Mapping[str, Any], kitchen: Kitchen) -> str:
    """Digest everything that determines an item's result."""
    parts: list[Any] = [
        suite_digest(),
        kitchen.machine,
        item.id,
        kitchen.plan.quick,
        kitchen.environments[item.runtime].fingerprint,
        made.get("onnx_sha256"),
        made.get("profile"),
        made.get("workspace_bytes"),
        made.get("optimization_level"),
        made.get("nodes"),
    ]
    if item.phase == "build":
        parts.append(bool(made.get("timing_cache")))
    if item.precision == "int8-calibrated" and item.phase == "build":
        parts.append(_identity(made["calibration"]))
    if "engine_sha256" in made:
        parts.append(made["engine_sha256"])
    if item.point is not None:
        prepared = kitchen.models[item.model]
        parts += [prepared.digest, prepared.points[item.point], _identity(made["feeds"])]
    if item.check == "damaged":
        parts.append(_identity(made["feeds"]))
    if item.check == "top1":
        parts += [made["batches"], _identity(made["labelled"])]
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
        "target": {**target, "facts": dict(kitchen.environments[str(target["name"])].facts)},
        "phase": phase,
        "work": str(kitchen.work),
        "events": str(events),
        "deps": str(kitchen.environments[str(target["name"])].deps),
        "settings": kitchen.settings(),
        "items": list(entries),
    }
