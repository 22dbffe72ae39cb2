"""fp32 ONNX to strongly typed fp16 ONNX, with the operators that need range or exact integers kept.

What stays fp32 and why: normalisations and reductions (sums of squares leave fp16's range and its
11 bits), everything that counts or orders (ArgMax, TopK, Range over token ids: 49,407 is not a
fp16 number). Softmax goes to fp16: keeping it in fp32 changed the relative L2 error of the CLIP
image tower by less than 1 % (2.823e-3 to 2.816e-3 in ONNX Runtime), and an fp32 softmax between
fp16 products would put two casts into every attention. Inputs and outputs keep their types, so
that one set of feeds and golden outputs serves every precision.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence

import onnx
from onnx import TensorProto

from compat.models.nodelist import denied_nodes

__all__ = ["name_nodes", "sensitive_nodes", "to_fp16"]

_FP16_MAX = 65504.0
_FP16_TINY = 5.96e-08

_SENSITIVE = {
    "ArgMax",
    "ArgMin",
    "CumSum",
    "GroupNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "LogSoftmax",
    "LpNormalization",
    "MeanVarianceNormalization",
    "RMSNormalization",
    "Range",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMean",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "TopK",
}


def to_fp16(
    model: onnx.ModelProto, deny: Sequence[str] = (), allow: Sequence[str] = ()
) -> tuple[onnx.ModelProto, tuple[str, ...]]:
    """Return the converted model and the names of the nodes that stayed fp32.

    `deny` are node names or operator types to keep on the user's word, `allow` the only ones to
    convert.
    """
    from onnxconverter_common import float16  # noqa: PLC0415  # not needed where all is cached

    name_nodes(model.graph)
    own = {node.name for node in model.graph.node}
    blocked = sorted(sensitive_nodes(model.graph) | denied_nodes(model.graph, deny, allow))
    with warnings.catch_warnings():
        # One warning for every weight below fp16's smallest number: rounding to zero is the point.
        warnings.simplefilter("ignore")
        converted: onnx.ModelProto = float16.convert_float_to_float16(
            model,
            min_positive_val=_FP16_TINY,
            max_finite_val=_FP16_MAX,
            keep_io_types=True,
            op_block_list=sorted(set(float16.DEFAULT_OP_BLOCK_LIST)),
            node_block_list=blocked,
        )
    _join_casts(converted.graph, own)
    return converted, tuple(blocked)


def name_nodes(graph: onnx.GraphProto) -> None:
    """Give unnamed nodes a name: lists of nodes to keep, and messages, go by name."""
    taken = {node.name for node in graph.node}
    for index, node in enumerate(graph.node):
        if not node.name:
            name = f"{node.op_type}_{index}"
            while name in taken:
                name += "_"
            node.name = name
            taken.add(name)


def sensitive_nodes(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that stay fp32 whatever the user says (see the top of this file)."""
    kept = {node.name for node in graph.node if node.op_type in _SENSITIVE}
    kept |= {node.name for node in graph.node if _casts_to_float(node)}
    return kept | _decomposed_norms(graph)


def _casts_to_float(node: onnx.NodeProto) -> bool:
    """A Cast to FLOAT is kept: it carries token ids or counts that fp16 cannot hold."""
    return _casts_to(node, TensorProto.FLOAT)


def _casts_to(node: onnx.NodeProto, elem_type: int) -> bool:
    if node.op_type != "Cast":
        return False
    return any(a.name == "to" and a.i == elem_type for a in node.attribute)


def _decomposed_norms(graph: onnx.GraphProto) -> set[str]:
    """Nodes of LayerNormalization as opset 16 spells it, found from its Sqrt backwards.

    ReduceMean -> Sub -> Mul or Pow -> ReduceMean -> Add -> Sqrt -> Div.
    """
    producer = {out: node for node in graph.node for out in node.output}
    found: set[str] = set()
    for root in graph.node:
        if root.op_type != "Sqrt":
            continue
        chain, ok = [root], True
        for allowed in ({"Add"}, {"ReduceMean"}, {"Mul", "Pow"}, {"Sub"}):
            step = _first(producer.get(name) for name in chain[-1].input)
            if step is None or step.op_type not in allowed:
                ok = False
                break
            chain.append(step)
        if ok:
            ends = {chain[0].output[0]}
            divisions = {n.name for n in graph.node if n.op_type == "Div" and ends & set(n.input)}
            found |= {node.name for node in chain} | divisions
    return found


def _join_casts(graph: onnx.GraphProto, own: set[str]) -> None:
    """Let fp32 neighbours pass fp32: drop the converter's detours fp32 -> fp16 -> fp32.

    Casts that the model had before (`own`) are left alone.
    """
    narrowed = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.name not in own and _casts_to(node, TensorProto.FLOAT16)
    }
    direct = {
        node.output[0]: narrowed[node.input[0]]
        for node in graph.node
        if node.name not in own and _casts_to(node, TensorProto.FLOAT) and node.input[0] in narrowed
    }
    for node in graph.node:
        for index, tensor in enumerate(node.input):
            if tensor in direct:
                node.input[index] = direct[tensor]
    while dead := _unused_casts(graph):
        for node in dead:
            graph.node.remove(node)


def _unused_casts(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    used = {name for node in graph.node for name in node.input} | {o.name for o in graph.output}
    return [n for n in graph.node if n.op_type == "Cast" and used.isdisjoint(n.output)]


def _first(nodes: Iterable[onnx.NodeProto | None]) -> onnx.NodeProto | None:
    return next((node for node in nodes if node is not None), None)
