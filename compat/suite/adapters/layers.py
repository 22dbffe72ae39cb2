"""What precision each layer really got, read from the layer list in a builder's verbose log.

With ``ProfilingVerbosity.DETAILED`` the builder prints the same lines that the engine inspector
gives, and it prints them where no GPU can load the engine. Seen: ``Format/Datatype: Half`` in
TensorRT-RTX 1.4, ``Datatype: Half`` in 1.7.
"""

import re
from typing import Dict, Iterable

_DATATYPE = re.compile(r"(?:Format/)?Datatype: (\w+)")
# Narrowest first: a layer that reads int8 and writes half computes in int8.
_NARROWEST_FIRST = ("FP4", "Int4", "FP8", "Int8", "BFloat16", "Half", "Float")
_EXPECTED = {"fp16": "Half", "bf16": "BFloat16", "int8": "Int8", "fp8": "FP8"}


def layer_types(messages: Iterable[str]) -> Dict[str, int]:
    """Count the engine's layers by the narrowest floating or quantized type they touch.

    Args:
        messages: the builder's log messages; the one that starts with ``Layers:`` is read.

    Returns:
        Type name as TensorRT prints it -> number of layers; empty if no layer list was printed.
    """
    counts: Dict[str, int] = {}
    for message in messages:
        if not message.startswith("Layers:"):
            continue
        for line in message.splitlines()[1:]:
            found = set(_DATATYPE.findall(line))
            for name in _NARROWEST_FIRST:
                if name in found:
                    counts[name] = counts.get(name, 0) + 1
                    break
    return counts


def precision_is_there(precision: str, counts: Dict[str, int]) -> bool:
    """Tell whether an engine that should be of `precision` has any layer of it.

    True where nothing can be said: no layer list, or a precision that every engine has.
    """
    expected = _EXPECTED.get(precision)
    return expected is None or not counts or counts.get(expected, 0) > 0
