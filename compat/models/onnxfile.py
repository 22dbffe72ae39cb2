"""Reading a user's ONNX file: what it holds, and a clear word on what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from compat.models.errors import ModelError
from compat.models.spec import TensorInfo

__all__ = ["default_opset", "external_files", "name_axes", "read_model", "tensor_infos"]

_MAGIC = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"PK\x03\x04": "a ZIP archive (PyTorch checkpoints are such)",
    b"\x80\x02": "a pickle",
    b"ftrt": "a serialized TensorRT plan",
    b"vtrt": "a serialized TensorRT-RTX plan",
    b"\x1f\x8b": "a gzip archive",
    b"%PDF": "a PDF",
    b"<!DO": "an HTML page (a login or error page?)",
    b"<htm": "an HTML page (a login or error page?)",
}


def read_model(path: Path) -> onnx.ModelProto:
    """Parse the file without its external data, after checks that name what is wrong with it."""
    _check_bytes(path)
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError:
        raise ModelError(
            "truncated",
            f"{path}: cannot be parsed as ONNX: the file is damaged or cut off "
            f"({path.stat().st_size:,} bytes). Export or copy it again.",
        ) from None
    _check_graph(path, model)
    external_files(path, model)
    return model


def external_files(path: Path, model: onnx.ModelProto) -> tuple[Path, ...]:
    """The files beside the model that hold its weights; all must be there and long enough."""
    needed: dict[str, int] = {}
    for tensor in _tensors(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            entry = {item.key: item.value for item in tensor.external_data}
            end = int(entry.get("offset", 0)) + int(entry.get("length", 0))
            location = entry.get("location", "")
            needed[location] = max(end, needed.get(location, 0))
    for location, end in needed.items():
        _check_external(path, location, end)
    return tuple(path.parent / location for location in sorted(needed))


def default_opset(model: onnx.ModelProto) -> int:
    """The version of the standard operator set."""
    return max((o.version for o in model.opset_import if o.domain in {"", "ai.onnx"}), default=0)


def name_axes(model: onnx.ModelProto) -> None:
    """Name every unnamed dynamic dimension: the first "batch", others TENSOR_dimI."""
    constants = {item.name for item in model.graph.initializer}
    tensors = [i for i in model.graph.input if i.name not in constants] + list(model.graph.output)
    for info in tensors:
        for index, dim in enumerate(info.type.tensor_type.shape.dim):
            if not dim.dim_param and (not dim.HasField("dim_value") or dim.dim_value < 0):
                dim.dim_param = f"{info.name}_dim{index}" if index else "batch"


def tensor_infos(
    path: Path, model: onnx.ModelProto
) -> tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]:
    """Inputs (constants with a default left out) and outputs."""
    constants = {item.name for item in model.graph.initializer}
    inputs = [info for info in model.graph.input if info.name not in constants]
    return _infos(path, inputs), _infos(path, model.graph.output)


def _infos(path: Path, values: Sequence[onnx.ValueInfoProto]) -> tuple[TensorInfo, ...]:
    return tuple(_info(path, value) for value in values)


def _info(path: Path, value: onnx.ValueInfoProto) -> TensorInfo:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise ModelError(
            "not-a-tensor",
            f"{path}: {value.name!r} is a {kind or 'value without type'}; only tensors can be fed "
            "to TensorRT. Export the model without sequences, maps or optionals.",
        )
    tensor = value.type.tensor_type
    dtype = str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    dims = tensor.shape.dim
    return TensorInfo(value.name, dtype, tuple(d.dim_param or int(d.dim_value) for d in dims))


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                yield attribute.t
            elif attribute.type == onnx.AttributeProto.GRAPH:
                yield from _tensors(attribute.g)


def _check_bytes(path: Path) -> None:
    if path.is_dir():
        raise ModelError("not-a-file", f"{path}: is a folder; name the .onnx file in it.")
    try:
        with path.open("rb") as stream:
            head = stream.read(256)
    except FileNotFoundError:
        raise ModelError("missing-file", f"{path}: no such file; check `source`.") from None
    except OSError as error:
        raise ModelError("unreadable", f"{path}: cannot be read ({error.strerror}).") from None
    if not head:
        raise ModelError("empty-file", f"{path}: the file is empty. Export or copy it again.")
    if head.startswith(b"version https://git-lfs"):
        raise ModelError(
            "lfs-pointer",
            f"{path}: is a Git LFS pointer, not the model; run `git lfs pull` in its repository.",
        )
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            raise ModelError("not-onnx", f"{path}: is {kind}, not an ONNX model.")
    if _looks_like_text(head):
        raise ModelError("not-onnx", f"{path}: is a text file, not an ONNX model.")


def _looks_like_text(head: bytes) -> bool:
    """Protobuf always has control bytes (field numbers) in its first bytes."""
    try:
        text = head.decode("ascii")
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t" for c in text)


def _check_graph(path: Path, model: onnx.ModelProto) -> None:
    if not model.graph.node or not model.graph.output:
        if model.ir_version or model.opset_import or model.graph.node:
            raise ModelError(
                "truncated",
                f"{path}: holds no complete graph (nodes: {len(model.graph.node)}, outputs: "
                f"{len(model.graph.output)}): the file is cut off. Export or copy it again.",
            )
        raise ModelError("not-onnx", f"{path}: is not an ONNX model.")
    if not model.opset_import:
        raise ModelError(
            "truncated",
            f"{path}: names no operator set, which stands at the end of most files: "
            "the file is cut off. Export or copy it again.",
        )


def _check_external(path: Path, location: str, end: int) -> None:
    target = path.parent / location
    inside = location and not Path(location).is_absolute() and ".." not in Path(location).parts
    if not inside:
        raise ModelError(
            "external-data-outside",
            f"{path}: its weights are to be read from {location!r}, outside the model's folder; "
            "save it again with a plain file name for the external data.",
        )
    if not target.is_file():
        raise ModelError(
            "missing-external-data",
            f"{path}: its weights are in {location!r}, which is not beside it; "
            f"copy that file to {target.parent}.",
        )
    if target.stat().st_size < end:
        raise ModelError(
            "truncated",
            f"{target}: has {target.stat().st_size:,} bytes, the model reads up to {end:,}: "
            "the file is cut off. Copy it again.",
        )
