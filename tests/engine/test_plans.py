"""What a user reads of TensorRT's real plans, release by release, one thing varied in each."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from compat.engine.inspection import Inspection, inspect_file
from compat.engine.telling import details, row
from tests.engine.conftest import DATA, WHOLE, hollow, variations, whole, with_lean

PLANS = [(version, name) for version, plans in variations().items() for name in plans]
RELEASES = sorted(variations())
FORMATS = {"8.5.1.7": 232, "8.5.2.2": 232, "8.5.3.1": 232, "8.6.0.12": 236}
OLD = [name for name in WHOLE if "-8.5." in name]
U64_MAX = 2**64 - 1


def _stated(found: Inspection) -> dict[str, object]:
    assert found.plan is not None, found.problems
    both = {**found.plan.stated, **found.plan.device}
    return {name: one.value for name, one in both.items()}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A real and whole plan of 8.5.3, to be damaged."""
    path = tmp_path / "x.engine"
    path.write_bytes(whole("trt-8.5.3.1-tiny"))
    return path


def test_the_four_releases_and_their_variations_are_here() -> None:
    """16 of each 8.5, 21 of 8.6.0: what those releases can express."""
    assert {version: len(plans) for version, plans in variations().items()} == {
        "8.5.1.7": 16,
        "8.5.2.2": 16,
        "8.5.3.1": 16,
        "8.6.0.12": 21,
    }


@pytest.mark.parametrize(("version", "name"), PLANS)
def test_every_variation_is_told_as_it_was_asked_for(
    version: str, name: str, tmp_path: Path
) -> None:
    """Flags, name, profiles, verbosity and level follow what was asked, and nothing else."""
    asked = variations()[version][name]["asked"]
    flags, cleared = asked.get("flags", ()), asked.get("cleared", ())
    new = version == "8.6.0.12"

    found = inspect_file(hollow(version, name, tmp_path / "x.engine"))

    assert found.holds, found.problems
    assert found.plan is not None
    assert (found.plan.flavour, found.plan.version, found.plan.arch) == (
        "tensorrt",
        version,
        "sm_90",
    )
    assert found.plan.declared_bytes == found.bytes == variations()[version][name]["bytes"]
    stated = _stated(found)
    assert stated["archive_format"] == FORMATS[version]
    assert stated["refittable"] is ("REFIT" in flags)
    assert stated["tf32_allowed"] is ("TF32" not in cleared)
    assert stated["sparse_weights_allowed"] is ("SPARSE_WEIGHTS" in flags)
    assert stated.get("network_name") == asked.get("name")
    assert stated["profiles"] == asked.get("profiles", 1)
    verbose = asked.get("verbosity") == "DETAILED"
    assert stated["profiling_verbosity"] == ("detailed" if verbose else "layer-names-only")
    assert stated["sm_count"] == 132
    embedded = "VERSION_COMPATIBLE" in flags and "EXCLUDE_LEAN_RUNTIME" not in flags
    assert stated.get("lean_runtime") == (("embedded" if embedded else "none") if new else None)
    assert stated.get("lean_platform") == ("linux-x86_64" if embedded else None)
    level = "ampere-plus" if asked.get("level") == "AMPERE_PLUS" else "none"
    assert stated.get("hardware_compatibility") == (level if new else None)


@pytest.mark.parametrize("version", RELEASES)
def test_the_weights_grow_with_the_network(version: str, tmp_path: Path) -> None:
    """8 x 8, 64 x 64 and 128 x 128 numbers of four bytes, and what the tactics add."""
    sizes = {}
    for name in ("tiny", "base", "wide", "deep"):
        stated = _stated(inspect_file(hollow(version, name, tmp_path / "x.engine")))
        sizes[name] = int(str(stated["weight_bytes"]))

    for name, numbers in (("tiny", 64), ("base", 4096), ("wide", 16384), ("deep", 3 * 4096)):
        assert 0 <= sizes[name] - 4 * numbers <= 512, (name, sizes)


