"""What a weakly typed build is told beside its flags, in the words of each generation."""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest

from compat.suite.adapters.base import Request
from compat.suite.adapters.trt_build import _configure, _flags
from compat.suite.adapters.trt_precision import keep_fp32
from compat.suite.outcome import Failed
from tests.suite.fake_trt import DataType, module

LayerType = Enum("LayerType", "CONVOLUTION CONSTANT ELEMENTWISE SHUFFLE DEQUANTIZE")


class Layer:
    """A layer that keeps what it is told."""

    def __init__(
        self,
        name: str,
        kind: str = "CONVOLUTION",
        outputs: tuple[str, ...] = ("FLOAT",),
        shape: bool = False,
    ) -> None:
        self.name, self.type = name, LayerType[kind]
        self.metadata = ""
        self.precision: Any = None
        self.output_types: dict[int, Any] = {}
        self._outputs = [SimpleNamespace(dtype=DataType[o], is_shape_tensor=shape) for o in outputs]
        self.num_outputs = len(outputs)

    def get_output(self, index: int) -> Any:
        return self._outputs[index]

    def set_output_type(self, index: int, kind: Any) -> None:
        self.output_types[index] = kind


def network(*layers: Layer) -> Any:
    return SimpleNamespace(num_layers=len(layers), get_layer=lambda index: layers[index])


def told(key: str, *names: str, others: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"key": key, "names": names, "others": others}


def pinned(*layers: Layer) -> list[str]:
    return [layer.name for layer in layers if layer.precision is DataType.FLOAT]


def test_the_layers_of_a_listed_node_get_fp32_and_so_do_their_float_outputs() -> None:
    """The parser puts a number behind the second layer of a node; `conv_1` is a node of its own."""
    layers = (
        Layer("conv"),
        Layer("conv_12", outputs=("FLOAT", "INT32")),
        Layer("conv_1"),
        Layer("other"),
        Layer("(Unnamed Layer* 3) [Shuffle]", "SHUFFLE"),
    )

    facts = keep_fp32(
        module("8.4"), network(*layers), told("fp32-nodes", "conv", "gone", others=("conv_1",))
    )

    assert pinned(*layers) == ["conv", "conv_12"]
    assert layers[1].output_types == {0: DataType.FLOAT}
    assert facts == {"fp32_nodes": 2, "fp32_nodes_unmatched": ["gone"]}


def test_what_the_parser_wrote_into_the_metadata_says_whose_layer_it_is() -> None:
    """As TensorRT 10 does: helper layers belong to their node, and no name has to be guessed."""
    layers = (Layer("conv"), Layer("ONNXTRT_unsqueeze"), Layer("conv_1"), Layer("a[0]"))
    nodes = ("conv", "conv | outer (Function)", "conv_1", "a[0]")
    for layer, node in zip(layers, nodes, strict=True):
        layer.metadata = f"[ONNX Layer: {node}]"

    facts = keep_fp32(module("10"), network(*layers), told("fp32-nodes", "conv", "a[0]"))

    assert pinned(*layers) == ["conv", "ONNXTRT_unsqueeze", "a[0]"]
    assert facts["fp32_nodes_unmatched"] == []


def test_constants_integers_shapes_and_quantizers_are_left_alone() -> None:
    layers = (
        Layer("a"),
        Layer("a_1", "CONSTANT"),
        Layer("a_2", "ELEMENTWISE", ("INT32",)),
        Layer("a_3", "ELEMENTWISE", shape=True),
        Layer("a_4", "DEQUANTIZE"),
    )

    assert keep_fp32(module("10"), network(*layers), told("fp32-nodes", "a"))["fp32_nodes"] == 1
    assert pinned(*layers) == ["a"]


def test_the_other_list_keeps_all_but_its_own() -> None:
    layers = (Layer("a"), Layer("a_1"), Layer("b"), Layer("(Unnamed Layer* 9) [Scale]"))

    facts = keep_fp32(module("8.4"), network(*layers), told("low-precision-nodes", "a", "x"))

    assert pinned(*layers) == ["b", "(Unnamed Layer* 9) [Scale]"]
    assert facts == {"fp32_nodes": 2, "low_precision_nodes_unmatched": ["x"]}


@pytest.mark.parametrize("key", ["fp32-nodes", "low-precision-nodes"])
def test_a_list_that_no_layer_matches_is_a_failure(key: str) -> None:
    with pytest.raises(Failed, match="names x, y") as caught:
        keep_fp32(module("8.4"), network(Layer("a")), told(key, "x", "y"))
    assert caught.value.reason == key + "-unmatched"


def test_a_list_of_constants_alone_is_a_failure() -> None:
    with pytest.raises(Failed, match="no layer that computes in floats"):
        keep_fp32(module("8.4"), network(Layer("w", "CONSTANT")), told("fp32-nodes", "w"))


def request(**more: Any) -> Request:
    return Request("m.onnx", "fp16", "weak", "plain", {}, workspace_bytes=1 << 30, **more)


@pytest.mark.parametrize(
    ("generation", "flag"),
    [("8.0", "STRICT_TYPES"), ("8.2", "OBEY_PRECISION_CONSTRAINTS")],
)
def test_the_builder_is_told_to_obey_by_the_flag_of_its_time(generation: str, flag: str) -> None:
    trt = module(generation)

    assert _flags(trt, request(nodes=told("fp32-nodes", "a"))) == ["FP16", flag]
    assert _flags(trt, request()) == ["FP16"]


class Config:
    """A builder configuration; `set_memory_pool_limit` as from 8.4 on."""

    def __init__(self) -> None:
        self.set: list[Any] = []

    def set_flag(self, flag: Any) -> None:
        self.set.append(flag.name)

    def set_memory_pool_limit(self, pool: Any, size: int) -> None:
        self.set.append((pool.name, size))


@pytest.mark.parametrize(
    ("generation", "verbosity", "workspace"),
    [("8.0", "VERBOSE", None), ("8.2", "DETAILED", None), ("8.4", "DETAILED", "WORKSPACE")],
)
def test_workspace_and_verbosity_go_by_the_names_of_their_time(
    generation: str, verbosity: str, workspace: str | None
) -> None:
    config: Any = Config()

    _configure(module(generation), config, request(), ["FP16"])

    assert config.profiling_verbosity.name == verbosity
    if workspace:
        assert config.set == ["FP16", (workspace, 1 << 30)]
    else:
        assert config.set == ["FP16"]
        assert config.max_workspace_size == 1 << 30
