"""A plan is found inside what other tools put around it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import onnx
import pytest

from compat.engine.bounded import LIMIT
from compat.engine.inspection import inspect_file
from compat.engine.wrappers import MAX_DEPTH
from tests.engine.conftest import DATA

PLAN = (DATA / "rtx-1.7.1.116.engine").read_bytes()
METADATA = {
    "description": "Ultralytics YOLO11n model",
    "author": "Ultralytics",
    "version": "8.3.40",
    "task": "detect",
    "imgsz": [640, 640],
    "names": {str(number): "thing" for number in range(80)},
}


def ultralytics(plan: bytes, metadata: bytes = json.dumps(METADATA).encode()) -> bytes:
    """Write as ultralytics/engine/exporter.py does."""
    return len(metadata).to_bytes(4, "little", signed=True) + metadata + plan


def executorch(plan: bytes, magic: bytes = b"TR01", **changed: int) -> bytes:
    """Write as Torch-TensorRT's executorch/serialization.py does."""
    metadata = json.dumps({"hardware_compatible": False, "target_platform": "linux"}).encode()
    engine = 32 + len(metadata) + -(32 + len(metadata)) % 16
    places = {"metadata": 32, "metadata_bytes": len(metadata), "engine": engine, "bytes": len(plan)}
    header = struct.pack("<4sIIIQ8s", magic, *(places | changed).values(), b"\1" + bytes(7))
    return (header + metadata).ljust(engine, b"\0") + plan


def context(plan: bytes | str, *, more: int = 0, **changed: object) -> bytes:
    """Write an ONNX file with an EPContext node, as ONNX Runtime does."""
    attributes = {
        "embed_mode": int(isinstance(plan, bytes)),
        "ep_cache_context": plan,
        "source": "NvTensorRTRTXExecutionProvider",
        "hardware_architecture": "120",
        **changed,
    }
    node = onnx.helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft", **attributes)
    before = [onnx.helper.make_node("Relu", ["x"], [f"r{i}"]) for i in range(more)]
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([*before, node], "g", [value], [value])
    data: bytes = onnx.helper.make_model(graph).SerializeToString()
    return data


@pytest.mark.parametrize(
    ("wrapped", "name", "fact"),
    [
        (ultralytics(PLAN), "JSON in front (Ultralytics)", ("names", "80 entries")),
        (ultralytics(PLAN, b"{}"), "JSON in front (Ultralytics)", None),
        (executorch(PLAN), "ExecuTorch blob (TR01)", ("target_platform", "linux")),
        (executorch(PLAN, b"TR02"), "ExecuTorch blob (TR02)", None),
        (context(PLAN), "ONNX EPContext", ("hardware_architecture", "120")),
        (context(PLAN, more=200), "ONNX EPContext", None),
    ],
)
def test_the_plan_inside_a_wrapper_is_read(
    tmp_path: Path, wrapped: bytes, name: str, fact: tuple[str, str] | None
) -> None:
    """And so is what the wrapper says."""
    path = tmp_path / "x.engine"
    path.write_bytes(wrapped)

    found = inspect_file(path)

    assert found.holds, found.problems
    assert found.plan is not None
    assert found.plan.version == "1.7.1.116"
    assert found.plan.declared_bytes == len(PLAN)
    assert wrapped[found.plan_at :].startswith(PLAN)
    assert [one for one, _ in found.wrappers] == [name]
    assert fact is None or fact in found.wrappers[0][1].items()


@pytest.mark.parametrize("wrapped", [ultralytics(PLAN), executorch(PLAN), context(PLAN)])
def test_a_wrapped_plan_that_is_cut_anywhere_is_told(tmp_path: Path, wrapped: bytes) -> None:
    """Within the wrapper as within the plan."""
    path = tmp_path / "x.engine"
    for length in range(0, len(wrapped), 7):
        path.write_bytes(wrapped[:length])

        assert not inspect_file(path).holds, length


def test_the_cause_of_a_cut_wrapped_plan_is_the_plan(tmp_path: Path) -> None:
    """The metadata is all there."""
    path = tmp_path / "x.engine"
    path.write_bytes(ultralytics(PLAN)[:-1000])

    assert inspect_file(path).problems[0].startswith("is cut: it declares 6460 bytes and 5460")


def test_wrappers_around_wrappers_have_an_end(tmp_path: Path) -> None:
    """A few are unwrapped, a tower is not."""
    path, wrapped = tmp_path / "x.engine", PLAN
    for depth in range(1, 40):
        wrapped = ultralytics(wrapped, b"{}")
        path.write_bytes(wrapped)
        found = inspect_file(path)

        assert found.holds == (depth <= MAX_DEPTH), depth
    assert f"more than {MAX_DEPTH} wrappers" in found.problems[0]


@pytest.mark.parametrize(
    ("wrapped", "says"),
    [
        (ultralytics(b"nothing"), "no plan stands inside its wrapper"),
        (ultralytics(b""), "is cut"),
        (executorch(PLAN, engine=2**32 - 1), "is cut"),
        (executorch(PLAN, bytes=2**64 - 1), "is cut"),
        (executorch(PLAN, metadata=0), "over each other"),
        (executorch(PLAN, metadata_bytes=2**32 - 1), "over each other"),
        (context("../other.engine"), "names '../other.engine'"),
        (context(b"nothing"), "no plan stands inside its wrapper"),
        (
            onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [])).SerializeToString(),
            "ONNX model",
        ),
    ],
)
def test_a_wrapper_without_an_engine_is_told(tmp_path: Path, wrapped: bytes, says: str) -> None:
    """And what is wrong with it."""
    path = tmp_path / "x.engine"
    path.write_bytes(wrapped)

    found = inspect_file(path)

    assert len(found.problems) == 1
    assert says in found.problems[0]


@pytest.mark.parametrize(
    "metadata",
    [
        b"{" + b'"a":[' * 20_000,
        b'{"imgsz": ' + b"9" * 10_000 + b"}",
        b'{"names": ' + b"[" * 500 + b"]" * 500 + b"}",
        b"{" + b"\xff" * 100,
        b"{" + b" " * (LIMIT // 2),
        b'{"task": "\x1b[2J' + b'"}',
        json.dumps({"task": "\x1b[2Jx" * 1000}).encode(),
    ],
)
def test_metadata_that_nobody_vouches_for_does_no_harm(tmp_path: Path, metadata: bytes) -> None:
    """Depth, length and escape sequences."""
    path = tmp_path / "x.engine"
    path.write_bytes(ultralytics(PLAN, metadata))

    found = inspect_file(path)

    assert found.holds, found.problems
    assert all(len(fact) < 200 for fact in found.wrappers[0][1].values())
