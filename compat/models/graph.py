"""A small writer of ONNX graphs: readable node names, opset 17 or an opset-16 form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compat.models.weights import FloatArray

__all__ = ["Graph"]

# IR 8 is what ONNX 1.12 (TensorRT 8.5 and 8.6) reads; newer IR versions add nothing we use.
_IR_VERSION = 8


class Graph:
    """Collects nodes and constants; every method returns the name of the tensor it made."""

    def __init__(self, name: str, opset: int) -> None:
        self.opset = opset
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str], elem_type: int) -> str:
        """Declare an input."""
        self._inputs.append(helper.make_tensor_value_info(name, elem_type, list(shape)))
        return name

    def output(self, tensor: str, name: str, shape: Sequence[int | str]) -> None:
        """Give the last node's tensor its public name."""
        last = self._nodes[-1]
        assert last.output[0] == tensor, "an output is the last node that was added"
        last.output[0] = name
        info = helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
        self._outputs.append(info)

    def constant(self, name: str, values: NDArray[np.generic]) -> str:
        """Add an initializer once, by name."""
        if name not in self._constants:
            array = np.asarray(values, order="C")
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        """A shared 1-D INT64 constant, as shapes, axes and indices are."""
        name = "ints_" + "_".join(str(v) for v in values).replace("-", "m")
        return self.constant(name, np.array(values, np.int64))

    def scalar(self, value: float) -> str:
        """A shared FLOAT constant of rank 0."""
        return self.constant(f"scalar_{value:g}", np.array(value, np.float32))

    def node(
        self, op: str, inputs: Sequence[str], name: str, **attributes: int | float | Sequence[int]
    ) -> str:
        """Add a node whose only output is named after it."""
        output = f"{name}_out"
        self._nodes.append(_node(op, inputs, output, name, attributes))
        return output

    def linear(self, x: str, name: str, weight: FloatArray, bias: FloatArray | None) -> str:
        """Multiply tokens by weight.T, add the bias; `weight` is [out, in] as PyTorch keeps it."""
        y = self.node("MatMul", [x, self.constant(f"{name}.weight", weight.T)], name)
        if bias is None:
            return y
        return self.node("Add", [y, self.constant(f"{name}.bias", bias)], f"{name}.add_bias")

    def layer_norm(
        self, x: str, name: str, weight: FloatArray, bias: FloatArray, eps: float
    ) -> str:
        """Normalise the last axis; below opset 17 by the operators that exist there."""
        scale = self.constant(f"{name}.weight", weight)
        shift = self.constant(f"{name}.bias", bias)
        if self.opset >= 17:
            inputs = [x, scale, shift]
            return self.node("LayerNormalization", inputs, name, axis=-1, epsilon=eps)
        mean = self.node("ReduceMean", [x], f"{name}.mean", axes=[-1], keepdims=1)
        delta = self.node("Sub", [x, mean], f"{name}.delta")
        square = self.node("Mul", [delta, delta], f"{name}.square")
        variance = self.node("ReduceMean", [square], f"{name}.variance", axes=[-1], keepdims=1)
        safe = self.node("Add", [variance, self.scalar(eps)], f"{name}.add_eps")
        deviation = self.node("Sqrt", [safe], f"{name}.deviation")
        normal = self.node("Div", [delta, deviation], f"{name}.normal")
        scaled = self.node("Mul", [normal, scale], f"{name}.scale")
        return self.node("Add", [scaled, shift], f"{name}.shift")

    def batch_size(self, x: str) -> str:
        """The first dimension of `x` as a 1-D INT64 tensor."""
        shape = self.node("Shape", [x], "batch.shape")
        return self.node("Gather", [shape, self.ints(0)], "batch.size", axis=0)

    def finish(self) -> onnx.ModelProto:
        """Close the graph."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._constants.values())
        )
        opset = helper.make_opsetid("", self.opset)
        return helper.make_model(
            graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="trt-compat"
        )


def _node(
    op: str,
    inputs: Sequence[str],
    output: str,
    name: str,
    attributes: Mapping[str, int | float | Sequence[int]],
) -> onnx.NodeProto:
    node = helper.make_node(op, list(inputs), [output], name=name)
    node.attribute.extend(helper.make_attribute(key, attributes[key]) for key in sorted(attributes))
    return node
