"""Real plans say what built them; damaged ones say what is wrong, in a line."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from compat.engine.bounded import LIMIT, Bounded, UnreadableError
from compat.engine.inspection import Inspection, inspect_file
from compat.engine.plan_file import MAX_SECTIONS
from compat.engine.plan_format import plan_format
from tests.engine.conftest import enterprise

U64_MAX = 2**64 - 1


def _stated(found: Inspection) -> dict[str, object]:
    assert found.plan is not None, found.problems
    return {name: one.value for name, one in found.plan.stated.items()}


def _damaged(engine: Path, place: int, kind: str, value: int) -> Inspection:
    data = bytearray(engine.read_bytes())
    struct.pack_into("<" + kind, data, place, value)
    engine.write_bytes(data)
    return inspect_file(engine)


def test_a_plan_states_the_version_in_all_its_parts(rtx: Path) -> None:
    """The file's name is what the builder's wheel was called."""
    found = inspect_file(rtx)

    assert found.holds, found.problems
    assert found.plan is not None
    assert found.plan.flavour == "tensorrt_rtx"
    assert found.plan.version == rtx.stem.removeprefix("rtx-").removesuffix("-cu13")


def test_a_plan_is_measured_against_what_it_declares(rtx: Path) -> None:
    """The sections fill the file, with nothing between them but alignment."""
    found = inspect_file(rtx)

    assert found.plan is not None
    assert found.plan.declared_bytes == found.bytes == rtx.stat().st_size
    engine, weights = found.plan.sections
    assert [engine.tag, weights.tag] == ["ENGN", "WGHT"]
    assert 0 <= weights.at - (engine.at + engine.bytes) < 8
    assert weights.at + weights.bytes + 4 == found.bytes


@pytest.mark.parametrize(
    ("name", "cuda", "targets"),
    [
        ("rtx-1.4.0.76", "12.9", ["sm_80", "sm_86", "sm_89", "sm_120", "sm_121"]),
        ("rtx-1.6.1.120", "12.9", ["sm_80", "sm_86", "sm_89", "sm_120", "sm_121", "bit 6"]),
        ("rtx-1.6.1.120-cu13", "13.4", ["sm_80", "sm_86", "sm_89", "sm_120", "sm_121", "bit 6"]),
        ("rtx-1.7.1.116", None, ["sm_80", "sm_86", "sm_89", "sm_120", "sm_121", "bit 6"]),
    ],
)
def test_a_plan_states_cuda_and_what_it_was_built_for(
    name: str, cuda: str | None, targets: list[str]
) -> None:
    """The wheel's CUDA where the release states it, a bit for each compute capability."""
    stated = _stated(inspect_file(Path(__file__).parent / "data" / f"{name}.engine"))

    assert stated.get("cuda") == cuda
    assert stated["targets"] == targets


def test_every_value_says_how_it_is_known(rtx: Path) -> None:
    """Nothing that was only seen in files passes for a documented fact."""
    found = inspect_file(rtx).as_dict()["plan"]

    assert {one["how"] for one in found["stated"].values()} <= {"observed", "inferred"}


def test_a_plan_that_is_cut_anywhere_is_told(rtx: Path, tmp_path: Path) -> None:
    """Every length from nothing to all but the last byte."""
    cut = tmp_path / "cut.engine"
    cut.write_bytes(rtx.read_bytes())
    for length in reversed(range(rtx.stat().st_size)):
        os.truncate(cut, length)

        found = inspect_file(cut)

        assert not found.holds, length
        assert len(found.problems) == 1, (length, found.problems)
        if length >= 4:
            assert found.problems[0].startswith("is cut"), (length, found.problems)


@pytest.mark.parametrize("count", [1, 4, 4096])
def test_bytes_behind_the_end_are_told(engine: Path, count: int) -> None:
    """Something was appended, or two files were joined."""
    with engine.open("ab") as stream:
        stream.write(b"\0" * count)

    assert inspect_file(engine).problems == [f"has {count} bytes behind its declared end"]


@pytest.mark.parametrize("place", [16, 72, 80, 96, 104, 120])
@pytest.mark.parametrize("value", [0, 1, 2**31, 2**32, 2**63, U64_MAX])
def test_lengths_that_cannot_be_are_told(engine: Path, place: int, value: int) -> None:
    """Every 64-bit length and place of header, table and archive."""
    found = _damaged(engine, place, "Q", value)

    assert not found.holds
    assert found.read_bytes <= LIMIT


