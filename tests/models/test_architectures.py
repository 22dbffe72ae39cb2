"""The built-in graphs are the published architectures."""

from __future__ import annotations

import onnx
import pytest

from compat.models import BUILTINS, ModelError, PreparedModel
from compat.models.builtins import builtin
from compat.models.weights import SeededWeights, parameter_count

# torchvision's and timm's model cards; transformers' CLIPModel has 151,277,313 with its one scale.
PUBLISHED = {
    "resnet50": 25_557_032,
    "vit-b16": 86_567_656,
    "clip-vit-b32-image": 87_849_216,
    "clip-vit-b32-text": 63_428_096,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_of_the_published_model(name: str) -> None:
    assert parameter_count(BUILTINS[name].sizes("full").parameters) == PUBLISHED[name]


def test_both_clip_towers_add_up_to_the_published_model() -> None:
    towers = PUBLISHED["clip-vit-b32-image"] + PUBLISHED["clip-vit-b32-text"]
    assert towers + 1 == 151_277_313


@pytest.mark.parametrize("name", BUILTINS)
@pytest.mark.parametrize("opset", [16, 17])
def test_the_checker_accepts_every_graph(name: str, opset: int) -> None:
    model = BUILTINS[name].sizes("quick").build(SeededWeights(0), opset)
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 8
    operators = {node.op_type for node in model.graph.node}
    assert ("LayerNormalization" in operators) == (opset == 17 and name != "resnet50")
    assert {node.domain for node in model.graph.node} == {""}


@pytest.mark.parametrize("name", BUILTINS)
def test_node_names_are_unique_and_inputs_and_outputs_share_the_batch_axis(name: str) -> None:
    graph = BUILTINS[name].sizes("quick").build(SeededWeights(0), 17).graph
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    for info in (*graph.input, *graph.output):
        assert info.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_resnet_nodes_carry_the_names_of_torchvision() -> None:
    graph = BUILTINS["resnet50"].sizes("full")
    assert "layer3.5.conv2.weight" in graph.parameters
    quick = BUILTINS["resnet50"].sizes("quick").build(SeededWeights(0), 17).graph
    assert {"conv1", "layer1.0.conv2", "layer4.0.downsample.0", "fc"} <= {
        node.name for node in quick.node
    }


def test_weights_depend_on_seed_and_name_alone() -> None:
    param = BUILTINS["vit-b16"].sizes("quick").parameters["classifier.weight"]
    first, again = SeededWeights(1), SeededWeights(1)
    again.get("another", param)
    assert (first.get("a", param) == again.get("a", param)).all()
    assert (first.get("a", param) != first.get("b", param)).any()
    assert (first.get("a", param) != SeededWeights(2).get("a", param)).any()


def test_both_opsets_compute_the_same(quick_models: dict[str, PreparedModel]) -> None:
    for model in quick_models.values():
        by_opset = {t.opset: t for t in model.typed if t.precision == "fp32"}
        assert sorted(by_opset) == [16, 17]


def test_an_unknown_builtin_lists_what_there_is() -> None:
    with pytest.raises(ModelError, match="builtin:resnet50") as caught:
        builtin("resnet51")
    assert caught.value.reason == "unknown-builtin"
