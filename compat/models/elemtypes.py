"""Which types a graph really computes in: counted from the graph, not from what was asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import onnx
from onnx import TensorProto

__all__ = ["TypeCount", "count_types", "weight_bearing"]

_WEIGHTED_INPUT = {"Conv": 1, "ConvTranspose": 1, "Gemm": 1, "MatMul": 1}
# Operators that hand a constant on without computing with it.
_CARRIERS = {"Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze"}


@dataclass(frozen=True, slots=True)
class TypeCount:
    """`types`: weight-bearing operators per type, e.g. {"FLOAT16": 53}; `nodes`: name to type."""

    types: Mapping[str, int]
    nodes: Mapping[str, str]

    def share(self, name: str) -> float:
        """The part of the weight-bearing operators that runs in type `name`; 0.0 without any."""
        total = sum(self.types.values())
        return self.types.get(name, 0) / total if total else 0.0

    def outside(self, name: str) -> tuple[str, ...]:
        """The nodes that run in another type."""
        return tuple(node for node, found in self.nodes.items() if found != name)


def weight_bearing(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Conv, MatMul and Gemm nodes with a constant operand; attention's products have none."""
    tracer = _Tracer(graph)
    return [node for node in graph.node if tracer.weight_type(node)]


def count_types(graph: onnx.GraphProto) -> TypeCount:
    """Type per weight-bearing node: INT8 only where data and weight both come dequantized."""
    tracer = _Tracer(graph)
    nodes: dict[str, str] = {}
    for index, node in enumerate(graph.node):
        found = tracer.weight_type(node)
        if found:
            nodes[node.name or f"{node.op_type}_{index}"] = found
    return TypeCount(dict(sorted(Counter(nodes.values()).items())), nodes)


class _Tracer:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self._constants = {item.name: item.data_type for item in graph.initializer}
        self._producer = {out: node for node in graph.node for out in node.output}

    def weight_type(self, node: onnx.NodeProto) -> str:
        """The type's ONNX name, or "" where the node has no constant operand."""
        if node.op_type not in _WEIGHTED_INPUT or len(node.input) < 2:
            return ""
        data, weight = node.input[0], node.input[_WEIGHTED_INPUT[node.op_type]]
        found, quantized = self._constant_type(weight)
        if not found and node.op_type in {"MatMul", "Gemm"}:
            data, weight = weight, data
            found, quantized = self._constant_type(weight)
        if quantized and not self._dequantized(data):
            return "FLOAT"
        return found

    def _constant_type(self, tensor: str) -> tuple[str, bool]:
        """(type, quantized) of a tensor that rests on an initializer alone."""
        if tensor in self._constants:
            return _type_name(self._constants[tensor]), False
        node = self._producer.get(tensor)
        return self._produced_type(node) if node is not None else ("", False)

    def _produced_type(self, node: onnx.NodeProto) -> tuple[str, bool]:
        if node.op_type == "Constant":
            return _constant_node_type(node), False
        if node.op_type == "DequantizeLinear":
            return self._quantized_type(node), bool(self._quantized_type(node))
        if node.op_type == "Cast":
            found, _ = self._constant_type(node.input[0])
            return (_type_name(_attribute(node, "to")), False) if found else ("", False)
        if node.op_type in _CARRIERS:
            return self._constant_type(node.input[0])
        return "", False

    def _quantized_type(self, dequantize: onnx.NodeProto) -> str:
        source = dequantize.input[0]
        if source in self._constants:
            return _type_name(self._constants[source])
        node = self._producer.get(source)
        if node is None or node.op_type != "QuantizeLinear":
            return ""
        if not self._constant_type(node.input[0])[0]:
            return ""
        zero_point = self._constants.get(node.input[2]) if len(node.input) > 2 else None
        return _type_name(zero_point) if zero_point else "UINT8"

    def _dequantized(self, tensor: str) -> bool:
        node = self._producer.get(tensor)
        while node is not None and node.op_type in _CARRIERS:
            node = self._producer.get(node.input[0])
        return node is not None and node.op_type == "DequantizeLinear"


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((int(a.i) for a in node.attribute if a.name == name), 0)


def _constant_node_type(node: onnx.NodeProto) -> str:
    for attribute in node.attribute:
        if attribute.name == "value":
            return _type_name(attribute.t.data_type)
    return ""


def _type_name(elem_type: int) -> str:
    return str(TensorProto.DataType.Name(elem_type))
