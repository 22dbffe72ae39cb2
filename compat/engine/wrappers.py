"""What stands around a plan, and what is no plan at all.

Each wrapper is as its maker writes it (documented):

- a length of 4 bytes, JSON of that length, the plan: Ultralytics, and exporters that follow it.
  https://github.com/ultralytics/ultralytics/blob/main/ultralytics/engine/exporter.py
- ``TR01`` and ``TR02``: the blob of Torch-TensorRT's ExecuTorch backend.
  https://github.com/pytorch/TensorRT/blob/main/py/torch_tensorrt/executorch/serialization.py
- an ONNX file with a node ``EPContext``: see `onnx_context`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from struct import Struct
from typing import Any

from compat.engine.bounded import Bounded, UnreadableError
from compat.engine.onnx_context import read_onnx
from compat.engine.plan_format import Foreign, plan_format

#: A plan inside more wrappers than this is no engine that anybody would make.
MAX_DEPTH = 3

# Metadata is parsed up to the first, skipped up to the second.
_PARSED_BYTES = 1 << 17
_METADATA_BYTES = 1 << 26
_FACT_CHARACTERS = 120
_LENGTH = Struct("<I")
_BLOB = Struct("<4sIIIQ8s")
_BLOB_MAGICS = (b"TR01", b"TR02")
_JSON_KEYS = ("description", "author", "version", "date", "task", "imgsz", "batch", "names")
_BLOB_KEYS = ("hardware_compatible", "target_platform", "device_id")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A wrapper: its name, what it says, and between which places its content stands.

    `path` is set, and the content empty, where the wrapper only names another file.
    """

    name: str
    facts: dict[str, str]
    start: int
    end: int
    path: str = ""


def unwrap(source: Bounded, start: int, end: int) -> Wrapper | None:
    """Return the wrapper that begins at a place; None where none does.

    Raises:
        UnreadableError: one begins there, and is cut or declares what cannot be.
    """
    head = source.upto(start, min(_BLOB.size, end - start))
    if head[:4] in _BLOB_MAGICS:
        return _blob(source, head, start, end)
    if len(head) > _LENGTH.size and head[_LENGTH.size : _LENGTH.size + 1] == b"{":
        return _prefix(source, head, start, end)
    if head[:1] == b"\x08":
        return _onnx(source, start, end)
    return None


def _prefix(source: Bounded, head: bytes, start: int, end: int) -> Wrapper | None:
    (length,) = _LENGTH.unpack_from(head)
    if not 2 <= length <= _METADATA_BYTES:
        return None
    inner = start + _LENGTH.size + length
    if inner >= end:
        raise UnreadableError(
            f"is cut: {length} bytes of JSON in front of a plan, and {end - start} are there"
        )
    facts = _facts(source, start + _LENGTH.size, length, _JSON_KEYS)
    return Wrapper("JSON in front (Ultralytics)", facts, inner, end)


def _blob(source: Bounded, head: bytes, start: int, end: int) -> Wrapper:
    if len(head) < _BLOB.size:
        raise UnreadableError("is cut within the header of an ExecuTorch blob")
    magic, metadata, metadata_bytes, engine, engine_bytes, _ = _BLOB.unpack(head)
    if metadata < _BLOB.size or metadata + metadata_bytes > engine:
        raise UnreadableError("its ExecuTorch header places metadata and engine over each other")
    if start + engine + engine_bytes > end:
        raise UnreadableError(
            f"is cut: its ExecuTorch header places the engine at {engine} to "
            f"{engine + engine_bytes}, and {end - start} bytes are there"
        )
    facts = _facts(source, start + metadata, metadata_bytes, _BLOB_KEYS)
    name = f"ExecuTorch blob ({magic.decode('ascii')})"
    return Wrapper(name, facts, start + engine, start + engine + engine_bytes)


def _onnx(source: Bounded, start: int, end: int) -> Wrapper | None:
    model = read_onnx(source, start, end)
    if model is None:
        return None
    if not model.whole:
        raise UnreadableError("begins as an ONNX model, which is cut or too large to be an engine")
    if not model.context:
        raise UnreadableError("is an ONNX model, not an engine: build an engine from it")
    facts = {name: _short(value) for name, value in sorted(model.facts.items())[:16]}
    inner, stop = model.engine or (end, end)
    return Wrapper("ONNX EPContext", facts, inner, stop, model.path)


def _facts(source: Bounded, start: int, count: int, keys: tuple[str, ...]) -> dict[str, str]:
    if count > _PARSED_BYTES:
        return {"metadata": f"{count} bytes of JSON, not read"}
    try:
        found: Any = json.loads(source.at(start, count))
    except (ValueError, RecursionError):
        return {"metadata": f"{count} bytes that are no JSON"}
    if not isinstance(found, dict):
        return {}
    return {key: _fact(found[key]) for key in keys if key in found}


def _fact(value: Any) -> str:
    """Return a value in a few words; a table of class names by its length."""
    if isinstance(value, dict):
        return f"{len(value)} entries"
    if isinstance(value, list) and len(value) > 8:
        return f"{len(value)} values"
    try:
        return _short(str(value))
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists in lists
        return "a value that is too long"


def _short(text: str) -> str:
    return text if len(text) <= _FACT_CHARACTERS else text[: _FACT_CHARACTERS - 1] + "…"


def foreign(source: Bounded) -> Foreign | None:
    """Return what a file is that is no plan, as far as its first bytes tell."""
    for row in plan_format().foreign:
        if source.upto(row.at, len(row.magic)) == row.magic:
            return row
    return None
