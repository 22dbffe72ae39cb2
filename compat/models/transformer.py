"""The encoder block that ViT and both CLIP towers share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from compat.models.graph import Graph
from compat.models.weights import FloatArray, Param, Weights

__all__ = [
    "BlockNames",
    "Encoder",
    "Width",
    "block_parameters",
    "linear_parameters",
    "norm_parameters",
]

# Queries and keys are drawn wider than the rest: with 0.02 everywhere an untrained softmax is
# nearly uniform, and neither fp16 nor int8 would have an attention worth comparing.
_QK_GAIN = 1.2


@dataclass(frozen=True, slots=True)
class Width:
    """The sizes of a tower."""

    dim: int
    depth: int
    heads: int
    mlp: int
    eps: float
    activation: Literal["gelu", "quick-gelu"]


@dataclass(frozen=True, slots=True)
class BlockNames:
    """Where a library's state dict keeps the parts of block {i}."""

    query: str
    key: str
    value: str
    out: str
    norm1: str
    norm2: str
    up: str
    down: str

    def at(self, index: int) -> BlockNames:
        """The names of block `index`."""
        fields = {name: getattr(self, name).format(i=index) for name in self.__slots__}
        return BlockNames(**fields)


def linear_parameters(
    name: str, outputs: int, inputs: int, gain: float = 1.0, *, bias: bool = True
) -> dict[str, Param]:
    """Weight [outputs, inputs] that keeps the variance of its input, times gain squared."""
    table = {f"{name}.weight": Param((outputs, inputs), gain * inputs**-0.5)}
    if bias:
        table[f"{name}.bias"] = Param((outputs,), 0.02)
    return table


def norm_parameters(name: str, dim: int) -> dict[str, Param]:
    """Scale and shift of a LayerNormalization."""
    return {f"{name}.weight": Param((dim,), 0.05, 1.0), f"{name}.bias": Param((dim,), 0.02)}


def block_parameters(names: BlockNames, width: Width) -> dict[str, Param]:
    """Arrays of all blocks of a tower."""
    dim = width.dim
    table: dict[str, Param] = {}
    for index in range(width.depth):
        at = names.at(index)
        table |= norm_parameters(at.norm1, dim) | norm_parameters(at.norm2, dim)
        table |= linear_parameters(at.query, dim, dim, _QK_GAIN)
        table |= linear_parameters(at.key, dim, dim, _QK_GAIN)
        table |= linear_parameters(at.value, dim, dim) | linear_parameters(at.out, dim, dim)
        table |= linear_parameters(at.up, width.mlp, dim)
        table |= linear_parameters(at.down, dim, width.mlp)
    return table


class Encoder:
    """Writes pre-norm blocks over tokens [batch, tokens, dim] into a graph."""

    def __init__(
        self, graph: Graph, weights: Weights, table: Mapping[str, Param], width: Width, tokens: int
    ) -> None:
        self._graph = graph
        self._weights = weights
        self._table = table
        self._width = width
        self._tokens = tokens

    def get(self, name: str) -> FloatArray:
        """The array of this name."""
        return self._weights.get(name, self._table[name])

    def has(self, name: str) -> bool:
        """Is there an array of this name?"""
        return name in self._table

    def norm(self, x: str, name: str) -> str:
        """LayerNormalization over the last axis."""
        weight, bias = self.get(f"{name}.weight"), self.get(f"{name}.bias")
        return self._graph.layer_norm(x, name, weight, bias, self._width.eps)

    def linear(self, x: str, name: str) -> str:
        """The layer of this name, with its bias if it has one."""
        bias = self.get(f"{name}.bias") if self.has(f"{name}.bias") else None
        return self._graph.linear(x, name, self.get(f"{name}.weight"), bias)

    def blocks(self, x: str, names: BlockNames, prefix: str, mask: str | None = None) -> str:
        """Write all blocks; `mask` is added to the attention scores."""
        for index in range(self._width.depth):
            x = self._block(x, names.at(index), f"{prefix}.{index}", mask)
        return x

    def _block(self, x: str, names: BlockNames, prefix: str, mask: str | None) -> str:
        graph = self._graph
        y = self._attention(self.norm(x, names.norm1), names, f"{prefix}.attention", mask)
        x = graph.node("Add", [x, y], f"{prefix}.add_attention")
        y = self.linear(self.norm(x, names.norm2), names.up)
        y = self._activation(y, f"{prefix}.{self._width.activation}")
        return graph.node("Add", [x, self.linear(y, names.down)], f"{prefix}.add_mlp")

    def _attention(self, x: str, names: BlockNames, prefix: str, mask: str | None) -> str:
        graph, width = self._graph, self._width
        scale = graph.scalar((width.dim // width.heads) ** -0.5)
        query = graph.node("Mul", [self.linear(x, names.query), scale], f"{prefix}.scale")
        query = self._split(query, f"{prefix}.query", [0, 2, 1, 3])
        key = self._split(self.linear(x, names.key), f"{prefix}.key", [0, 2, 3, 1])
        value = self._split(self.linear(x, names.value), f"{prefix}.value", [0, 2, 1, 3])
        scores = graph.node("MatMul", [query, key], f"{prefix}.scores")
        if mask is not None:
            scores = graph.node("Add", [scores, mask], f"{prefix}.mask")
        share = graph.node("Softmax", [scores], f"{prefix}.softmax", axis=-1)
        y = graph.node("MatMul", [share, value], f"{prefix}.context")
        y = graph.node("Transpose", [y], f"{prefix}.merge", perm=[0, 2, 1, 3])
        shape = graph.ints(0, self._tokens, width.dim)
        return self.linear(graph.node("Reshape", [y, shape], f"{prefix}.flatten"), names.out)

    def _split(self, x: str, name: str, perm: list[int]) -> str:
        width = self._width
        shape = self._graph.ints(0, self._tokens, width.heads, width.dim // width.heads)
        heads = self._graph.node("Reshape", [x, shape], f"{name}.heads")
        return self._graph.node("Transpose", [heads], f"{name}.transpose", perm=perm)

    def _activation(self, x: str, name: str) -> str:
        graph = self._graph
        if self._width.activation == "quick-gelu":
            gate = graph.node("Mul", [x, graph.scalar(1.702)], f"{name}.scale")
            gate = graph.node("Sigmoid", [gate], f"{name}.sigmoid")
            return graph.node("Mul", [x, gate], name)
        y = graph.node("Div", [x, graph.scalar(2**0.5)], f"{name}.scale")
        y = graph.node("Erf", [y], f"{name}.erf")
        y = graph.node("Add", [y, graph.scalar(1.0)], f"{name}.add_one")
        y = graph.node("Mul", [x, y], f"{name}.gate")
        return graph.node("Mul", [y, graph.scalar(0.5)], name)
