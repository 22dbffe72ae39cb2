"""The precision that was really built is read from the builder's own layer list.

The texts are excerpts of real verbose logs of TensorRT-RTX 1.4.0.76 and 1.7.1.116.
"""

from __future__ import annotations

import json

import pytest

from compat.suite.adapters.layers import (
    layer_types,
    layer_types_of_json,
    precision_is_there,
)

RTX_1_4 = """Layers:
Name: __mye196_0_myl0_0, LayerType: shape_call, Inputs: [], Outputs: [], TacticName: , StreamId: 0
Name: __myl_Move_myl0_1, LayerType: kgen, Inputs: [ { Name: x, Dimensions: [-1,3,32,32], \
Format/Datatype: Float }], Outputs: [ { Name: r, Dimensions: [-1,3,32,32], Format/Datatype: Half }]
"""
RTX_1_7 = """Layers:
Name: a, LayerType: kgen, Inputs: [ { Name: x, Dimensions: [-1,3,32,32], Strides: [1], \
Datatype: Float, Format: N/A }], Constants: [], Outputs: [ { Name: r, Datatype: Float }]
Name: b, LayerType: gemm, Inputs: [ { Name: q, Datatype: Int8 }], Outputs: [ { Datatype: Half }]
"""


def test_a_layer_counts_by_the_narrowest_type_it_touches() -> None:
    """Reading int8 and writing half is an int8 layer; shape layers count for nothing."""
    assert layer_types(["other message", RTX_1_4]) == {"Half": 1}
    assert layer_types([RTX_1_7]) == {"Float": 1, "Int8": 1}


def test_the_words_of_tensorrt_8_count_too() -> None:
    """It spells out the memory format, and the type stands somewhere in it."""
    text = (
        "Layers:\nName: conv1, LayerType: CaskConvolution, Inputs: [ { Name: x, Location: Device, "
        "Dimensions: [8,3,32,32], Format/Datatype: Row major linear FP32 }], Outputs: [ { Name: y, "
        "Format/Datatype: Channel major FP16 format where channel % 8 == 0 }]"
    )

    assert layer_types([text]) == {"Half": 1}


def test_the_log_of_tensorrt_8_has_types_before_shapes() -> None:
    """An excerpt of a real verbose log of TensorRT 8.6.0."""
    text = (
        "Engine Layer Information:\n"
        "Layer(CaskConvolution): layer4.0.downsample.0, Tactic: 0xee5f2503f9e3e566, "
        "layer3.0.relu3_out (Float[-1,256:4,4,4]) -> layer4.0.down_out (Float[-1,512:4,2,2])\n"
        "Layer(NoOp): Reformatting CopyNode for Input Tensor 0 to reshape_after_fc, Tactic: 0x00, "
        "fc_out_tensor (Half[-1,100:8,1,1]) -> Reformatted Input Tensor 0 (Float[-1,100,1,1])"
    )

    assert layer_types([text]) == {"Float": 1, "Half": 1}


def test_a_region_with_fp32_edges_says_nothing_of_its_inside() -> None:
    """A whole network can be one region; it must not be called not fp16 for its edges."""
    text = (
        "Engine Layer Information:\n"
        "Layer(Myelin): {ForeignNode[embed...project]}, Tactic: 0x0000000000000000, "
        "input_ids (Int32[-1,77]) -> text_embeds (Float[-1,512])"
    )

    assert layer_types([text]) == {"fused": 1}
    assert precision_is_there("fp16", {"fused": 1})
    assert not precision_is_there("fp16", {"Float": 1})


def test_a_region_with_half_edges_is_not_called_not_int8() -> None:
    """What is told of a region's edges says as little of int8 inside as of fp16."""
    text = (
        "Engine Layer Information:\n"
        "Layer(Myelin): {ForeignNode[patch...head]}, Tactic: 0x0, x (Half[-1,3]) -> y (Half[-1,2])"
    )

    assert layer_types([text]) == {"fused": 1}
    assert precision_is_there("int8", layer_types([text]))


