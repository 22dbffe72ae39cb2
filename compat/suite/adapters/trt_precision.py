"""A list of nodes that keep fp32, told to a builder that chooses the types (TensorRT <= 10).

Which layers are left alone follows trtexec's --layerPrecisions (samples/common/sampleEngines.cpp of
8.6): integer layers, constants, and what computes shapes. Q/DQ layers have their types by nature.
"""

import re
from typing import Any, Collection, Dict, Iterator, Mapping, Optional

from ..outcome import Failed
from .trt_module import has

_FLOATS = ("FLOAT", "HALF", "BF16")
_LEFT_ALONE = ("CONSTANT", "SHAPE", "QUANTIZE", "DEQUANTIZE")
_NUMBERED = re.compile(r"(.+)_\d+$")
_METADATA = re.compile(r"\[ONNX Layer: (.*?)(?: \| .*)?\]$")


def constraint_flag(trt: Any) -> str:
    """Return the builder flag that makes a layer's type a must; 8.2 has brought its own name."""
    name = "OBEY_PRECISION_CONSTRAINTS"
    return name if has(trt, "BuilderFlag." + name) else "STRICT_TYPES"


def keep_fp32(trt: Any, network: Any, nodes: Mapping[str, Any]) -> Dict[str, Any]:
    """Set every layer that has to stay fp32 to it, and return the facts of it.

    Args:
        trt: the module.
        network: the parsed, weakly typed network.
        nodes: ``key`` is "fp32-nodes" (the named nodes stay fp32) or "low-precision-nodes" (all
            others do); ``names`` are node names; ``others`` names of further nodes that look like
            a listed one with a number behind it.

    Returns:
        ``fp32_nodes``, the number of layers set, and the names that no layer has.

    Raises:
        Failed: no layer belongs to the list, so the engine would not be what was asked for.
    """
    key, names, others = nodes["key"], set(nodes["names"]), set(nodes["others"])
    found, kept = set(), 0
    for layer in _layers(network):
        node = _node_of(layer, names, others)
        found.add(node)
        if (node is not None) is (key == "fp32-nodes") and _is_float_layer(layer):
            _set_fp32(trt, layer)
            kept += 1
    unmatched = sorted(names - found)
    if len(unmatched) == len(names) or (key == "fp32-nodes" and not kept):
        raise Failed(
            key + "-unmatched",
            "%s: no layer that computes in floats has one of the names %s"
            % (key, ", ".join(sorted(names)[:10])),
        )
    return {"fp32_nodes": kept, key.replace("-", "_") + "_unmatched": unmatched}


def _layers(network: Any) -> Iterator[Any]:
    for index in range(network.num_layers):
        yield network.get_layer(index)


def _node_of(layer: Any, names: Collection[str], others: Collection[str]) -> Optional[str]:
    """Return the listed node that a layer comes from.

    Newer parsers write the node into the layer's metadata (onnx-tensorrt, processMetadata). All of
    them name a layer after its node; where the name is taken, because the node needs several
    layers, they put ``_`` and a number behind it (generateUniqueName).
    """
    written = _METADATA.match(getattr(layer, "metadata", ""))
    if written is not None:
        return written.group(1) if written.group(1) in names else None
    if layer.name in names:
        return str(layer.name)
    numbered = _NUMBERED.match(layer.name)
    if layer.name in others or numbered is None or numbered.group(1) not in names:
        return None
    return numbered.group(1)


def _is_float_layer(layer: Any) -> bool:
    return layer.type.name not in _LEFT_ALONE and any(True for _ in _float_outputs(layer))


def _float_outputs(layer: Any) -> Iterator[int]:
    for index in range(layer.num_outputs):
        tensor = layer.get_output(index)
        if tensor is not None and tensor.dtype.name in _FLOATS and not tensor.is_shape_tensor:
            yield index


def _set_fp32(trt: Any, layer: Any) -> None:
    layer.precision = trt.float32
    for index in _float_outputs(layer):
        layer.set_output_type(index, trt.float32)