@pytest.mark.parametrize("count", [0, MAX_SECTIONS + 1, 2**32, U64_MAX])
def test_a_count_of_sections_that_cannot_be_is_told(engine: Path, count: int) -> None:
    """No table of it is read."""
    found = _damaged(engine, 8, "Q", count)

    assert found.problems == [f"declares {count} sections, which no plan has"]


def test_an_overwritten_end_is_told(engine: Path) -> None:
    """The length is right, the bytes are another file's or zeros: a download that went wrong."""
    data = bytearray(engine.read_bytes())
    data[-4:] = bytes(4)
    engine.write_bytes(data)

    assert "does not end as a plan does" in inspect_file(engine).problems[0]


def test_an_archive_of_another_version_than_the_header_is_told(engine: Path) -> None:
    """Header and archive both carry it."""
    found = _damaged(engine, 25, "B", 6)

    assert found.problems == ["its header says 1.6.1.116, its archive 1.7.1.116"]


def test_sections_over_each_other_are_told(engine: Path) -> None:
    """The weights are placed into the engine."""
    found = _damaged(engine, 96, "Q", 120)

    assert "its sections overlap" in found.problems


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (b"", "is empty"),
        (b"vtrt", "is cut: 4 bytes"),
        (b"ftrt" + bytes(20), "is cut: 24 bytes"),
        (b"nothing of the kind", "it begins with b'noth'"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"\x1f\x8b" + bytes(40), "gzip"),
        (b"<!DOCTYPE html><title>404</title>", "download"),
        (b"\x18\0\0\0ORTM" + bytes(40), "ONNX Runtime"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "PNG"),
        (b'{"version": "1.0"}', "JSON"),
    ],
)
def test_a_file_that_is_no_engine_is_named(tmp_path: Path, first: bytes, says: str) -> None:
    """What stands where an engine was meant to, and the way out where there is one."""
    path = tmp_path / "x.engine"
    path.write_bytes(first)

    found = inspect_file(path)

    assert len(found.problems) == 1
    assert says in found.problems[0]


@pytest.mark.parametrize("variant", ["plain", "hc-ampere-plus"])
def test_a_plan_of_tensorrt_states_the_gpu_that_built_it(variant: str, tmp_path: Path) -> None:
    """An H200: sm_90, 132 SMs, 1980 and 3201 MHz, 60 MiB of L2, 140 GiB of memory."""
    found = inspect_file(enterprise(variant, tmp_path / "x.engine"))

    assert found.holds, found.problems
    assert found.plan is not None
    assert (found.plan.flavour, found.plan.version) == ("tensorrt", "8.6.0.12")
    assert found.plan.arch == "sm_90"
    assert {name: one.value for name, one in found.plan.device.items()} == {
        "hardware_compatibility": {"plain": "none"}.get(variant, "ampere-plus"),
        "compute_capability_major": 9,
        "compute_capability_minor": 0,
        "clock_khz": 1_980_000,
        "memory_clock_khz": 3_201_000,
        "memory_bus_bits": 6016,
        "l2_bytes": 60 << 20,
        "persisting_l2_bytes": 39_321_600,
        "shared_bytes_per_block": 48 << 10,
        "shared_bytes_per_sm": 228 << 10,
        "sm_count": 132,
        "memory_bytes": 150_109_880_320,
    }
    assert {name: (one.value, one.how) for name, one in found.plan.stated.items()} == {
        "serialization": (0, "documented"),
        "version": ("8.6.0.12", "documented"),
        "archive_format": (236, "observed"),
        "weight_bytes": ({"plain": 51_088_392}.get(variant, 51_084_296), "observed"),
        "lean_runtime": ("none", "observed"),
    }


def test_a_cut_plan_of_tensorrt_is_told_with_what_is_left(tmp_path: Path) -> None:
    """The head still says what built it."""
    path = enterprise("plain", tmp_path / "x.engine")
    os.truncate(path, 1000)

    found = inspect_file(path)

    assert found.problems == ["is cut: it declares 52636972 bytes and 1000 are there"]
    assert found.plan is not None
    assert found.plan.arch == "sm_90"


@pytest.mark.parametrize("behind", [b"\0", b"\0" * 5000])
def test_what_was_seen_in_no_plan_is_no_fault_of_another_release(
    tmp_path: Path, behind: bytes
) -> None:
    """The layout of 8.6.0 may not be that of 10.16; that it is cut would still be told."""
    path = enterprise("plain", tmp_path / "x.engine")
    with path.open("r+b") as stream:
        stream.seek(0, os.SEEK_END)
        stream.write(behind)
    assert not inspect_file(path).holds
    with path.open("r+b") as stream:
        for place in (24, 24 + 60):
            stream.seek(place)
            stream.write(bytes([10, 16, 1, 11]) if place == 24 else b"\x0a")

    found = inspect_file(path)

    assert found.plan is not None
    assert found.plan.version == "10.16.1.11"
    assert found.plan.notes == [f"has {len(behind)} bytes behind its declared end"]
    os.truncate(path, 2000)
    assert inspect_file(path).problems[0].startswith("is cut")


