"""What `prepare` is asked for and what it returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

__all__ = ["Axes", "ModelSpec", "Point", "PreparedModel", "TensorInfo", "TypedModel"]

Point = Literal["min", "opt", "max"]
Axes = Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One `[models.NAME]` of compat.toml.

    source: "builtin:NAME", "builtin:NAME@pretrained", a path of an .onnx file, or
        "hf:ORG/REPO@REVISION:FILE.onnx" (fetched beforehand).
    size: only for built-ins; "quick" is a small version of the same architecture.
    axes: symbolic axis name to (min, opt, max); empty proposes a profile from the graph.
    inputs, calibration: "photographs", "text", "noise", a folder of images, or an .npz of named
        arrays; an empty string takes the model's own default.
    fp32_nodes: names or operator types of nodes that stay fp32 in every typed form.
    """

    name: str
    source: str
    size: Literal["full", "quick"] = "full"
    axes: Axes = field(default_factory=dict)
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")
    inputs: str = ""
    calibration: str = ""
    fp32_nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """An input or output; `dtype` by numpy's name, a dynamic dimension by its axis name."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class TypedModel:
    """The ONNX of one precision and opset, and the types that really stand in it.

    `types` counts weight-bearing operators per ONNX type, e.g. {"FLOAT16": 53, "FLOAT": 1};
    `kept_fp32` names those (and, for fp16, the sensitive nodes) that stayed fp32.
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
    prepare_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PreparedModel:
    """A model ready for every target: typed ONNX files, feeds and reference outputs per point.

    digest: SHA-256 of the fp32 ONNX of the first opset, external data included.
    points: axis sizes per point, {"min": {"batch": 1}, ...}; batch: items per inference at a point.
    feeds, golden: .npz per point, in the graph's own dtypes.
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
