"""What a user's ONNX file holds, for `trt-compat models describe F`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compat.models import onnxfile
from compat.models.elemtypes import count_types
from compat.models.profile import BATCH_PROFILE, dynamic_axes, is_batch
from compat.models.spec import Axes, TensorInfo

__all__ = ["Description", "describe"]


@dataclass(frozen=True, slots=True)
class Description:
    """axes: the profile proposed for batch axes; missing: dynamic axes that the user must size."""

    path: Path
    bytes: int
    external: tuple[Path, ...]
    opset: int
    ir_version: int
    producer: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    axes: Axes
    missing: tuple[str, ...]
    operators: Mapping[str, int]
    domains: tuple[str, ...]
    types: Mapping[str, int]


def describe(path: Path) -> Description:
    """Read the file without its weights; ModelError as in `prepare`."""
    model = onnxfile.read_model(path)
    onnxfile.name_axes(model)
    inputs, outputs = onnxfile.tensor_infos(path, model)
    axes = dynamic_axes(inputs)
    operators = Counter(node.op_type for node in model.graph.node)
    external = onnxfile.external_files(path, model)
    return Description(
        path=path,
        bytes=path.stat().st_size + sum(file.stat().st_size for file in external),
        external=external,
        opset=onnxfile.default_opset(model),
        ir_version=model.ir_version,
        producer=f"{model.producer_name} {model.producer_version}".strip(),
        inputs=inputs,
        outputs=outputs,
        axes={axis: BATCH_PROFILE for axis in axes if is_batch(axis)},
        missing=tuple(axis for axis in axes if not is_batch(axis)),
        operators=dict(operators.most_common()),
        domains=tuple(sorted({node.domain for node in model.graph.node} - {"", "ai.onnx"})),
        types=dict(count_types(model.graph).types),
    )
