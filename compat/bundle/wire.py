"""Dataclasses as JSON and back, with every path written relative to the work folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from compat.prepared import NodeList, PreparedModel, TensorInfo, TypedModel

_KNOWN = {one.__name__: one for one in (PreparedModel, TypedModel, TensorInfo, NodeList)}


def encode(value: Any, root: Path, seen: Callable[[Path], None]) -> Any:
    """Return `value` as JSON; `seen` is called with every path, which must lie below `root`."""
    if isinstance(value, Path):
        seen(value)
        return {"@path": str(value.resolve().relative_to(root.resolve()))}
    if is_dataclass(value):
        inside = {one.name: getattr(value, one.name) for one in fields(value)}
        return {"@type": type(value).__name__, **encode(inside, root, seen)}
    if isinstance(value, Mapping):
        return {str(key): encode(one, root, seen) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [encode(one, root, seen) for one in value]
    return value


def decode(value: Any, root: Path) -> Any:
    """Return what `encode` was given, with its paths below another `root`; lists as tuples."""
    if isinstance(value, list):
        return tuple(decode(one, root) for one in value)
    if not isinstance(value, dict):
        return value
    if "@path" in value:
        return root / value["@path"]
    inside = {key: decode(one, root) for key, one in value.items() if key != "@type"}
    return _KNOWN[value["@type"]](**inside) if "@type" in value else inside
