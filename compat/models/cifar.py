"""The two networks for 32x32 images whose trained weights a package registry has.

ResNet-56 (He et al. 2015, section 4.2, with a projection where a stage begins) and VGG-16 with
BatchNorm (Simonyan 2014), names as in their state dicts. Every BatchNorm is folded.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto

from compat.models.graph import Graph
from compat.models.weights import FloatArray, Param, Weights

__all__ = ["build_resnet56", "build_vgg16"]

_IMAGE = ("batch", 3, 32, 32)
_CLASSES = 10
_BLOCKS = 9
_EPS = 1e-5
# Filters per convolution and, after each group, a pooling that halves the image.
_VGG = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def build_resnet56(weights: Weights, opset: int) -> onnx.ModelProto:
    """55 convolutions and a classifier on [batch, 3, 32, 32]."""
    net = _Net("resnet56", weights, opset)
    x = net.relu(net.conv(net.image, "conv1", "bn1", 3, 16), "relu1")
    inputs = 16
    for stage, outputs in enumerate((16, 32, 64), 1):
        for index in range(_BLOCKS):
            stride = 2 if stage > 1 and not index else 1
            x = _block(net, x, f"layer{stage}.{index}", inputs, outputs, stride)
            inputs = outputs
    x = net.graph.node("GlobalAveragePool", [x], "avgpool")
    x = net.graph.node("Flatten", [x], "flatten", axis=1)
    return net.classify(x, "linear", inputs)


def _block(net: _Net, x: str, name: str, inputs: int, outputs: int, stride: int) -> str:
    y = net.conv(x, f"{name}.conv1", f"{name}.bn1", inputs, outputs, stride)
    y = net.relu(y, f"{name}.relu1")
    y = net.conv(y, f"{name}.conv2", f"{name}.bn2", outputs, outputs)
    if stride > 1:
        cut = f"{name}.shortcut"
        x = net.conv(x, f"{cut}.0", f"{cut}.1", inputs, outputs, stride, kernel=1)
    return net.relu(net.graph.node("Add", [y, x], f"{name}.add"), f"{name}.relu2")


def build_vgg16(weights: Weights, opset: int) -> onnx.ModelProto:
    """13 convolutions, one hidden layer and a classifier on [batch, 3, 32, 32]."""
    net = _Net("vgg16", weights, opset)
    x, inputs, index = net.image, 3, 0
    for group, filters in enumerate(_VGG, 1):
        for outputs in filters:
            name, norm = f"features.{index}", f"features.{index + 1}"
            x = net.relu(net.conv(x, name, norm, inputs, outputs, biased=True), f"{name}.relu")
            inputs, index = outputs, index + 4
        x = net.graph.node(
            "MaxPool", [x], f"pool{group}", kernel_shape=[2, 2], strides=[2, 2], pads=[0] * 4
        )
    x = net.graph.node("Flatten", [x], "flatten", axis=1)
    x = net.relu(net.dense(x, "classifier.1", "classifier.2", inputs, 512), "classifier.relu")
    return net.classify(x, "classifier.5", 512)


class _Net:
    """A graph that takes its arrays from trained weights."""

    def __init__(self, name: str, weights: Weights, opset: int) -> None:
        self.graph = Graph(name, opset)
        self.image = self.graph.input("pixel_values", _IMAGE, TensorProto.FLOAT)
        self._weights = weights

    def _get(self, name: str, *shape: int) -> FloatArray:
        return self._weights.get(name, Param(shape))

    def relu(self, x: str, name: str) -> str:
        return self.graph.node("Relu", [x], name)

    def conv(
        self,
        x: str,
        name: str,
        norm: str,
        inputs: int,
        outputs: int,
        stride: int = 1,
        *,
        kernel: int = 3,
        biased: bool = False,
    ) -> str:
        """A convolution with its BatchNorm."""
        scale, shift = self._norm(norm, outputs)
        if biased:
            shift = shift + self._get(f"{name}.bias", outputs) * scale
        weight = self._get(f"{name}.weight", outputs, inputs, kernel, kernel)
        return self.graph.node(
            "Conv",
            [
                x,
                self.graph.constant(f"{name}.weight", weight * scale[:, None, None, None]),
                self.graph.constant(f"{name}.bias", shift),
            ],
            name,
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[kernel // 2] * 4,
        )

    def dense(self, x: str, name: str, norm: str, inputs: int, outputs: int) -> str:
        """A linear layer with its BatchNorm."""
        scale, shift = self._norm(norm, outputs)
        weight = self._get(f"{name}.weight", outputs, inputs) * scale[:, None]
        return self._gemm(x, name, weight, self._get(f"{name}.bias", outputs) * scale + shift)

    def classify(self, x: str, name: str, inputs: int) -> onnx.ModelProto:
        """The last layer, and the graph closed behind it."""
        weight = self._get(f"{name}.weight", _CLASSES, inputs)
        x = self._gemm(x, name, weight, self._get(f"{name}.bias", _CLASSES))
        self.graph.output(x, "logits", ("batch", _CLASSES))
        return self.graph.finish()

    def _gemm(self, x: str, name: str, weight: FloatArray, bias: FloatArray) -> str:
        names = [self.graph.constant(f"{name}.weight", weight)]
        names.append(self.graph.constant(f"{name}.bias", bias))
        return self.graph.node("Gemm", [x, *names], name, transB=1)

    def _norm(self, name: str, size: int) -> tuple[FloatArray, FloatArray]:
        """BatchNorm in evaluation as scale and shift."""
        gamma, beta = self._get(f"{name}.weight", size), self._get(f"{name}.bias", size)
        mean = self._get(f"{name}.running_mean", size)
        var = self._get(f"{name}.running_var", size)
        scale = gamma / np.sqrt(var + np.float32(_EPS))
        return scale, beta - mean * scale
