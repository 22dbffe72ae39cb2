"""Real engines of TensorRT-RTX and TensorRT, whole or with holes; see data/README.md."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data"
RTX = sorted(DATA.glob("rtx-*.engine"))


@pytest.fixture(params=RTX, ids=lambda path: path.stem)
def rtx(request: pytest.FixtureRequest) -> Path:
    """A real plan of one release of TensorRT-RTX."""
    path: Path = request.param
    return path


def enterprise(variant: str, path: Path) -> Path:
    """Write a plan of TensorRT 8.6.0: its real head and tail, and a hole between them."""
    head, tail = (
        (DATA / f"trt-8.6.0.12-{variant}.{part}").read_bytes() for part in ("head", "tail")
    )
    with path.open("wb") as stream:
        stream.write(head)
        stream.seek(int.from_bytes(head[16:24], "little") - len(tail))
        stream.write(tail)
    return path


WHOLE = sorted(path.name.removesuffix(".engine.gz") for path in DATA.glob("*.engine.gz"))


def whole(name: str) -> bytes:
    """Return a real plan of TensorRT, all of it, such as trt-8.5.1.7-tiny."""
    return gzip.decompress((DATA / f"{name}.engine.gz").read_bytes())


@cache
def variations() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the plans that differ in one thing each, by version and name."""
    packed = (DATA / "variations.json.gz").read_bytes()
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(gzip.decompress(packed))
    return found


def hollow(version: str, name: str, path: Path) -> Path:
    """Write a real plan of TensorRT with holes where nothing is read."""
    plan = variations()[version][name]
    with path.open("wb") as stream:
        for place, piece in plan["pieces"]:
            stream.seek(place)
            stream.write(base64.b64decode(piece))
        stream.truncate(plan["bytes"])
    return path


def with_lean(plan: bytes) -> bytes:
    """Return a plan of 8.6 as a version-compatible one, with 64 bytes for a library.

    Header, table and the library's first bytes are those of the real one.
    """
    (_, first), *_ = variations()["8.6.0.12"]["vc"]["pieces"]
    data = bytearray(base64.b64decode(first)[:100] + bytes(44) + plan[56:])
    struct.pack_into("<Q", data, 16, len(data))
    struct.pack_into("<Q", data, 48, 64)
    struct.pack_into("<QQ", data, 64, 144, int.from_bytes(plan[48:56], "little"))
    return bytes(data)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A copy of one real plan, to be damaged."""
    path = tmp_path / "some.engine"
    path.write_bytes((DATA / "rtx-1.7.1.116.engine").read_bytes())
    return path
