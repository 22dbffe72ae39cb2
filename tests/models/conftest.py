"""Quick-size models, prepared once for the whole run, and tiny graphs to stand for a user's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compat.models import BUILTINS, ModelSpec, PreparedModel, prepare


@pytest.fixture(scope="session")
def quick_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One work directory shared by the tests that only read it."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def quick_models(quick_work: Path) -> dict[str, PreparedModel]:
    """Every built-in at quick size, in both opsets and the three precisions."""
    return {
        name: prepare(ModelSpec(name, f"builtin:{name}", "quick"), quick_work, opsets=(17, 16))
        for name in BUILTINS
    }


@pytest.fixture
def write_conv(tmp_path: Path) -> Callable[..., Path]:
    """Write a one-convolution model with the given input shape; returns its path."""

    def write(
        shape: tuple[int | str | None, ...] = ("batch", 3, 8, 8), name: str = "model.onnx"
    ) -> Path:
        rng = np.random.default_rng(0)
        weight = rng.standard_normal((4, 3, 3, 3), dtype=np.float32)
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["c"], ["y"]),
        ]
        graph = helper.make_graph(
            nodes,
            "user",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [shape[0], 4, *shape[2:]])],
            [numpy_helper.from_array(weight, "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / name)
        return tmp_path / name

    return write