def test_a_version_compatible_plan_shows_its_lean_runtime(tmp_path: Path) -> None:
    """A section of its own, before the engine's, 32.9 MB of a Linux library."""
    found = inspect_file(hollow("8.6.0.12", "vc", tmp_path / "x.engine"))

    assert found.plan is not None
    assert [(one.tag, one.name, one.bytes) for one in found.plan.sections] == [
        ("LEAN", "lean runtime", 32_860_136),
        ("ENGN", "engine", 1_604_542),
    ]
    text = "\n".join(details(found))
    assert "lean runtime             embedded  [observed]" in text
    assert "section LEAN             lean runtime, 32,860,136 bytes at 80" in text
    assert "sm_90, lean inside" in row(found)[0]
    assert found.read_bytes < 20_000


def test_a_plan_without_its_lean_runtime_is_as_a_plain_one(tmp_path: Path) -> None:
    """8.6.0 leaves no mark of VERSION_COMPATIBLE where the lean runtime is excluded."""
    plain, excluded = (
        _stated(inspect_file(hollow("8.6.0.12", name, tmp_path / "x.engine")))
        for name in ("base", "vc-lean-excluded")
    )

    assert plain == excluded


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_plan_of_tensorrt_holds(name: str, tmp_path: Path) -> None:
    """All its bytes as they were built."""
    path = tmp_path / "x.engine"
    path.write_bytes(whole(name))

    found = inspect_file(path)

    assert found.holds, found.problems
    assert found.plan is not None
    assert found.plan.version == name.split("-")[1]
    assert found.read_bytes < 20_000


@pytest.mark.parametrize("name", WHOLE)
def test_a_plan_of_tensorrt_that_is_cut_is_told(name: str, tmp_path: Path) -> None:
    """Every length of the first 2 kB and of the last hundred bytes, and some between; 8.5 too."""
    path = tmp_path / "x.engine"
    data = whole(name)
    path.write_bytes(data)
    size = len(data)
    for length in (*range(size - 1, size - 100, -1), *range(size - 100, 2000, -7919)):
        _is_told_as_cut(path, length)
    for length in range(2000, 0, -1):
        _is_told_as_cut(path, length)


def _is_told_as_cut(path: Path, length: int) -> None:
    os.truncate(path, length)
    found = inspect_file(path)
    assert len(found.problems) == 1, (length, found.problems)
    assert length < 4 or found.problems[0].startswith("is cut"), (length, found.problems)


def test_a_cut_version_compatible_plan_still_says_what_it_was(tmp_path: Path) -> None:
    """Within its library: what stands in the table is known, the engine's own words are lost."""
    path = hollow("8.6.0.12", "vc", tmp_path / "x.engine")
    os.truncate(path, 1_000_000)

    found = inspect_file(path)

    assert found.problems == ["is cut: it declares 34464764 bytes and 1000000 are there"]
    assert _stated(found)["lean_runtime"] == "embedded"


@pytest.mark.parametrize("count", [1, 4, 4096])
@pytest.mark.parametrize("name", WHOLE)
def test_bytes_behind_a_plan_of_tensorrt_are_told(name: str, count: int, tmp_path: Path) -> None:
    """Something was appended."""
    path = tmp_path / "x.engine"
    path.write_bytes(whole(name) + bytes(count))

    assert inspect_file(path).problems == [f"has {count} bytes behind its declared end"]


@pytest.mark.parametrize("value", [0, 1, 3, 4, 30, 2**31, 2**32, 2**63, U64_MAX - 24, U64_MAX])
def test_a_length_of_8_5_that_cannot_be_is_told(plan: Path, value: int) -> None:
    """Its header states the length of what follows."""
    _change(plan, 16, struct.pack("<Q", value))

    assert not inspect_file(plan).holds


def test_an_overwritten_end_of_8_5_is_told(plan: Path) -> None:
    """The length is right, and the end is another file's."""
    _change(plan, plan.stat().st_size - 4, bytes(4))

    assert inspect_file(plan).problems == [
        "its archive does not end as archives do: overwritten or missing"
    ]


@pytest.mark.parametrize("name", OLD)
def test_a_format_that_no_plan_of_the_release_has_is_told(name: str, tmp_path: Path) -> None:
    """A flipped bit in the number that TensorRT compares first."""
    path = tmp_path / "x.engine"
    path.write_bytes(whole(name))
    _change(path, 8, b"\xe9")

    version = name.split("-")[1]
    assert inspect_file(path).problems == [
        f"its archive has the format 233, which no plan of {version} had"
    ]


