"""One ONNX per precision, and the proof of the types in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import onnx

from compat.models import fp16, int8, nodelist
from compat.models.cache import Entry, Facts, key_of
from compat.models.elemtypes import count_types
from compat.models.errors import ModelError
from compat.models.inputs import Feed
from compat.models.source import model_facts, save
from compat.models.spec import TypedModel
from compat.prepared import NodeList

__all__ = ["Job", "listed", "make"]

_TYPE_OF = {"fp32": "FLOAT", "tf32": "FLOAT", "fp16": "FLOAT16", "int8": "INT8"}
_UNSUPPORTED = {
    "bf16": "no bf16 form of the ONNX is made yet",
    "fp8": "no fp8 Q/DQ form of the ONNX is made yet: it needs opset 19",
}
# A graph where most of the work did not take the asked type is not of that type.
_NEEDED_SHARE = 0.5

Keep = Callable[[Path, str, str, Callable[[Path], Facts]], Entry]


@dataclass(frozen=True, slots=True)
class Job:
    """What every conversion of one model shares; `calibration` is made on first use."""

    folder: Path
    keep: Keep
    fp32_nodes: tuple[str, ...]
    low_precision_nodes: tuple[str, ...]
    calibration: Callable[[], Sequence[Feed]]
    calibration_key: str
    on_failure: Callable[[], None]


def make(job: Job, precision: str, opset: int, source: Entry) -> TypedModel:
    """Convert and check one precision; a conversion that fails is a status, not an exception."""
    if precision not in _TYPE_OF:
        message = _UNSUPPORTED.get(precision, f"{precision!r} is no precision known here")
        return _without(
            precision, opset, "unsupported", "not-implemented", f"{precision}: {message}."
        )
    if precision in {"fp32", "tf32"}:
        return _judged(job, precision, opset, source)
    try:
        entry = _converted(job, precision, opset, source)
    except ModelError as error:
        if error.reason == "cannot-write":
            raise
        return _without(precision, opset, "failed", error.reason, str(error))
    except Exception as error:  # the converters raise anything, from ValueError to RuntimeError
        job.on_failure()
        text = f"{precision}: the conversion failed: {type(error).__name__}: {error}"
        return _without(precision, opset, "failed", "conversion-failed", text[:2000])
    return _judged(job, precision, opset, entry)


def listed(job: Job, source: Entry) -> NodeList | None:
    """Return the user's list as the names that stand in the fp32 graph, None without a list."""
    if not (job.fp32_nodes or job.low_precision_nodes):
        return None
    graph = onnx.load(source.path, load_external_data=False).graph
    return nodelist.listed(graph, job.fp32_nodes, job.low_precision_nodes)


def _words(job: Job) -> tuple[str, ...]:
    """Return what tells one list from another."""
    low = job.low_precision_nodes
    return ("low-precision-nodes", *low) if low else job.fp32_nodes


def _converted(job: Job, precision: str, opset: int, source: Entry) -> Entry:
    if precision == "fp16":
        key = key_of("fp16", source.sha256, _words(job), version("onnxconverter-common"))
        convert = _to_fp16
    else:
        calibration = (job.calibration_key, int8.METHOD, int8.CALIBRATION_ITEMS)
        key = key_of("int8", source.sha256, _words(job), calibration, version("onnxruntime"))
        convert = _to_int8
    return job.keep(
        job.folder / f"opset{opset}-{precision}-{key[:8]}.onnx",
        key,
        f"converting to {precision}, opset {opset}",
        lambda target: convert(job, source.path, target),
    )


def _to_fp16(job: Job, source: Path, target: Path) -> Facts:
    model, kept = fp16.to_fp16(onnx.load(source), job.fp32_nodes, job.low_precision_nodes)
    save(model, target)
    return {**model_facts(target, model), "kept_fp32": list(kept)}


def _to_int8(job: Job, source: Path, target: Path) -> Facts:
    int8.quantize(source, target, job.calibration(), job.fp32_nodes, job.low_precision_nodes)
    model = onnx.load(target, load_external_data=False)
    kept = count_types(model.graph).outside("INT8")
    return {**model_facts(target, model), "kept_fp32": sorted(kept)}


def _judged(job: Job, precision: str, opset: int, entry: Entry) -> TypedModel:
    """Compare the types that stand in the file with the one that was asked for."""
    types: dict[str, int] = entry.facts["types"]
    kept = tuple(entry.facts.get("kept_fp32", ()))
    wanted = _TYPE_OF[precision]
    total = sum(types.values())
    count = types.get(wanted, 0)
    share = count / total if total else float(wanted == "FLOAT")
    # A list of the only nodes to lower may well name a few.
    enough = share >= _NEEDED_SHARE or (bool(job.low_precision_nodes) and count > 0)
    status: Literal["ok", "failed"] = "ok"
    reason = message = ""
    if not enough:
        found = (
            ", ".join(f"{n} {name}" for name, n in types.items()) or "no weight-bearing operator"
        )
        status, reason = "failed", "precision-not-applied"
        message = (
            f"{precision} was asked for, the graph has {found}; at least "
            f"{'one' if job.low_precision_nodes else 'half'} must be {wanted}."
        )
    return TypedModel(
        precision=precision,
        typing="strong",
        opset=opset,
        path=entry.path,
        sha256=entry.sha256,
        status=status,
        reason=reason,
        message=message,
        types=types,
        kept_fp32=kept,
    )


def _without(
    precision: str, opset: int, status: Literal["failed", "unsupported"], reason: str, message: str
) -> TypedModel:
    return TypedModel(precision, "strong", opset, None, "", status, reason, message)
