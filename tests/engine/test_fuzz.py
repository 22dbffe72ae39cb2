"""Whatever a file holds: lines, no exception, little read."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from compat.engine.archive import CLOSING
from compat.engine.bounded import LIMIT
from compat.engine.inspection import inspect_file
from compat.engine.telling import details, row
from compat.suite.manifest import manifest_path
from tests.engine.conftest import DATA, WHOLE, whole, with_lean
from tests.engine.test_wrappers import context, executorch, ultralytics


def _shrunk(variant: str) -> bytes:
    """Return a plan of TensorRT 8.6.0 without what lay between its real head and tail."""
    head, tail = (
        (DATA / f"trt-8.6.0.12-{variant}.{part}").read_bytes() for part in ("head", "tail")
    )
    data = bytearray(head + tail)
    archive_end = data.rindex(CLOSING) + len(CLOSING)
    struct.pack_into("<Q", data, 16, len(data))
    struct.pack_into("<Q", data, 48, archive_end - 56)
    struct.pack_into("<Q", data, 72, archive_end - 56 - 24)
    struct.pack_into("<Q", data, data.index(struct.pack("<4H", 0x80B0, 1, 0x8009, 1)) + 8, 16)
    return bytes(data)


REAL = [path.read_bytes() for path in sorted(DATA.glob("*.engine"))]
REAL += [_shrunk(variant) for variant in ("plain", "hc-ampere-plus")]
REAL += [whole(name) for name in WHOLE]
REAL += [with_lean(whole("trt-8.6.0.12-tiny"))]
RTX = (DATA / "rtx-1.7.1.116.engine").read_bytes()
WRAPPED = [wrap(RTX) for wrap in (ultralytics, executorch, context)]
EDGES = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1]
FUZZ = settings(max_examples=400, deadline=None)


def _survives(data: bytes, manifest: bytes | None = None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.engine"
        path.write_bytes(data)
        if manifest is not None:
            Path(manifest_path(str(path))).write_bytes(manifest)
        found = inspect_file(path, digest=True)
    assert found.read_bytes <= LIMIT
    assert found.holds or data not in REAL or manifest is not None
    assert found.holds or all(found.problems)
    assert len(found.problems) <= 200
    assert json.loads(json.dumps(found.as_dict()))["holds"] == found.holds
    assert all(line.isprintable() for line in (*details(found), *row(found)))


def test_unchanged_plans_pass() -> None:
    """What is mutated below is whole to begin with."""
    for data in REAL:
        _survives(data)


@given(st.binary(max_size=5000))
@FUZZ
def test_random_bytes(data: bytes) -> None:
    """Alone, and behind each magic."""
    for magic in (b"", b"vtrt", b"ftrt", b"ptrt", b"TR01", b"\x08\x0a\x3a"):
        _survives(magic + data)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Give a real plan, wrapped or not, with numbers and bytes of the first kilobyte changed."""
    data = bytearray(draw(st.sampled_from([*REAL, *WRAPPED])))
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, 1000) | st.integers(0, len(data) - 8))
        if draw(st.booleans()):
            struct.pack_into("<Q", data, place, draw(st.sampled_from(EDGES)))
        else:
            data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.just(len(data)) | st.integers(0, len(data)))])


@given(mutated())
@FUZZ
def test_mutations_and_truncations_of_real_plans(data: bytes) -> None:
    """Lengths of 2^64-1, places behind the end, tags of nothing."""
    _survives(data)


@given(st.lists(st.sampled_from([ultralytics, executorch, context]), max_size=8), st.binary())
@FUZZ
def test_wrappers_in_each_other(wraps: list[Callable[[bytes], bytes]], inner: bytes) -> None:
    """Of all kinds, around a plan or around nothing."""
    for core in (RTX, inner):
        _survives(reduce(lambda data, wrap: wrap(data), wraps, core))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries(
        {},
        optional=dict.fromkeys(("sha256", "bytes", "flavour", "version", "arch", "variant"), JSON),
    )
)
@FUZZ
def test_manifests_that_claim_anything(claims: dict[str, Any]) -> None:
    """Every type in every place."""
    _survives(RTX, json.dumps(claims).encode())


@given(st.binary(max_size=300))
@FUZZ
def test_manifests_of_random_bytes(data: bytes) -> None:
    """Not even text."""
    _survives(RTX, data)
