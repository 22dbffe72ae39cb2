"""What a parser or builder says beside its result: a catalogue of messages, as data.

The engine is built all the same, so these are no refusals (``refusals.py``); they say what the
engine is not. Numbers, names and line numbers change between releases and never stand in a pattern.
"""

import re
from typing import Dict, Iterable, List, NamedTuple, Tuple


class Notice(NamedTuple):
    """One kind of message. The first row whose pattern is found in a message speaks."""

    kind: str
    pattern: str
    meaning: str
    remedy: str
    seen: str


NOTICES = (
    Notice(
        "precision-fallback",
        r"[Mm]issing (int8 )?scale|fall back to non-int8"
        r"|No implementation of layer .*obeys the requested"
        r"|no conforming implementation was found"
        r"|precision and output precision types are ignored|Using fastest implementation instead",
        "layers run in another precision than the one that was asked for",
        "look at the engine's layer types; calibrate on inputs that reach every tensor, or put "
        "Q/DQ nodes around these layers",
        "NVIDIA/TensorRT#2462 #2407 #3659 #4058; strings of libnvinfer 8.6.0",
    ),
    Notice(
        "workspace-small",
        r"(in)?sufficient workspace|insuf+icient memory on requested size"
        r"|[Mm]emory is insufficient to use tactic|[Tt]ry (in|de)creasing the workspace size",
        "faster tactics were passed over because they need more memory than the builder may use",
        "raise [build] workspace, or give the builder a GPU that is free; a build with other "
        "memory can choose other tactics",
        "NVIDIA/TensorRT#4136; ultralytics/yolov5#12248; strings of libnvinfer 8.6.0",
    ),
    Notice(
        "subnormal-weights",
        r"weights are affected by this issue|subnormal FP16 value|would overflow in FP16",
        "weights are too small or too large for fp16 and were changed",
        "compare the accuracy with fp32; keep the layers with such weights in fp32, or use bf16",
        "seen here with TensorRT 8.5.2, 8.5.3 and 8.6.0",
    ),
    Notice(
        "layernorm-fp16",
        r"layernorm nodes in FP16|layernorm after self-attention",
        "layer normalization is computed in fp16, which can overflow",
        "export with opset 17 or later and build with 8.6 or later, or keep these layers in fp32",
        "NVIDIA/TensorRT#2781 #3692; strings of libnvinfer 8.6.0",
    ),
    Notice(
        "unsupported-op",
        r"No importer registered for op|Unsupported ONNX data type"
        r"|is not supported by TensorRT|[Uu]nsupported op\b",
        "the parser does not know an operator, a type or an attribute of the model",
        "use a newer TensorRT, export with another opset, or give a plugin for the operator",
        "strings of libnvonnxparser 8.6.0 and of TensorRT-RTX 1.7",
    ),
    Notice(
        "int64-cast",
        r"generated with INT64 weights|outside the range of INT32 was clamped",
        "this TensorRT has no INT64: the model's INT64 weights were cast to INT32",
        "nothing to do for shapes and indices below 2**31; TensorRT 10 keeps INT64",
        "seen here with TensorRT 8.5.2, 8.5.3 and 8.6.0",
    ),
    Notice(
        "timing-cache",
        r"invalid timing cache|Timing cache header mismatch|incoming ITimingCache"
        r"|deserialize timing cache",
        "the timing cache could not be used, so every tactic was timed anew",
        "delete the cache: it belongs to one TensorRT version and one GPU",
        "NVIDIA/TensorRT#1441 #1221; strings of libnvinfer 8.6.0 and of TensorRT-RTX 1.7",
    ),
    Notice(
        "fewer-tactics",
        r"Disabling external tactic sources",
        "version or hardware compatibility leaves out the tactics of cuDNN and cuBLAS",
        "nothing to do; expect a slower engine than a plain one",
        "seen here with TensorRT 8.6.0",
    ),
    Notice(
        "deprecated",
        r"\bdeprecated\b",
        "something that this build uses will go in a later release",
        "read the message, and change it before the next major release",
        "NVIDIA/TensorRT#4095; strings of libnvinfer 8.6.0",
    ),
)


def read(messages: Iterable[Tuple[str, str]]) -> Tuple[Dict[str, int], List[str]]:
    """Count what a log says by kind.

    Args:
        messages: severity name and text. VERBOSE ones are passed over: there are tens of thousands
            of them, and they tell of every candidate that was tried and not of the engine.

    Returns:
        Kind -> number of messages, and the first message of each kind as ``[SEVERITY] text``.
    """
    counts: Dict[str, int] = {}
    first: List[str] = []
    for severity, text in messages:
        if severity == "VERBOSE":
            continue
        kind = next((row.kind for row in NOTICES if re.search(row.pattern, text)), "")
        if kind and kind not in counts:
            first.append("[%s] %s" % (severity, text))
        if kind:
            counts[kind] = counts.get(kind, 0) + 1
    return counts, first