def test_a_copy_beside_a_region_is_an_ordinary_layer() -> None:
    """Its name holds the region's name; what it touches is told in full."""
    region = "{ForeignNode[embed...project]}"
    copy = "Reformatting CopyNode for Input Tensor 0 to " + region
    log = (
        "Engine Layer Information:\n"
        f"Layer(Reformat): {copy}, Tactic: 0x0, x (Float[-1,77]) -> r (Float[-1,77])\n"
        f"Layer(Myelin): {region}, Tactic: 0x0, r (Float[-1,77]) -> y (Float[-1,512])"
    )
    lines = "Layers:\n" + "\n".join(
        f"Name: {name}, LayerType: Any, Inputs: [ {{ Name: r, Datatype: Float }}]"
        for name in (copy, region)
    )
    document = {
        "Layers": [
            {"Name": name, "Inputs": [tensor("r", Datatype="Float")]} for name in (copy, region)
        ]
    }

    for counts in (
        layer_types([log]),
        layer_types([lines]),
        layer_types_of_json(json.dumps(document)),
    ):
        assert counts == {"Float": 1, "fused": 1}


def tensor(name: str, **described: str) -> dict[str, object]:
    return {"Name": name, "Location": "Device", "Dimensions": [8, 64, 8, 8], **described}


def test_the_inspector_of_tensorrt_8_counts_by_the_same_rule() -> None:
    """The shape of pytorch/pytorch#66683; bindings and the weights' counts are no tensors."""
    half = "Channel major FP16 format where channel % 8 == 0"
    wide = "Row major linear FP32"
    text = json.dumps(
        {
            "Layers": [
                {
                    "Name": "conv1 + relu1",
                    "LayerType": "CaskConvolution",
                    "Inputs": [tensor("x", **{"Format/Datatype": half})],
                    "Outputs": [tensor("y", **{"Format/Datatype": half})],
                    "Weights": {"Type": "Half", "Count": 9408},
                    "TacticName": "sm80_xmma_fprop_implicit_gemm_f16f16_f16f32_f32_nhwckrsc_nhwc",
                },
                {
                    "Name": "Reformatting CopyNode for Output Tensor 0 to fc",
                    "LayerType": "Reformat",
                    "Inputs": [tensor("y", **{"Format/Datatype": wide})],
                    "Outputs": [tensor("logits", **{"Format/Datatype": wide})],
                },
                {"Name": "shape", "LayerType": "NoOp", "Inputs": [], "Outputs": []},
            ],
            "Bindings": ["x", "logits"],
        }
    )

    assert layer_types_of_json(text) == {"Half": 1, "Float": 1}


def test_the_inspector_of_newer_releases_names_types_apart() -> None:
    text = json.dumps(
        {
            "Layers": [
                {
                    "Name": "a",
                    "Inputs": [tensor("q", **{"Format/Datatype": "Int8"})],
                    "Outputs": [tensor("r", **{"Format/Datatype": "Half"})],
                },
                {
                    "Name": "b",
                    "Inputs": [tensor("r", Datatype="Half", Format="(NHWC) Channel major format")],
                    "Constants": [tensor("w", Datatype="FP8", Format="N/A")],
                    "Outputs": [tensor("s", Datatype="Float", Format="(Linear) Row major")],
                },
            ],
            "Bindings": ["q", "s"],
        }
    )

    assert layer_types_of_json(text) == {"Int8": 1, "FP8": 1}


def test_an_engine_without_details_has_names_only() -> None:
    """So does one that was built elsewhere without ProfilingVerbosity.DETAILED."""
    assert layer_types_of_json('{"Layers": ["conv1", "fc"], "Bindings": ["x"]}') == {}
    with pytest.raises(ValueError, match="Expecting"):
        layer_types_of_json('{"Layers": [{')


def test_no_layer_list_says_nothing() -> None:
    """A log without the list cannot prove a precision, nor disprove it."""
    assert layer_types(["Engine generation completed"]) == {}
    assert precision_is_there("fp16", {})


@pytest.mark.parametrize(
    ("precision", "counts", "there"),
    [
        ("fp16", {"Float": 12}, False),
        ("fp16", {"Float": 12, "Half": 1}, True),
        ("int8", {"Half": 3}, False),
        ("fp32", {"Float": 3}, True),
    ],
)
def test_an_fp16_engine_without_a_half_layer_is_none(
    precision: str, counts: dict[str, int], there: bool
) -> None:
    """On TensorRT 11 an fp32 ONNX silently becomes an fp32 engine (roboflow/rf-detr#1453)."""
    assert precision_is_there(precision, counts) is there


def test_the_control_characters_of_tensorrt_8_are_no_obstacle() -> None:
    """It parts the names of fused ONNX layers by a bare U+001E, which JSON does not allow."""
    text = (
        '{"Layers": [{"Name": "conv1 + relu1", "Inputs": [{"Format/Datatype": "Row major FP16"}], '
        '"Metadata": "[ONNX Layer: conv1]\x1e[ONNX Layer: relu1]"}]}'
    )

    assert layer_types_of_json(text) == {"Half": 1}
