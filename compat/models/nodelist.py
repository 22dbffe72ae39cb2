"""The user's lists of nodes that keep fp32: by name or operator type, resolved in the graph."""

from __future__ import annotations

import re
from collections.abc import Sequence

import onnx

from compat.models.errors import ModelError
from compat.models.names import nearest
from compat.prepared import NodeList

__all__ = ["denied_nodes", "listed"]


def denied_nodes(
    graph: onnx.GraphProto, deny: Sequence[str], allow: Sequence[str] = ()
) -> set[str]:
    """Return the names of the nodes to keep: those of `deny`, or all but those of `allow`.

    Raises:
        ModelError: an entry is neither the name of a node nor an operator type of the graph.
    """
    key, entries = ("low-precision-nodes", allow) if allow else ("fp32-nodes", deny)
    names, types = _names(graph), {node.op_type for node in graph.node}
    for entry in entries:
        if entry not in names | types:
            raise ModelError(
                "unknown-node",
                f"{key}: the model has no node and no operator type {entry!r}"
                f"{nearest(entry, names | types)}.",
            )
    chosen = set(_chosen(graph, entries))
    return names - chosen if allow else chosen


def listed(graph: onnx.GraphProto, deny: Sequence[str], allow: Sequence[str]) -> NodeList:
    """Return the list as a builder is told it, entries that the graph lacks included.

    What a parser makes of a graph is not the graph: the builder has the last word on a name.
    """
    names = _chosen(graph, allow or deny)
    others = {
        node
        for node in _names(graph) - set(names)
        if (numbered := re.fullmatch(r"(.+)_\d+", node)) and numbered[1] in names
    }
    return NodeList(
        "low-precision-nodes" if allow else "fp32-nodes", tuple(names), tuple(sorted(others))
    )


def _names(graph: onnx.GraphProto) -> set[str]:
    return {node.name for node in graph.node}


def _chosen(graph: onnx.GraphProto, entries: Sequence[str]) -> list[str]:
    """Return node names, an operator type replaced by the names of its nodes."""
    types = {node.op_type for node in graph.node}
    found: dict[str, None] = {}
    for entry in entries:
        of_type = [node.name for node in graph.node if node.op_type == entry]
        found.update(dict.fromkeys(of_type if entry in types else [entry]))
    return list(found)
