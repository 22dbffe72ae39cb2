"""How a target can be told a precision, and which ONNX it builds from then."""

from __future__ import annotations

from packaging.version import Version

from compat.config import TargetConfig

# TensorRT's major versions: the first with strong typing, the first with nothing else.
FIRST_STRONG = 10
FIRST_STRONG_ONLY = 11


def typings(target: TargetConfig, precision: str) -> tuple[str, ...]:
    """Return how a builder can be told a precision: by builder flags, or by the ONNX's own types.

    Builder flags for precision end with TensorRT 10; strong typing begins with 10 (CHANGELOG 11.0,
    and the migration guide from 10 to 11). Implicit calibration is weak by nature.
    """
    if precision == "int8-calibrated":
        return ("weak",)
    major = Version(target.version).major
    if target.flavour != "tensorrt" or major >= FIRST_STRONG_ONLY:
        return ("strong",)
    return ("weak", "strong") if major >= FIRST_STRONG else ("weak",)


def onnx_precision(target: TargetConfig, precision: str, typing: str) -> str:
    """Return which typed ONNX a build starts from.

    With weak typing the builder chooses the types, so it gets the fp32 graph; Q/DQ graphs carry
    their scales in either typing. TF32 is a flag, never a type of the graph. PyTorch takes the fp32
    weights and converts its own module, as its users do.
    """
    if target.flavour == "pytorch":
        return "fp32"
    if precision in ("int8", "fp8"):
        return precision
    return precision if typing == "strong" and precision != "tf32" else "fp32"


def onnx_opset(target: TargetConfig) -> int:
    """Return the opset that a target's parser takes: 16 before 8.6, which has LayerNormalization.

    https://github.com/onnx/onnx-tensorrt/blob/main/docs/operators.md, by git tag.
    """
    old = target.flavour == "tensorrt" and Version(target.version) < Version("8.6")
    return 16 if old else 17
