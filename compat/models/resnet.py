"""ResNet-50 v1.5 (He et al. 2015, stride on the 3x3), parameter names of torchvision and timm."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto

from compat.models.graph import Graph
from compat.models.weights import FloatArray, Param, Weights

__all__ = ["ResNetConfig", "build", "parameters"]

_EXPANSION = 4
_BN_EPS = 1e-5
# The last BatchNorm of a block starts small, so that 16 residual sums do not grow without bound
# (Goyal 2017 starts it at zero, which would leave an untrained network without any block).
_LAST_GAMMA = 0.5
# Logits with a standard deviation near 1, as a classifier's are.
_HEAD_GAIN = 6.0


@dataclass(frozen=True, slots=True)
class ResNetConfig:
    """Sizes; `layers` are blocks per stage, `head_draw` the draw of the classifier.

    `stride_on_first` is the first form of the network, with the stride on a block's first 1x1.
    """

    image: int
    layers: tuple[int, int, int, int]
    width: int
    classes: int
    head_draw: int = 0
    stride_on_first: bool = False


@dataclass(frozen=True, slots=True)
class _Conv:
    """One convolution with its BatchNorm: names as in torchvision's state dict."""

    conv: str
    bn: str
    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    gamma: float = 1.0


@dataclass(frozen=True, slots=True)
class _Block:
    name: str
    convs: tuple[_Conv, _Conv, _Conv]
    downsample: _Conv | None


def _stem(config: ResNetConfig) -> _Conv:
    return _Conv("conv1", "bn1", 3, config.width, 7, 2)


def _blocks(config: ResNetConfig) -> Iterator[_Block]:
    channels = config.width
    for stage, count in enumerate(config.layers):
        width = config.width << stage
        for index in range(count):
            name = f"layer{stage + 1}.{index}"
            stride = 2 if stage and not index else 1
            out = width * _EXPANSION
            first, second = (stride, 1) if config.stride_on_first else (1, stride)
            convs = (
                _Conv(f"{name}.conv1", f"{name}.bn1", channels, width, 1, first),
                _Conv(f"{name}.conv2", f"{name}.bn2", width, width, 3, second),
                _Conv(f"{name}.conv3", f"{name}.bn3", width, out, 1, gamma=_LAST_GAMMA),
            )
            down = f"{name}.downsample"
            shortcut = None if index else _Conv(f"{down}.0", f"{down}.1", channels, out, 1, stride)
            yield _Block(name, convs, shortcut)
            channels = out


def _convs(config: ResNetConfig) -> Iterator[_Conv]:
    yield _stem(config)
    for block in _blocks(config):
        yield from block.convs
        if block.downsample is not None:
            yield block.downsample


def parameters(config: ResNetConfig) -> dict[str, Param]:
    """Arrays before folding: 25,557,032 trained numbers at full size."""
    table: dict[str, Param] = {}
    for conv in _convs(config):
        fan_in = conv.inputs * conv.kernel**2
        shape = (conv.outputs, conv.inputs, conv.kernel, conv.kernel)
        table[f"{conv.conv}.weight"] = Param(shape, math.sqrt(2.0 / fan_in), centered=True)
        one = (conv.outputs,)
        table[f"{conv.bn}.weight"] = Param(one, 0.05 * conv.gamma, conv.gamma)
        table[f"{conv.bn}.bias"] = Param(one, 0.05)
        table[f"{conv.bn}.running_mean"] = Param(one, 0.05, trained=False)
        table[f"{conv.bn}.running_var"] = Param(one, 0.1, 1.0, trained=False)
    features = (config.width << 3) * _EXPANSION
    std = _HEAD_GAIN / math.sqrt(features)
    head = Param((config.classes, features), std, centered=True, draw=config.head_draw)
    table["fc.weight"] = head
    table["fc.bias"] = Param((config.classes,), 0.01)
    return table


def build(config: ResNetConfig, weights: Weights, opset: int) -> onnx.ModelProto:
    """The evaluation graph: each BatchNorm folded into its convolution, as exporters do."""
    return _Builder(config, weights, opset).model()


class _Builder:
    def __init__(self, config: ResNetConfig, weights: Weights, opset: int) -> None:
        self._config = config
        self._table = parameters(config)
        self._weights = weights
        self._graph = Graph("resnet50", opset)

    def model(self) -> onnx.ModelProto:
        graph, config = self._graph, self._config
        image = ("batch", 3, config.image, config.image)
        x = graph.input("pixel_values", image, TensorProto.FLOAT)
        x = graph.node("Relu", [self._conv(x, _stem(config))], "relu1")
        x = graph.node(
            "MaxPool", [x], "maxpool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]
        )
        for block in _blocks(config):
            x = self._block(x, block)
        x = graph.node("GlobalAveragePool", [x], "avgpool")
        x = graph.node("Flatten", [x], "flatten", axis=1)
        weight = graph.constant("fc.weight", self._get("fc.weight"))
        bias = graph.constant("fc.bias", self._get("fc.bias"))
        x = graph.node("Gemm", [x, weight, bias], "fc", transB=1)
        graph.output(x, "logits", ("batch", config.classes))
        return graph.finish()

    def _get(self, name: str) -> FloatArray:
        return self._weights.get(name, self._table[name])

    def _block(self, x: str, block: _Block) -> str:
        graph = self._graph
        y = x
        for index, conv in enumerate(block.convs, 1):
            y = self._conv(y, conv)
            if index < len(block.convs):
                y = graph.node("Relu", [y], f"{block.name}.relu{index}")
        shortcut = x if block.downsample is None else self._conv(x, block.downsample)
        y = graph.node("Add", [y, shortcut], f"{block.name}.add")
        return graph.node("Relu", [y], f"{block.name}.relu3")

    def _conv(self, x: str, conv: _Conv) -> str:
        weight, bias = self._folded(conv)
        pad = conv.kernel // 2
        inputs = [
            x,
            self._graph.constant(f"{conv.conv}.weight", weight),
            self._graph.constant(f"{conv.conv}.bias", bias),
        ]
        return self._graph.node(
            "Conv",
            inputs,
            conv.conv,
            kernel_shape=[conv.kernel] * 2,
            strides=[conv.stride] * 2,
            pads=[pad] * 4,
        )

    def _folded(self, conv: _Conv) -> tuple[FloatArray, FloatArray]:
        gamma, beta = self._get(f"{conv.bn}.weight"), self._get(f"{conv.bn}.bias")
        mean, var = self._get(f"{conv.bn}.running_mean"), self._get(f"{conv.bn}.running_var")
        scale = gamma / np.sqrt(var + np.float32(_BN_EPS))
        weight = self._get(f"{conv.conv}.weight") * scale[:, None, None, None]
        return weight, beta - mean * scale
