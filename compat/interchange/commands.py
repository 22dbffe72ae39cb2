"""The calls of trtexec and Polygraphy that measure what an item of ours measured."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from packaging.version import Version

from compat.config.schema import BuildConfig
from compat.interchange.errors import InterchangeError
from compat.interchange.levelling import FLIPPED
from compat.suite import trtexec

TIMES = "times.json"


def load(engine: str, manifest: Mapping[str, Any], point: str) -> str:
    """Return the trtexec call that times an engine of ours: another clock on the same engine."""
    _full_tensorrt(manifest)
    words = trtexec.loading(engine, manifest["profile"], point)
    return shlex.join(["trtexec", *words, *trtexec.measuring(TIMES)])


def build(onnx: str, manifest: Mapping[str, Any], told: BuildConfig, point: str) -> str:
    """Return the trtexec call that builds the same cell anew, and times it.

    Args:
        onnx: the typed ONNX.
        manifest: that of our engine.
        told: what our builder was told beside precision and variant.
        point: min, opt or max.
    """
    _plain(manifest)
    built = {
        **manifest,
        "workspace_bytes": int(told.workspace or 0),
        "optimization_level": told.optimization_level,
        "nodes": None,
    }
    words = trtexec.building(onnx, built, manifest["version"], point)
    return shlex.join(["trtexec", *words, *trtexec.measuring(TIMES)])


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
        words += trtexec.WEAK[manifest["precision"]]
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
    if manifest["variant"] != "plain" or manifest["precision"] not in trtexec.WEAK:
        raise InterchangeError(
            f"{manifest['precision']} {manifest['variant']}: only a plain engine whose precision "
            "needs no calibration is built by a call; leave --onnx away to time ours"
        )
