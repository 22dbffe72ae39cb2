"""What the suite is told of a build, and what tells two builds of one release apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compat.conductor import jobs
from compat.conductor.jobs import Kitchen
from compat.config import Config
from compat.matrix import Selection, plan
from compat.prepared import PreparedModel, TypedModel
from compat.targets import Environment, TargetSpec

AXES = {"batch": (1, 8, 16)}


def _kitchen(tmp_path: Path, targets: dict[str, Any]) -> Kitchen:
    config = Config.model_validate(
        {
            "targets": targets,
            "models": {"net": {"source": "builtin:resnet50", "axes": AXES}},
            "precisions": ["fp16"],
            "rebuild": False,
        }
    )
    source = {"path": "compat.toml", "sha256": "0"}
    path = tmp_path / "net.onnx"
    points = ("min", "opt", "max")
    files = {point: tmp_path / f"{point}.npz" for point in points}
    for file in files.values():
        file.write_bytes(b"")
    model = PreparedModel(
        name="net",
        digest="0" * 64,
        inputs=(),
        outputs=(),
        axes=AXES,
        points={p: {"batch": n} for p, n in zip(points, AXES["batch"], strict=True)},
        batch=dict(zip(points, AXES["batch"], strict=True)),
        typed=(TypedModel("fp32", "strong", 17, path, "0" * 64, "ok"),),
        feeds=files,
        golden=files,
        golden_runtime="",
        cached=True,
    )
    target = TargetSpec("any", "tensorrt", "8.6.0", "wheel", "other")
    environment = Environment(target, Path("python"), tmp_path, {}, "fingerprint", cached=True)
    return Kitchen(
        config=config,
        plan=plan(config, source=source, quick=False, selection=Selection()),
        work=tmp_path,
        machine={"arch": "x86_64", "gpus": ["gpu"]},
        models={"net": model},
        environments=dict.fromkeys(targets, environment),
    )


def test_each_builder_is_told_its_own_settings(tmp_path: Path) -> None:
    """And the engines of two builders of one release never share a file."""
    release = {"flavour": "tensorrt", "version": "8.6.0"}
    told = {"workspace": "64MiB", "optimization-level": 0}
    kitchen = _kitchen(tmp_path, {"as-is": release, "small": {**release, "build": told}})

    as_is, small = (
        jobs.entry(item, kitchen, None, None)
        for item in kitchen.plan.items
        if item.check == "build"
    )

    assert (as_is["workspace_bytes"], as_is["optimization_level"]) == (0, None)
    assert (small["workspace_bytes"], small["optimization_level"]) == (64 * 2**20, 0)
    assert as_is["engine"] != small["engine"]
    assert as_is["key"] != small["key"]
