"""fp32 ONNX to explicit int8 (Q/DQ), in the form that NVIDIA documents for TensorRT.

int8 on both sides, symmetric, zero point 0, one scale per output channel for weights, biases left
in float; Q/DQ stands only before Conv, MatMul and Gemm with weights. Weights stay fp32 with a
Q/DQ pair behind them: TensorRT 8 does not take prequantized weights. Attention's two products stay
float, as NVIDIA's ModelOpt leaves them by default.
"""

from __future__ import annotations

import io
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compat.models.elemtypes import weight_bearing
from compat.models.errors import ModelError
from compat.models.nodelist import denied_nodes
from compat.suite import cores

__all__ = ["CALIBRATION_ITEMS", "METHOD", "quantize"]

CALIBRATION_ITEMS = 16
# Against MinMax on 16 photographs, in ONNX Runtime: relative L2 of ResNet-50 0.088 instead of
# 0.111, of the CLIP image tower 0.0345 instead of 0.0361; entropy was as MinMax on both.
METHOD = "percentile 99.99"

_PERCENTILE = 99.99
_OPERATORS = ["Conv", "Gemm", "MatMul"]


Feed = Mapping[str, NDArray[np.generic]]


def quantize(
    source: Path,
    target: Path,
    feeds: Sequence[Feed],
    deny: Sequence[str] = (),
    allow: Sequence[str] = (),
) -> None:
    """Write the Q/DQ form of `source`, its ranges found by running `feeds`.

    `deny` are node names or operator types to leave in float, `allow` the only ones to quantize.
    """
    from onnxruntime.quantization import (  # noqa: PLC0415  # slow to import
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    nodes = _nodes_to_quantize(source, deny, allow)
    with _quiet(), _scratch(target.parent), _bounded():
        quantize_static(
            str(source),
            str(target),
            _Reader(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=_OPERATORS,
            nodes_to_quantize=nodes,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            use_external_data_format=source.stat().st_size > 1_800_000_000,
            extra_options={
                "ActivationSymmetric": True,
                "WeightSymmetric": True,
                "QuantizeBias": False,
                "AddQDQPairToWeight": True,
                "OpTypesToExcludeOutputQuantization": _OPERATORS,
                "QDQKeepRemovableActivations": True,
                "CalibPercentile": _PERCENTILE,
            },
        )


def _nodes_to_quantize(source: Path, deny: Sequence[str], allow: Sequence[str]) -> list[str]:
    graph = onnx.load(source, load_external_data=False).graph
    if any(not node.name for node in graph.node):
        raise AssertionError("prepared models have named nodes")
    kept = denied_nodes(graph, deny, allow)
    chosen = [node.name for node in weight_bearing(graph) if node.op_type in _OPERATORS]
    kept |= _patch_embeddings(graph)
    chosen = [name for name in chosen if name not in kept]
    if not chosen:
        raise ModelError(
            "nothing-to-quantize",
            f"{source.name}: holds no Conv, MatMul or Gemm with constant weights "
            f"{'among low-precision-nodes' if allow else 'outside fp32-nodes'}.",
        )
    return chosen


def _patch_embeddings(graph: onnx.GraphProto) -> set[str]:
    """Convolutions that read the pixels of a network of matrix products stay float.

    It is one operator of 74 in a ViT-B, the one with the widest input range, and TensorRT-RTX
    before 1.7 has no int8 convolution at all (tried: 1.4.0, 1.5.0, 1.6.1 refuse to build one).
    """
    weighted = weight_bearing(graph)
    convolutions = [node for node in weighted if node.op_type == "Conv"]
    if 2 * len(convolutions) > len(weighted):
        return set()
    inputs = {info.name for info in graph.input}
    return {node.name for node in convolutions if node.input[0] in inputs}


class _Reader:
    """Hands the calibration inputs over one by one, as the calibrator asks."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantizer's advice (log) and progress (stdout) off the user's terminal."""
    logger = logging.getLogger()
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(before)


@contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """Keep the quantizer's temporary models, as large as the model, off a small /tmp."""
    before = tempfile.tempdir
    tempfile.tempdir = os.fspath(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@contextmanager
def _bounded() -> Iterator[None]:
    """Bound the threads of the calibrator's session, for which it takes no options."""
    import onnxruntime  # noqa: PLC0415  # slow to import

    made = onnxruntime.SessionOptions

    def bounded() -> Any:
        options = made()
        options.intra_op_num_threads = cores.threads()
        return options

    onnxruntime.SessionOptions = bounded
    try:
        yield
    finally:
        onnxruntime.SessionOptions = made