@pytest.mark.parametrize("name", ["trt-8.6.0.12-tiny", "rtx-1.7.1.116"])
def test_a_plan_that_lost_its_beginning_is_told(name: str, tmp_path: Path) -> None:
    """What is left begins as a plan of 8.5 does; its version says that it is none."""
    data = whole(name) if name in WHOLE else (DATA / f"{name}.engine").read_bytes()
    path = tmp_path / "x.engine"
    path.write_bytes(data[data.index(b"ptrt") :])

    assert any("its beginning is missing" in one for one in inspect_file(path).problems)


@pytest.mark.parametrize(
    ("place", "data", "says"),
    [
        (4, b"\1", "its header has the serialization version 1, which no plan of 8.6.0.12 had"),
        (32, b"\xff" * 4, "has no section ENGN, which every plan of 8.6.0.12 that was seen had"),
    ],
)
def test_a_header_that_no_plan_of_8_6_has_is_told(
    place: int, data: bytes, says: str, tmp_path: Path
) -> None:
    """All 21 plans of 8.6.0 had serialization version 0 and a section for the engine."""
    path = tmp_path / "x.engine"
    path.write_bytes(whole("trt-8.6.0.12-tiny"))
    _change(path, place, data)

    assert inspect_file(path).problems == [says]


def test_an_archive_without_its_version_is_told(plan: Path) -> None:
    """The values begin with something else."""
    _change(plan, 24, bytes(4))

    assert inspect_file(plan).problems == [
        "its archive does not begin with the version that built it"
    ]


@pytest.mark.parametrize("value", [2**17, 2**32, 2**63, U64_MAX])
def test_weights_that_lie_beyond_a_plan_are_told(plan: Path, value: int) -> None:
    """The number behind which everything else is found."""
    place = plan.read_bytes().index(struct.pack("<HHHHQ", 0x80BB, 1, 0x8009, 1, 256)) + 8
    _change(plan, place, struct.pack("<Q", value))

    assert inspect_file(plan).problems == [
        f"its weights ({value} bytes) lie beyond its archive (76637 bytes)"
    ]


def test_a_flipped_bit_in_the_weights_is_not_seen_without_the_manifest(plan: Path) -> None:
    """TensorRT has no checksum; `--digest` is for that."""
    data = plan.read_bytes()
    _change(plan, 400, bytes([data[400] ^ 1]))

    assert inspect_file(plan).holds


def test_an_overwritten_lean_runtime_is_told(tmp_path: Path) -> None:
    """The table says that it is there, and no library begins there."""
    path = hollow("8.6.0.12", "vc", tmp_path / "x.engine")
    _change(path, 80, bytes(4))

    assert inspect_file(path).problems == [
        "its lean runtime is no library: overwritten, or of an unknown kind"
    ]


def test_a_lean_runtime_for_another_machine_is_named(tmp_path: Path) -> None:
    """Concluded, not seen: an ELF file of ARM, of a machine without a name, one of Windows."""
    path = tmp_path / "x.engine"
    path.write_bytes(with_lean(whole("trt-8.6.0.12-tiny")))
    assert _stated(inspect_file(path))["lean_platform"] == "linux-x86_64"
    _change(path, 80 + 18, struct.pack("<H", 183))
    assert _stated(inspect_file(path))["lean_platform"] == "linux-aarch64"
    _change(path, 80 + 18, struct.pack("<H", 21))
    found = inspect_file(path)
    assert found.holds, found.problems
    assert "lean_platform" not in _stated(found)
    _change(path, 80, b"MZ")
    assert _stated(inspect_file(path))["lean_platform"] == "windows-x86_64"


def test_a_hostile_name_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    """The network's name is whatever its author wrote."""
    path = hollow("8.5.3.1", "named", tmp_path / "x.engine")
    data = path.read_bytes()
    _change(path, data.index(b"a-network"), b"\x1b[2J\xff\xfe\x00\n")

    found = inspect_file(path)

    assert found.holds, found.problems
    assert all(line.isprintable() for line in details(found))


def _change(path: Path, place: int, data: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(place)
        stream.write(data)
