"""A matrix of TensorRT targets and one model, of which no file is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compat.conductor.jobs import Kitchen
from compat.config import Config
from compat.matrix import Selection, plan
from compat.prepared import NodeList, PreparedModel, TypedModel
from compat.targets import Environment, TargetSpec

# It knows both typings.
TENSORRT_10 = {"t": {"flavour": "tensorrt", "version": "10.3.0.26"}}


def kitchen(
    listed: NodeList | None = None,
    work: Path = Path("work"),
    python: Path = Path("python"),
    targets: Mapping[str, Any] = TENSORRT_10,
) -> Kitchen:
    """Return a matrix of one model and these targets, which share an environment."""
    raw: dict[str, Any] = {
        "schema": 1,
        "targets": targets,
        "models": {"net": {"source": "net.onnx", "axes": {"batch": [1, 2, 4]}}},
        "precisions": ["fp32", "fp16", "int8-calibrated"],
    }
    config = Config.model_validate(raw)
    typed = tuple(
        TypedModel(p, "strong", 17, Path(f"{p}.onnx"), p * 8, "ok", listed=listed)
        for p in ("fp32", "fp16")
    )
    sizes = {"min": 1, "opt": 2, "max": 4}
    paths = {point: Path(f"feeds/{point}.npz") for point in sizes}
    model = PreparedModel(
        name="net",
        digest="d" * 64,
        inputs=(),
        outputs=(),
        axes={"batch": (1, 2, 4)},
        points={point: {"batch": size} for point, size in sizes.items()},
        batch=sizes,
        typed=typed,
        feeds=paths,
        golden=paths,
        golden_runtime="",
        cached=True,
    )
    spec = TargetSpec("t", "tensorrt", "10.3.0.26", "wheel", "other")
    environment = Environment(spec, python, Path("deps"), {}, "f" * 64, cached=True)
    return Kitchen(
        config=config,
        plan=plan(config, source={}, quick=False, selection=Selection()),
        work=work,
        machine={"arch": "x86_64", "gpus": ["NVIDIA H200 (sm_90)"]},
        models={"net": model},
        environments=dict.fromkeys(targets, environment),
    )
