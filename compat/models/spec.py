"""What `prepare` is asked for; what it returns is in `compat.prepared`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from compat.prepared import Axes, PreparedModel, TensorInfo, TypedModel

__all__ = ["Axes", "ModelSpec", "Point", "PreparedModel", "TensorInfo", "TypedModel"]

Point = Literal["min", "opt", "max"]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One `[models.NAME]` of compat.toml.

    source: "builtin:NAME", "builtin:NAME@pretrained", a path of an .onnx file, or (fetched
        beforehand) "hf:ORG/REPO@REVISION:FILE.onnx", "pypi:NAME==VERSION:FILE.onnx",
        "npm:NAME@VERSION:FILE.onnx".
    size: only for built-ins; "quick" is a small version of the same architecture.
    axes: symbolic axis name to (min, opt, max); empty proposes a profile from the graph.
    inputs, calibration: "photographs", "text", "noise", a folder of images, or an .npz of named
        arrays; a trained built-in also has "labelled" and "training", its own images; an empty
        string takes the model's own default.
    labels: "builtin" for the labelled images of a trained built-in, or an .npz; labels_limit: take
        only so many of them.
    calibrated: whether a target calibrates by itself, so that it needs the inputs for it.
    fp32_nodes: names or operator types of nodes that stay fp32 in every typed form.
    low_precision_nodes: names or operator types of the only nodes that do not; one of both lists.
    """

    name: str
    source: str
    size: Literal["full", "quick"] = "full"
    axes: Axes = field(default_factory=dict)
    precisions: tuple[str, ...] = ("fp32", "fp16", "int8")
    inputs: str = ""
    calibration: str = ""
    fp32_nodes: tuple[str, ...] = ()
    low_precision_nodes: tuple[str, ...] = ()
    labels: str = ""
    labels_limit: int | None = None
    calibrated: bool = False
