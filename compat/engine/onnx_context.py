"""An ONNX file, walked by its lengths alone: does it carry a TensorRT engine?

ONNX Runtime's TensorRT providers keep an engine in a node ``EPContext``: with ``embed_mode`` 1 as
bytes of the attribute ``ep_cache_context``, with 0 as a file's path.
Source: https://onnxruntime.ai/docs/execution-providers/EP-Context-Design.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compat.engine.bounded import Bounded, UnreadableError

_MAX_FIELDS = 4096  # in all; an EPContext model has a handful of nodes
_VARINT_BYTES = 10
_TEXT_BYTES = 256

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
# Numbers of fields in onnx.proto3.
_IR_VERSION, _GRAPH = 1, 7
_NODE = 1
_OP_TYPE, _ATTRIBUTE = 4, 5
_NAME, _INTEGER, _BYTES = 1, 3, 4


@dataclass(frozen=True, slots=True)
class Onnx:
    """An ONNX model; `engine` is where an embedded engine stands, `path` the one it names.

    `context` tells whether it has a node EPContext, `whole` whether it could be walked to its end.
    """

    facts: dict[str, str]
    engine: tuple[int, int] | None = None
    path: str = ""
    context: bool = False
    whole: bool = True


class _NotProtobufError(Exception):
    """The bytes do not parse."""


@dataclass(frozen=True, slots=True)
class _Field:
    number: int
    wire: int
    value: int
    at: int
    end: int


def read_onnx(source: Bounded, start: int, end: int) -> Onnx | None:
    """Return what an ONNX file carries; None where the bytes are no ONNX model."""
    walk = _Walk(source)
    try:
        fields = walk.fields(start, end)
        first = next(fields, None)
        if first is None or (first.number, first.wire) != (_IR_VERSION, _VARINT):
            return None
        graph = next((one for one in fields if one.number == _GRAPH), None)
        if graph is None or graph.wire != _LENGTH:
            return None
        for node in walk.fields(graph.at, graph.end):
            if (node.number, node.wire) == (_NODE, _LENGTH):
                found = _context(walk, node)
                if found:
                    for _ in fields:  # a file that is cut breaks off here
                        pass
                    return found
    except (_NotProtobufError, UnreadableError):
        return Onnx({}, whole=False) if walk.begins_as_model(start) else None
    return Onnx({})


def _context(walk: _Walk, node: _Field) -> Onnx | None:
    """Return what an EPContext node holds; None for every other node."""
    attributes: dict[str, _Field] = {}
    is_context = False
    for one in walk.fields(node.at, node.end):
        if (one.number, one.wire) == (_OP_TYPE, _LENGTH):
            is_context = walk.text(one) == "EPContext"
        elif (one.number, one.wire) == (_ATTRIBUTE, _LENGTH):
            name, value = _attribute(walk, one)
            if value:
                attributes[name] = value
    if not is_context:
        return None
    facts = {
        name: str(one.value) if one.wire == _VARINT else walk.text(one)
        for name, one in attributes.items()
        if name != "ep_cache_context"
    }
    content = attributes.get("ep_cache_context")
    if content is None or content.wire != _LENGTH:
        return Onnx(facts, context=True)
    if facts.get("embed_mode", "1") == "0":
        return Onnx(facts, path=walk.text(content), context=True)
    return Onnx(facts, engine=(content.at, content.end), context=True)


def _attribute(walk: _Walk, attribute: _Field) -> tuple[str, _Field | None]:
    name, value = "", None
    for one in walk.fields(attribute.at, attribute.end):
        if (one.number, one.wire) == (_NAME, _LENGTH):
            name = walk.text(one)
        elif one.number in (_INTEGER, _BYTES):
            value = one
    return name, value


class _Walk:
    """Protobuf fields by their lengths; only tags and short texts are read."""

    def __init__(self, source: Bounded) -> None:
        self._source, self._left = source, _MAX_FIELDS

    def begins_as_model(self, start: int) -> bool:
        """Tell whether the bytes begin as ONNX files do: a version, then a known field."""
        head = self._source.upto(start, 3)
        return len(head) == 3 and head[0] == 0x08 and head[1] < 0x20 and head[2] in _SECOND_TAGS

    def text(self, one: _Field) -> str:
        """Return the first characters of a text."""
        data = self._source.at(one.at, min(one.end - one.at, _TEXT_BYTES))
        return data.decode("utf-8", "replace")

    def fields(self, place: int, end: int) -> Iterator[_Field]:
        """Yield the fields between two places."""
        while place < end:
            self._left -= 1
            if self._left < 0:
                raise _NotProtobufError
            tag, place = self._varint(place, end)
            wire, value = tag & 7, 0
            if wire == _VARINT:
                value, stop = self._varint(place, end)
            elif wire == _LENGTH:
                value, place = self._varint(place, end)
                stop = place + value
            elif wire in (_FIXED64, _FIXED32):
                stop = place + (8 if wire == _FIXED64 else 4)
            else:
                raise _NotProtobufError
            if stop > end:
                raise _NotProtobufError
            yield _Field(tag >> 3, wire, value, place, stop)
            place = stop

    def _varint(self, place: int, end: int) -> tuple[int, int]:
        data = self._source.upto(place, min(_VARINT_BYTES, end - place))
        value = 0
        for index, byte in enumerate(data):
            value |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                return value, place + index + 1
        raise _NotProtobufError


# producer_name, producer_version, domain, model_version, doc_string, graph, opset_import
_SECOND_TAGS = frozenset((0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42))
