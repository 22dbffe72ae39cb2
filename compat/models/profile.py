"""The optimization profile: which axes move, and where min, opt and max are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import get_args

from compat.models.errors import ModelError
from compat.models.names import nearest
from compat.models.spec import Axes, Point, TensorInfo

__all__ = [
    "BATCH_PROFILE",
    "batch_sizes",
    "dynamic_axes",
    "example",
    "is_batch",
    "points_of",
    "resolve_axes",
]

BATCH_PROFILE = (1, 8, 16)

_BATCH_NAME = re.compile(r"(n|b|bs|batch.*|.*batch(_?size)?)", re.IGNORECASE)
# Only offered in the message as lines to edit: no safe value follows from a name.
_EXAMPLES = (
    (re.compile(r".*(height|width).*|h|w", re.IGNORECASE), (224, 224, 448)),
    (re.compile(r".*(seq|token|length|text).*", re.IGNORECASE), (1, 64, 128)),
)


def dynamic_axes(tensors: Sequence[TensorInfo]) -> tuple[str, ...]:
    """Axis names in the order they appear."""
    return tuple(dict.fromkeys(d for t in tensors for d in t.shape if isinstance(d, str)))


def is_batch(axis: str) -> bool:
    """Does the name say that this axis counts independent items?"""
    return bool(_BATCH_NAME.fullmatch(axis))


def resolve_axes(name: str, inputs: Sequence[TensorInfo], given: Axes) -> Axes:
    """The full profile; every mistake of `given` is reported at once.

    Without `given`, batch axes get 1/8/16; other dynamic axes have no safe proposal, and the
    message says which lines of TOML to add.
    """
    known = dynamic_axes(inputs)
    problems = [p for axis, sizes in given.items() for p in _problems(name, axis, sizes, known)]
    axes = dict(given)
    missing = []
    for axis in known:
        if axis not in axes and is_batch(axis):
            axes[axis] = BATCH_PROFILE
        elif axis not in axes:
            missing.append(axis)
    if problems:
        reason = "axis-unknown" if any("no axis" in p for p in problems) else "axis-order"
        raise ModelError(reason, "\n".join(problems))
    if missing:
        raise ModelError("axis-missing", _missing_message(name, missing))
    return {axis: axes[axis] for axis in known}


def points_of(axes: Axes) -> dict[str, dict[str, int]]:
    """{"min": {axis: size}, "opt": ..., "max": ...}."""
    names = get_args(Point)
    return {point: {axis: v[i] for axis, v in axes.items()} for i, point in enumerate(names)}


def batch_sizes(
    inputs: Sequence[TensorInfo], points: Mapping[str, Mapping[str, int]]
) -> dict[str, int]:
    """Items per inference at each point: the batch axis, else the first dimension."""
    axes = dynamic_axes(inputs)
    first: int | str = inputs[0].shape[0] if inputs and inputs[0].shape else 1
    axis = next((a for a in axes if is_batch(a)), first)
    return {p: sizes[axis] if isinstance(axis, str) else axis for p, sizes in points.items()}


def _problems(name: str, axis: str, sizes: tuple[int, int, int], known: Sequence[str]) -> list[str]:
    key = f"models.{name}.axes.{axis}"
    if axis not in known:
        have = ", ".join(known) or "none: all its inputs have fixed shapes"
        return [f"{key}: the model has no axis of this name{nearest(axis, known)} (axes: {have})."]
    low, best, high = sizes
    if not 1 <= low <= best <= high:
        return [f"{key}: {list(sizes)} must rise: 1 <= min <= opt <= max."]
    return []


def _missing_message(name: str, missing: Sequence[str]) -> str:
    lines = [f"[models.{_key(name)}.axes]"]
    lines += [f"{_key(axis)} = {list(example(axis))}" for axis in missing]
    return (
        f"model {name!r}: no profile for the dynamic "
        f"{'axis' if len(missing) == 1 else 'axes'} {', '.join(missing)}. Add to compat.toml, "
        "with the sizes [min, opt, max] that you serve:\n" + "\n".join(lines)
    )


def example(axis: str) -> tuple[int, int, int]:
    """Sizes to write down for an axis of this name and to edit; never safe to use unseen."""
    return next((sizes for pattern, sizes in _EXAMPLES if pattern.fullmatch(axis)), BATCH_PROFILE)


def _key(name: str) -> str:
    """A TOML key, quoted where it must be."""
    if re.fullmatch(r"[A-Za-z0-9_-]+", name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
