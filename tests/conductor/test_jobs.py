"""What the suite is told of an item, and what its key depends on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compat.conductor.jobs import Kitchen, entry
from compat.config import Config
from compat.matrix import Selection, plan
from compat.prepared import NodeList, PreparedModel, TypedModel
from compat.targets import Environment, TargetSpec

LISTED = NodeList("fp32-nodes", ("conv",), ())


def kitchen(listed: NodeList | None) -> Kitchen:
    """A matrix of one TensorRT 10 target, which knows both typings."""
    target = {"flavour": "tensorrt", "version": "10.3.0.26"}
    raw: dict[str, Any] = {
        "schema": 1,
        "targets": {"t": target},
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
    environment = Environment(spec, Path("python"), Path("deps"), {}, "f" * 64, cached=True)
    return Kitchen(
        config=config,
        plan=plan(config, source={}, quick=False, selection=Selection()),
        work=Path("work"),
        machine={"arch": "sm_90", "gpus": ["H200"]},
        models={"net": model},
        environments={"t": environment},
    )


def build(there: Kitchen, precision: str, typing: str) -> dict[str, Any]:
    """Return the entry of one build."""
    (item,) = (
        one
        for one in there.plan.items
        if (one.check, one.precision, one.typing) == ("build", precision, typing)
    )
    return entry(item, there, None, None)


@pytest.mark.parametrize(
    ("precision", "typing", "told"),
    [
        ("fp16", "weak", True),
        ("int8-calibrated", "weak", True),
        ("fp16", "strong", False),  # there the ONNX itself has the types
        ("fp32", "weak", False),
    ],
)
def test_a_list_of_nodes_goes_to_builders_that_choose_the_types(
    precision: str, typing: str, told: bool
) -> None:
    found = build(kitchen(LISTED), precision, typing)["nodes"]

    assert found == ({"key": "fp32-nodes", "names": ("conv",), "others": ()} if told else None)


def test_another_list_is_another_engine() -> None:
    """A record of the old list must not answer the new one, nor its engine file be overwritten."""
    made = [
        build(kitchen(one), "fp16", "weak")
        for one in (None, LISTED, replace(LISTED, names=("conv", "fc")))
    ]

    assert len({one["key"] for one in made}) == len({one["engine"] for one in made}) == 3
