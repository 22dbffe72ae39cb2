"""What a PyTorch target reads from a built-in model's ONNX, where there is no PyTorch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from compat.models import resnet
from compat.models.builtins import builtin
from compat.models.weights import SeededWeights
from compat.suite.adapters.torch_models import read_onnx
from compat.suite.outcome import NotRun, Unsupported


def _written(folder: Path, model: onnx.ModelProto) -> str:
    path = folder / "model.onnx"
    onnx.save(model, path)
    return str(path)


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        (
            "resnet50",
            {"layers": [1, 1, 1, 1], "width": 16, "classes": 100, "stride_on_first": False},
        ),
        (
            "vit-b16",
            {"hidden_size": 96, "num_hidden_layers": 3, "image_size": 64, "num_labels": 100},
        ),
        ("clip-vit-b32-image", {"num_attention_heads": 3, "patch_size": 32, "projection_dim": 64}),
        ("clip-vit-b32-text", {"vocab_size": 1000, "max_position_embeddings": 77}),
    ],
)
def test_sizes_and_weights_come_from_the_graph(
    tmp_path: Path, name: str, sizes: dict[str, Any]
) -> None:
    """Small and full models are one architecture; linear weights are turned as PyTorch has them."""
    model = builtin(name).sizes("quick").build(SeededWeights(1), 17)
    blueprint, weights = read_onnx(_written(tmp_path, model))

    assert blueprint.model == name
    assert sizes.items() <= blueprint.sizes.items()
    assert blueprint.outputs == [one.name for one in model.graph.output]
    for key, array in weights.items():
        if key.endswith(("fc1.weight", "intermediate.dense.weight")):
            assert array.shape == (384, 96)


def test_the_first_form_of_resnet_is_told_apart(tmp_path: Path) -> None:
    config = resnet.ResNetConfig(64, (1, 1, 1, 1), 16, 100, stride_on_first=True)
    model = resnet.build(config, SeededWeights(1), 17)

    assert read_onnx(_written(tmp_path, model))[0].sizes["stride_on_first"] is True


def test_a_users_own_graph_has_no_implementation(tmp_path: Path) -> None:
    """PyTorch has no ONNX importer: that is unsupported, and not a failure."""
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])], "resnet50", tensors[:1], tensors[1:]
    )

    with pytest.raises(Unsupported, match="PyTorch cannot read ONNX") as caught:
        read_onnx(_written(tmp_path, helper.make_model(graph, producer_name="pytorch")))
    assert caught.value.reason == "no-importer"


def test_a_target_without_the_onnx_package_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(NotRun, match="pip install onnx") as caught:
        read_onnx("any.onnx")
    assert caught.value.reason == "onnx-package-missing"
