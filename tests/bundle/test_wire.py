"""What crosses to the far machine arrives as it was, below another folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat.bundle import wire
from compat.prepared import NodeList, PreparedModel, TensorInfo, TypedModel


def _model(work: Path) -> PreparedModel:
    return PreparedModel(
        name="net",
        digest="d" * 64,
        inputs=(TensorInfo("x", "float32", ("batch", 3)),),
        outputs=(),
        axes={"batch": (1, 2, 4)},
        points={"min": {"batch": 1}},
        batch={"min": 1},
        typed=(
            TypedModel("fp16", "strong", 17, work / "models/net/a.onnx", "e" * 64, "ok"),
            TypedModel("int8", "strong", 17, None, "", "failed", "why", "because"),
            TypedModel(
                "fp32", "strong", 17, None, "", "ok", listed=NodeList("fp32-nodes", ("a",), ())
            ),
        ),
        feeds={"min": work / "golden/net/feeds.npz"},
        golden={"min": work / "golden/net/golden.npz"},
        golden_runtime="onnxruntime",
        cached=True,
    )


def test_a_model_arrives_below_another_folder(tmp_path: Path) -> None:
    seen: list[Path] = []

    text = json.dumps(wire.encode(_model(tmp_path / "here"), tmp_path / "here", seen.append))

    assert str(tmp_path) not in text
    assert wire.decode(json.loads(text), Path("/there")) == _model(Path("/there"))
    assert len(seen) == 3


def test_a_file_outside_of_the_work_folder_cannot_be_carried(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in the subpath"):
        wire.encode(_model(tmp_path), tmp_path / "elsewhere", lambda _: None)
