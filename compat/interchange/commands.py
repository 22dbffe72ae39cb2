"""The calls of trtexec and Polygraphy that measure what an item of ours measured."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from packaging.version import Version

from compat.interchange.errors import InterchangeError
from compat.interchange.levelling import FLIPPED
from compat.suite import trtexec

TIMES = "times.json"

# As compat.suite.adapters.trt_build tells the builder; both tools call the flags alike.
_WEAK = {
    "fp32": [],
    "tf32": [],
    "fp16": ["--fp16"],
    "bf16": ["--bf16"],
    "int8": ["--int8", "--fp16"],
    "fp8": ["--fp8", "--fp16"],
}


def load(engine: str, manifest: Mapping[str, Any], point: str) -> str:
    """Return the trtexec call that times an engine of ours: another clock on the same engine."""
    _full_tensorrt(manifest)
    return shlex.join(trtexec.loading("trtexec", engine, manifest["profile"], point, {}, TIMES))


def build(onnx: str, manifest: Mapping[str, Any], point: str) -> str:
    """Return the trtexec call that builds the same cell anew, and times it.

    The precision stands in flags up to 10 (weak typing), in the ONNX from 10 on (strong typing);
    11 knows none of the flags. cuDNN is no tactic source here either.
    """
    _plain(manifest)
    profile, version = manifest["profile"], Version(manifest["version"])
    words = ["trtexec", f"--onnx={onnx}"]
    for name, place in (("minShapes", "min"), ("optShapes", "opt"), ("maxShapes", "max")):
        words += trtexec.shapes(name, profile, place)
    words += trtexec.shapes("shapes", profile, point)
    if manifest["typing"] == "weak":
        words += _WEAK[manifest["precision"]]
    elif version < FLIPPED:
        words.append("--stronglyTyped")
    words += ["--noTF32"] if manifest["precision"] == "fp32" else []
    words += ["--tacticSources=-CUDNN"] if version < FLIPPED else []
    return shlex.join([*words, *trtexec.measuring(TIMES)])


def polygraphy(onnx: str, manifest: Mapping[str, Any], point: str) -> str:
    """Return the Polygraphy call that compares TensorRT with ONNX Runtime on the same inputs."""
    _plain(manifest)
    words = ["polygraphy", "run", onnx, "--trt", "--onnxrt", "--save-outputs", "results.json"]
    for option, place in (
        ("--trt-min-shapes", "min"),
        ("--trt-opt-shapes", "opt"),
        ("--trt-max-shapes", "max"),
        ("--input-shapes", point),
    ):
        profile = manifest["profile"].items()
        words += [option, *(f"{name}:{sizes[place]}".replace(" ", "") for name, sizes in profile)]
    if manifest["typing"] == "weak":
        words += _WEAK[manifest["precision"]]
    elif Version(manifest["version"]) < FLIPPED:
        words.append("--strongly-typed")
    words += ["--tf32"] if manifest["precision"] == "tf32" else []
    return shlex.join(words)


def _full_tensorrt(manifest: Mapping[str, Any]) -> None:
    if manifest["flavour"] != "tensorrt":
        raise InterchangeError(
            f"{manifest['flavour']}: trtexec and Polygraphy build and run full TensorRT only"
        )


def _plain(manifest: Mapping[str, Any]) -> None:
    _full_tensorrt(manifest)
    if manifest["variant"] != "plain" or manifest["precision"] not in _WEAK:
        raise InterchangeError(
            f"{manifest['precision']} {manifest['variant']}: only a plain engine whose precision "
            "needs no calibration is built by a call; leave --onnx away to time ours"
        )
