"""fp16 and int8 forms: the types that were asked for really stand in the graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from compat.models import BUILTINS, ModelSpec, PreparedModel, TypedModel, prepare
from compat.models.elemtypes import count_types
from compat.models.fp16 import sensitive_nodes
from compat.models.nodelist import listed

NAMES = tuple(BUILTINS)


def typed(model: PreparedModel, precision: str, opset: int = 17) -> TypedModel:
    return next(t for t in model.typed if (t.precision, t.opset) == (precision, opset))


def load(model: TypedModel) -> onnx.ModelProto:
    assert model.path is not None
    return onnx.load(model.path)


def outputs(model: TypedModel, feed: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(model.path), providers=["CPUExecutionProvider"])
    with np.load(feed) as arrays:
        return np.asarray(session.run(None, dict(arrays))[0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("opset", [16, 17])
@pytest.mark.parametrize(
    ("precision", "wanted"), [("fp32", "FLOAT"), ("fp16", "FLOAT16"), ("int8", "INT8")]
)
def test_the_weight_bearing_operators_run_in_the_asked_type(
    quick_models: dict[str, PreparedModel], name: str, opset: int, precision: str, wanted: str
) -> None:
    model = typed(quick_models[name], precision, opset)
    assert (model.status, model.reason) == ("ok", "")
    assert model.types[wanted] >= sum(model.types.values()) - 1
    assert dict(count_types(load(model).graph).types) == dict(model.types)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("opset", [16, 17])
@pytest.mark.parametrize(("precision", "limit"), [("fp32", 1e-5), ("fp16", 5e-3), ("int8", 0.1)])
def test_drift_from_the_reference_is_small(
    quick_models: dict[str, PreparedModel], name: str, opset: int, precision: str, limit: float
) -> None:
    model = quick_models[name]
    with np.load(model.golden["max"]) as arrays:
        reference = next(iter(arrays.values()))
    found = outputs(typed(model, precision, opset), model.feeds["max"])
    assert np.isfinite(found).all()
    assert np.linalg.norm(found - reference) / np.linalg.norm(reference) < limit


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_inputs_and_outputs_keep_their_types_and_their_batch(
    quick_models: dict[str, PreparedModel], name: str, precision: str
) -> None:
    plain = load(typed(quick_models[name], "fp32")).graph
    converted = load(typed(quick_models[name], precision)).graph
    for before, after in zip(
        (*plain.input, *plain.output), (*converted.input, *converted.output), strict=True
    ):
        assert before.type.tensor_type.elem_type == after.type.tensor_type.elem_type
        assert after.type.tensor_type.shape.dim[0].dim_param == "batch"


@pytest.mark.parametrize("name", NAMES)
def test_int8_is_symmetric_per_channel_and_leaves_biases_alone(
    quick_models: dict[str, PreparedModel], name: str
) -> None:
    model = load(typed(quick_models[name], "int8"))
    graph = model.graph
    constants = {item.name: item for item in graph.initializer}
    assert {(o.domain, o.version) for o in model.opset_import} == {("", 17)}
    quantizers = [n for n in graph.node if n.op_type in {"QuantizeLinear", "DequantizeLinear"}]
    assert not {n.op_type for n in graph.node} & {"QLinearConv", "QLinearMatMul", "QGemm"}
    for node in quantizers:
        zero = numpy_helper.to_array(constants[node.input[2]])
        assert zero.dtype == np.int8
        assert not zero.any()
    weighted = {"Conv": 1, "MatMul": 1, "Gemm": 1}
    producer = {out: node for node in graph.node for out in node.output}
    for node in graph.node:
        if node.op_type in weighted and node.input[1] in producer:
            source = producer[node.input[1]]
            if source.op_type == "DequantizeLinear":
                assert constants[source.input[1]].dims, f"{node.name}: one scale for all channels"
        if node.op_type in {"Conv", "Gemm"} and len(node.input) > 2:
            assert constants[node.input[2]].data_type == TensorProto.FLOAT


def test_patch_embeddings_stay_float_in_int8(quick_models: dict[str, PreparedModel]) -> None:
    model = typed(quick_models["vit-b16"], "int8")
    assert model.kept_fp32 == ("vit.embeddings.patch_embeddings.projection",)
    assert typed(quick_models["resnet50"], "int8").kept_fp32 == ()


@pytest.mark.parametrize("opset", [16, 17])
def test_fp16_keeps_norms_and_the_path_of_token_ids(
    quick_models: dict[str, PreparedModel], opset: int
) -> None:
    model = typed(quick_models["clip-vit-b32-text"], "fp16", opset)
    assert {"end.to_float", "end.argmax"} <= set(model.kept_fp32)
    norm = "text_model.final_layer_norm"
    names = {norm} if opset == 17 else {f"{norm}.mean", f"{norm}.square", f"{norm}.deviation"}
    assert names <= set(model.kept_fp32)


def test_a_decomposed_norm_passes_fp32_from_node_to_node(
    quick_models: dict[str, PreparedModel],
) -> None:
    graph = load(typed(quick_models["vit-b16"], "fp16", 16)).graph
    producer = {out: node for node in graph.node for out in node.output}
    square = next(n for n in graph.node if n.name == "vit.layernorm.square")
    assert {producer[name].name for name in square.input} == {"vit.layernorm.delta"}


def test_a_graph_without_fp16_weights_is_a_failure_not_a_result(
    tmp_path: Path, write_conv: Callable[..., Path]
) -> None:
    spec = ModelSpec(
        "user", str(write_conv()), precisions=("fp32", "fp16", "int8"), fp32_nodes=("Conv",)
    )
    by_name = {t.precision: t for t in prepare(spec, tmp_path / "work").typed}
    assert by_name["fp32"].status == "ok"
    assert (by_name["fp16"].status, by_name["fp16"].reason) == ("failed", "precision-not-applied")
    assert "1 FLOAT" in by_name["fp16"].message
    assert (by_name["int8"].status, by_name["int8"].reason) == ("failed", "nothing-to-quantize")


@pytest.mark.parametrize("precision", ["bf16", "fp8", "int3"])
def test_precisions_without_a_form_say_so(
    tmp_path: Path, write_conv: Callable[..., Path], precision: str
) -> None:
    spec = ModelSpec("user", str(write_conv()), precisions=(precision, "tf32", "fp32"))
    other, tf32, fp32 = prepare(spec, tmp_path / "work").typed
    assert (other.status, other.reason, other.path) == ("unsupported", "not-implemented", None)
    assert precision in other.message
    assert tf32.path == fp32.path


def test_an_unknown_node_to_keep_names_the_nearest(
    tmp_path: Path, write_conv: Callable[..., Path]
) -> None:
    spec = ModelSpec("user", str(write_conv()), precisions=("fp16",), fp32_nodes=("conf",))
    (model,) = prepare(spec, tmp_path / "work").typed
    assert (model.status, model.reason) == ("failed", "unknown-node")
    assert "'conv'" in model.message


def test_a_float_weight_behind_a_lone_pair_does_not_count_as_int8() -> None:
    """INT8 needs both operands dequantized: TensorRT runs the other case in float."""
    weight = numpy_helper.from_array(np.ones((4, 4), np.int8), "w")
    scale = numpy_helper.from_array(np.array(0.1, np.float32), "s")
    zero = numpy_helper.from_array(np.array(0, np.int8), "z")
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wf"]),
        helper.make_node("MatMul", ["x", "wf"], ["y"]),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [info("x", TensorProto.FLOAT, [1, 4])],
        [info("y", TensorProto.FLOAT, [1, 4])],
        [weight, scale, zero],
    )
    assert dict(count_types(graph).types) == {"FLOAT": 1}


def test_sqrt_alone_is_no_norm() -> None:
    node = helper.make_node("Sqrt", ["x"], ["y"], name="root")
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [info("x", TensorProto.FLOAT, [1])], [info("y", TensorProto.FLOAT, [1])]
    )
    assert sensitive_nodes(graph) == set()


def test_with_a_list_of_what_may_be_lowered_all_else_stays_fp32(tmp_path: Path) -> None:
    spec = ModelSpec(
        "resnet50",
        "builtin:resnet50",
        size="quick",
        axes={"batch": (1, 2, 4)},
        precisions=("fp32", "fp16", "int8"),
        low_precision_nodes=("layer1.0.conv1", "layer2.0.conv2"),
    )

    model = prepare(spec, tmp_path / "work", opsets=(17,))

    assert typed(model, "fp16").status == typed(model, "int8").status == "ok"
    assert typed(model, "fp16").types["FLOAT16"] == 2
    assert typed(model, "int8").types["INT8"] == 2
    with np.load(model.golden["max"]) as arrays:
        reference = next(iter(arrays.values()))
    for precision in ("fp16", "int8"):
        found = outputs(typed(model, precision), model.feeds["max"])
        assert np.linalg.norm(found - reference) / np.linalg.norm(reference) < 0.05
    told = typed(model, "fp32").listed
    assert told is not None
    assert (told.key, told.names) == ("low-precision-nodes", spec.low_precision_nodes)


def test_a_graph_without_weights_keeps_its_fp32_form_beside_a_list(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    shape = ["batch", 4]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"], name="relu")],
        "g",
        [info("x", TensorProto.FLOAT, shape)],
        [info("y", TensorProto.FLOAT, shape)],
    )
    path = tmp_path / "relu.onnx"
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, path)
    spec = ModelSpec("user", str(path), precisions=("fp32",), low_precision_nodes=("relu",))

    (model,) = prepare(spec, tmp_path / "work", opsets=(17,)).typed

    assert (model.status, model.reason) == ("ok", "")


@pytest.mark.parametrize("key", ["fp32_nodes", "low_precision_nodes"])
def test_a_builder_is_told_names_for_operator_types_and_keeps_unknown_entries(
    tmp_path: Path, write_conv: Callable[..., Path], key: str
) -> None:
    """What the parser names is known only in the target, so an unknown name is its to judge."""
    spec = ModelSpec("user", str(write_conv()), precisions=("fp32",), **{key: ("Conv", "gone")})

    (model,) = prepare(spec, tmp_path / "work").typed

    assert model.listed is not None
    assert model.listed.names == ("conv", "gone")
    assert model.listed.key == key.replace("_", "-")


def test_a_node_with_a_number_behind_a_listed_name_is_told_apart() -> None:
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Relu", [a], [b], name=n)
        for a, b, n in (("x", "1", "relu"), ("1", "2", "relu_1"), ("2", "y", "relu_x"))
    ]
    shape = [info("x", TensorProto.FLOAT, [1])], [info("y", TensorProto.FLOAT, [1])]
    graph = helper.make_graph(nodes, "g", *shape)

    assert listed(graph, ("relu",), ()).others == ("relu_1",)
    assert listed(graph, ("Relu",), ()).others == ()
