"""What precision each layer really got, read from a builder's verbose log or an inspector's JSON.

With ``ProfilingVerbosity.DETAILED`` the builder prints the same lines that the engine inspector
gives, and it prints them where no GPU can load the engine. Seen: ``Format/Datatype: Row major
linear FP32`` (inspector of TensorRT 8), ``Format/Datatype: Half`` in TensorRT-RTX 1.4, ``Datatype:
Half`` in 1.7. The log of TensorRT 8 has a line per layer instead, with types before the shapes:
``Layer(CaskConvolution): conv1, Tactic: 0x.., x (Float[-1,3,32,32]) -> y (Half[-1,8,32,32])``.

A ``ForeignNode`` is a whole region that TensorRT compiled as one: of its types only those at its
edges are told, and nothing can be said of the inside. (With 8.6.0 all of ViT-B/16 with Q/DQ nodes
was three entries, each fp16 by its types; in a later build three layers and one such region.)
"""

import json
import re
from typing import Any, Dict, Iterable, Iterator

_DATATYPE = re.compile(r"(?:Format/)?Datatype: ([^,}\]]+)|\((\w+)\[")
# By the layer's own name: the names of reformats beside a region hold the region's name.
_REGION = "{ForeignNode["
_REGION_LINE = re.compile(r"(?:Layer\(.*?\)|Name): " + re.escape(_REGION))
#: What a region counts as.
FUSED = "fused"
_HEADINGS = ("Layers:", "Engine Layer Information:")
# Narrowest first: a layer that reads int8 and writes half computes in int8.
_NARROWEST_FIRST = (
    ("FP4", re.compile(r"\bFP4\b")),
    ("Int4", re.compile(r"\b(Int4|INT4)\b")),
    ("FP8", re.compile(r"\bFP8\b")),
    ("Int8", re.compile(r"\b(Int8|INT8)\b")),
    ("BFloat16", re.compile(r"\b(BFloat16|BF16)\b")),
    ("Half", re.compile(r"\b(Half|FP16)\b")),
    ("Float", re.compile(r"\b(Float|FP32)\b")),
)
_EXPECTED = {
    "fp16": "Half",
    "bf16": "BFloat16",
    "int8": "Int8",
    "int8-calibrated": "Int8",
    "fp8": "FP8",
}


def layer_types(messages: Iterable[str]) -> Dict[str, int]:
    """Count the engine's layers by the narrowest floating or quantized type they touch.

    Args:
        messages: the builder's log messages; the one that holds the engine's layers is read.

    Returns:
        Type name as newer releases print it -> number of layers; empty if no list was printed.
    """
    counts: Dict[str, int] = {}
    for message in messages:
        if not message.startswith(_HEADINGS):
            continue
        for line in message.splitlines()[1:]:
            found = " | ".join(first or second for first, second in _DATATYPE.findall(line))
            _count(found, counts, bool(_REGION_LINE.match(line)))
    return counts


def layer_types_of_json(text: str) -> Dict[str, int]:
    """Count the layers of ``EngineInspector.get_engine_information(JSON)`` by the same rule.

    Shapes seen: TensorRT 8 has ``"Format/Datatype": "Row major linear FP32"`` on each tensor, 10
    ``"Format/Datatype": "Half"``, newer ones a ``"Datatype"`` beside ``"Format"``. An engine that
    was not built with detailed verbosity has layers that are only names, and counts nothing.

    Raises:
        ValueError: the text is no JSON.
    """
    counts: Dict[str, int] = {}
    # 8.6.0 puts bare control characters between the names of fused ONNX layers.
    document = json.loads(text, strict=False)
    for layer in document.get("Layers", []) if isinstance(document, dict) else []:
        name = str(layer.get("Name", "")) if isinstance(layer, dict) else str(layer)
        _count(" | ".join(_datatypes(layer)), counts, name.startswith(_REGION))
    return counts


def _datatypes(value: Any) -> Iterator[str]:
    """Yield the types of all tensors below a layer."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name in ("Format/Datatype", "Datatype"):
                yield str(below)
            else:
                yield from _datatypes(below)
    elif isinstance(value, list):
        for below in value:
            yield from _datatypes(below)


def _count(found: str, counts: Dict[str, int], region: bool) -> None:
    """Count one layer by the narrowest of its types."""
    for name, pattern in _NARROWEST_FIRST:
        if pattern.search(found):
            told = FUSED if region else name
            counts[told] = counts.get(told, 0) + 1
            return


def precision_is_there(precision: str, counts: Dict[str, int]) -> bool:
    """Tell whether an engine that should be of `precision` has any layer of it.

    True where nothing can be said: no layer list, a region that hides its types, or a precision
    that every engine has.
    """
    expected = _EXPECTED.get(precision)
    return expected is None or not counts or bool(counts.get(expected) or counts.get(FUSED))
