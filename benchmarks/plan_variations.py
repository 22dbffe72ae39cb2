"""Build plans that differ in one thing each, so that the bytes say what they mean.

``python plan_variations.py OUT`` runs inside a target environment with TensorRT or TensorRT-RTX
(the latter builds without a GPU) and numpy. Writes OUT/VERSION/VARIATION.engine and what was
asked of it, VARIATION.engine.json. ``plan_fields.py OUT`` on the host makes the table of it.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import sys
from typing import Any

# What differs from the first one. `flags` and `cleared` are names of BuilderFlag; `level` of
# HardwareCompatibilityLevel; `targets` of ComputeCapability; a release that lacks a name skips it.
VARIATIONS: dict[str, dict[str, Any]] = {
    "base": {},
    "again": {},
    "wide": {"width": 128},
    "deep": {"layers": 3},
    "profile-larger": {"profile": (1, 8, 32)},
    "profile-two": {"profiles": 2},
    "static": {"profile": None},
    "tiny": {"profile": None, "width": 8},
    "fp16": {"dtype": "float16"},
    "named": {"name": "a-network-with-a-name"},
    "level-0": {"optimization_level": 0},
    "verbose": {"verbosity": "DETAILED"},
    "workspace": {"workspace": 1 << 24},
    "aux-streams": {"aux_streams": 0},
    "fp16-allowed": {"flags": ["FP16"]},
    "tf32-forbidden": {"cleared": ["TF32"]},
    "sparse": {"flags": ["SPARSE_WEIGHTS"]},
    "refit": {"flags": ["REFIT"]},
    "refit-identical": {"flags": ["REFIT_IDENTICAL"]},
    "stripped": {"flags": ["STRIP_PLAN"]},
    "streaming": {"flags": ["WEIGHT_STREAMING"]},
    "vc": {"flags": ["VERSION_COMPATIBLE"]},
    "vc-lean-excluded": {"flags": ["VERSION_COMPATIBLE", "EXCLUDE_LEAN_RUNTIME"]},
    "hc-ampere-plus": {"level": "AMPERE_PLUS"},
    "hc-same-cc": {"level": "SAME_COMPUTE_CAPABILITY"},
    "windows": {"platform": "WINDOWS_AMD64"},
    "sm75": {"targets": ["SM75"]},
    "sm80": {"targets": ["SM80"]},
    "sm86": {"targets": ["SM86"]},
    "sm89": {"targets": ["SM89"]},
    "sm120": {"targets": ["SM120"]},
    "sm121": {"targets": ["SM121"]},
    "sm75-sm120": {"targets": ["SM75", "SM120"]},
}

# The wheels of TensorRT-RTX that a target has hold the bindings alone.
_MODULES = ("tensorrt", "tensorrt_bindings", "tensorrt_rtx", "tensorrt_rtx_bindings")


def main(argv: list[str]) -> int:
    """Build each variation that this release can express, and say what it could not."""
    parser = argparse.ArgumentParser(description="plans that differ in one thing each")
    parser.add_argument("out")
    parser.add_argument("--path", action="append", default=[], help="a folder for sys.path")
    asked = parser.parse_args(argv)
    sys.path.extend(asked.path)
    trt = _runtime()
    folder = os.path.join(asked.out, "%s-%s" % (_flavour(trt), trt.__version__))
    os.makedirs(folder, exist_ok=True)
    for name, wish in VARIATIONS.items():
        try:
            data = bytes(_build(trt, wish))
        except Exception as error:  # one release lacks what another one has
            print("%-18s not built: %s" % (name, str(error).split("\n")[0]), flush=True)
            continue
        _store(os.path.join(folder, name + ".engine"), data, trt, wish)
        print("%-18s %d bytes" % (name, len(data)), flush=True)
    return 0


def _runtime() -> Any:
    for name in _MODULES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise SystemExit("this environment has neither TensorRT nor TensorRT-RTX")


def _flavour(trt: Any) -> str:
    return str(trt.__name__).replace("_bindings", "")


def _store(path: str, data: bytes, trt: Any, wish: dict[str, Any]) -> None:
    with open(path, "wb") as stream:
        stream.write(data)
    claims = {
        "flavour": _flavour(trt),
        "version": trt.__version__,
        "variation": wish,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    with open(path + ".json", "w", encoding="utf-8") as stream_text:
        json.dump(claims, stream_text, indent=1, sort_keys=True)


def _build(trt: Any, wish: dict[str, Any]) -> Any:
    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    # The weights must live until the plan is there.
    network, alive = _network(trt, builder, wish)
    config = builder.create_builder_config()
    _configure(trt, config, wish)
    batches = wish.get("profile", (1, 4, 16))
    for _ in range(wish.get("profiles", 1) if batches else 0):
        profile = builder.create_optimization_profile()
        profile.set_shape("x", *((batch, wish.get("width", 64)) for batch in batches))
        config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise RuntimeError("the builder gave no plan")
    del alive
    return plan


def _set_flags(trt: Any, config: Any, wish: dict[str, Any]) -> None:
    for flag in wish.get("flags", ()):
        config.set_flag(getattr(trt.BuilderFlag, flag))
    for flag in wish.get("cleared", ()):
        config.clear_flag(getattr(trt.BuilderFlag, flag))


def _configure(trt: Any, config: Any, wish: dict[str, Any]) -> None:
    _set_flags(trt, config, wish)
    if "level" in wish:
        level = getattr(trt.HardwareCompatibilityLevel, wish["level"])
        config.hardware_compatibility_level = level
    if "platform" in wish:
        config.runtime_platform = getattr(trt.RuntimePlatform, wish["platform"])
    if "targets" in wish:
        config.num_compute_capabilities = len(wish["targets"])
        for place, target in enumerate(wish["targets"]):
            config.set_compute_capability(getattr(trt.ComputeCapability, target), place)
    if "optimization_level" in wish:
        config.builder_optimization_level = wish["optimization_level"]
    if "verbosity" in wish:
        config.profiling_verbosity = getattr(trt.ProfilingVerbosity, wish["verbosity"])
    if "workspace" in wish:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, wish["workspace"])
    if "aux_streams" in wish:
        config.max_aux_streams = wish["aux_streams"]


def _network(trt: Any, builder: Any, wish: dict[str, Any]) -> tuple[Any, list[Any]]:
    """Return a chain of matrix products and the arrays that its weights lie in."""
    import numpy as np  # noqa: PLC0415  # may lie in a folder of the command line

    flags = trt.NetworkDefinitionCreationFlag
    strong = getattr(flags, "STRONGLY_TYPED", None)
    bits = 1 << int(strong if strong is not None else flags.EXPLICIT_BATCH)
    network = builder.create_network(bits)
    network.name = wish.get("name", "")
    dtype = np.dtype(wish.get("dtype", "float32"))
    width = wish.get("width", 64)
    batch = 4 if "profile" in wish and not wish["profile"] else -1
    tensor = network.add_input("x", _data_type(trt, dtype), (batch, width))
    alive, random = [], np.random.RandomState(0)
    for _ in range(wish.get("layers", 1)):
        weights = random.standard_normal((width, width)).astype(dtype)
        alive.append(weights)
        constant = network.add_constant((width, width), trt.Weights(weights))
        none = trt.MatrixOperation.NONE
        product = network.add_matrix_multiply(tensor, none, constant.get_output(0), none)
        active = network.add_activation(product.get_output(0), trt.ActivationType.RELU)
        tensor = active.get_output(0)
    tensor.name = "y"
    network.mark_output(tensor)
    return network, alive


def _data_type(trt: Any, dtype: Any) -> Any:
    return trt.float16 if dtype.name == "float16" else trt.float32


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