def test_an_archive_of_a_release_that_was_not_seen_is_told_as_far_as_it_goes(
    tmp_path: Path,
) -> None:
    """Concluded, not seen: the archive of 8.5 with the format number and version of 8.4.3.1."""
    path = tmp_path / "x.engine"
    values = b"".join(struct.pack("<HHB", 0x8002, 1, part) for part in (8, 4, 3, 1))
    body = values + bytes(100) + bytes(255 - byte for byte in b"ptrt")
    path.write_bytes(struct.pack("<4sIQQ", b"ptrt", 0, 213, len(body)) + body)

    found = inspect_file(path)

    assert found.holds, found.problems
    assert found.plan is not None
    assert found.plan.version == "8.4.3.1"
    assert found.plan.stated["version"].how == "inferred"
    os.truncate(path, 60)
    assert inspect_file(path).problems == ["is cut: it declares 148 bytes and 60 are there"]


def test_a_library_among_the_sections_is_a_lean_runtime(tmp_path: Path) -> None:
    """Concluded, not seen: a plan of two sections, the second an ELF file under another name."""
    path = tmp_path / "x.engine"
    table = struct.pack("<4sIQQ4sIQQ", b"NGNE", 0, 80, 64, b"NAEL", 0, 144, 64)
    head = struct.pack("<4sIQQ4BI", b"ftrt", 0, 2, 208, 8, 6, 1, 6, 0)  # and no closing magic
    path.write_bytes(head + table + bytes(64) + b"\x7fELF" + bytes(60))

    found = inspect_file(path)

    assert found.holds, found.problems
    assert found.plan is not None
    assert found.plan.stated["lean_runtime"].value == "embedded"
    assert found.plan.stated["lean_runtime"].how == "inferred"


def test_what_is_no_regular_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would wait for ever, a device has no end."""
    pipe = tmp_path / "pipe.engine"
    os.mkfifo(pipe)

    assert inspect_file(pipe).problems == ["is no regular file"]
    assert inspect_file("/dev/zero").problems == ["is no regular file"]
    assert inspect_file(tmp_path).problems == ["is no regular file"]


def test_a_file_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    """It was there a moment ago; or it is a link to itself; or no name at all."""
    loop = tmp_path / "loop.engine"
    loop.symlink_to(loop)

    assert "cannot be opened: No such file" in inspect_file(tmp_path / "gone.engine").problems[0]
    assert "cannot be opened" in inspect_file(loop).problems[0]
    assert "cannot be opened" in inspect_file("a\0b").problems[0]


def test_no_more_than_a_megabyte_is_read_whatever_a_file_says(tmp_path: Path) -> None:
    """The one way to the bytes refuses."""
    path = tmp_path / "big"
    with path.open("wb") as stream:
        stream.truncate(10 * LIMIT)

    with Bounded(path) as source:
        source.at(5000, LIMIT // 2)
        with pytest.raises(UnreadableError, match="would have to be read"):
            source.at(5000, LIMIT // 2 + 1)
        for place, count in ((-1, 4), (0, -1), (10 * LIMIT, 1), (U64_MAX, U64_MAX)):
            with pytest.raises(UnreadableError):
                source.at(place, count)


def test_every_row_of_the_data_says_how_it_is_known() -> None:
    """A documented row names the document."""
    rows = [*plan_format().layouts, *plan_format().formats]
    places = [place for layout in plan_format().layouts for place in layout.places]

    assert all(row.source for row in (*rows, *places) if row.how == "documented")
    assert {row.how for row in (*rows, *places)} <= {"documented", "observed", "inferred"}
    assert all(place.says for place in places)
    assert all(
        place.at + place.bytes <= lay.header
        for lay in plan_format().layouts
        for place in lay.places
    )


def test_a_table_of_nonsense_is_told_in_one_line(engine: Path) -> None:
    """A plan may declare 64 sections; that all of them lie beyond it is one fault."""
    data = bytearray(engine.read_bytes())
    struct.pack_into("<Q", data, 8, MAX_SECTIONS)
    data[64 : 64 + MAX_SECTIONS * 24] = bytes(MAX_SECTIONS * 24)
    engine.write_bytes(data)

    (problem,) = inspect_file(engine).problems
    assert "lies beyond the plan" in problem
