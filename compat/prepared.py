"""A model made ready for every target: what `compat.models` makes and the conductor reads.

Stands apart from `compat.models`, because the far side of a bundle has it without onnx.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Axes = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output; `dtype` by numpy's name, a dynamic dimension by its axis name."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class NodeList:
    """A user's list of nodes, for a builder that chooses the types by itself.

    key: "fp32-nodes" (these keep fp32) or "low-precision-nodes" (all others keep it).
    names: node names; operator types are resolved, an entry that the graph lacks stands as it is.
    others: further nodes that look like a listed one with a number behind it, as `conv_1` beside
    `conv`: TensorRT's parser gives such names to the second layer of one node.
    """

    key: Literal["fp32-nodes", "low-precision-nodes"]
    names: tuple[str, ...]
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TypedModel:
    """The ONNX of one precision and opset, and the types that really stand in it.

    `types` counts weight-bearing operators per ONNX type, e.g. {"FLOAT16": 53, "FLOAT": 1};
    `kept_fp32` names those (and, for fp16, the sensitive nodes) that stayed fp32. `listed` is the
    user's list, None without one.
    """

    precision: str
    typing: str
    opset: int
    path: Path | None
    sha256: str
    status: Literal["ok", "failed", "unsupported"]
    reason: str = ""
    message: str = ""
    types: Mapping[str, int] = field(default_factory=dict)
    kept_fp32: tuple[str, ...] = ()
    listed: NodeList | None = None


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model ready for every target: typed ONNX files, feeds and reference outputs per point.

    digest: SHA-256 of the fp32 ONNX of the first opset, external data included.
    points: axis sizes per point, {"min": {"batch": 1}, ...}; batch: items per inference at a point.
    feeds, golden: .npz per point, in the graph's own dtypes; beside the points, "top1" is the
        labelled set with the golden predictions, and "calibration" the inputs that int8 is
        calibrated on.
    calibration_coverage: how far those inputs cover the evaluated ones, by input.
    cached: nothing had to be made.
    """

    name: str
    digest: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    axes: Axes
    points: Mapping[str, Mapping[str, int]]
    batch: Mapping[str, int]
    typed: tuple[TypedModel, ...]
    feeds: Mapping[str, Path]
    golden: Mapping[str, Path]
    golden_runtime: str
    cached: bool
    calibration_coverage: Mapping[str, Any] = field(default_factory=dict)
