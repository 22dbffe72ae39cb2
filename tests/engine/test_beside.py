"""An engine is held against the manifest beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compat.engine.inspection import inspect_file
from compat.suite.manifest import manifest_path, store
from tests.engine.conftest import DATA, enterprise, hollow

PLAN = (DATA / "rtx-1.7.1.116.engine").read_bytes()
CLAIMS = {"flavour": "tensorrt_rtx", "version": "1.7.1.116", "arch": "portable"}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """An engine with the manifest that the suite writes."""
    path = tmp_path / "kept.engine"
    store(str(path), PLAN, CLAIMS)
    return path


def _change(engine: Path, **changed: Any) -> None:
    path = Path(manifest_path(str(engine)))
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changed), encoding="utf-8")


def test_the_digest_is_checked_only_where_it_is_asked_for(kept: Path) -> None:
    """It would read the whole file, and the result says that it did not."""
    plain, whole = inspect_file(kept), inspect_file(kept, digest=True)

    assert plain.holds
    assert plain.manifest is not None
    assert plain.manifest.digest == "not-checked"
    assert whole.holds
    assert whole.manifest is not None
    assert whole.manifest.digest == "matches"


def test_a_flipped_weight_is_found_by_the_digest_alone(kept: Path) -> None:
    """A plan has no checksum of its own."""
    data = bytearray(PLAN)
    data[-100] ^= 0x40
    kept.write_bytes(data)

    assert inspect_file(kept).holds
    assert inspect_file(kept, digest=True).problems == ["differs from the SHA-256 in its manifest"]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"version": "1.6.1.120"}, "version '1.6.1.120', the plan 1.7.1.116"),
        ({"version": "1.7.1.11"}, "version '1.7.1.11', the plan 1.7.1.116"),
        ({"flavour": "tensorrt"}, "says 'tensorrt', it is a plan of tensorrt_rtx"),
        ({"flavour": "onnxruntime"}, "says 'onnxruntime'"),
        ({"bytes": 5}, "says 5 bytes, it has 6460"),
        ({"bytes": "many"}, "says 'many' bytes"),
        ({"version": ["x" * 100_000]}, "version"),
    ],
)
def test_a_claim_that_the_engine_contradicts_is_told(
    kept: Path, changed: dict[str, Any], says: str
) -> None:
    """One line, whatever the manifest holds."""
    _change(kept, **changed)

    found = inspect_file(kept)

    assert len(found.problems) == 1
    assert says in found.problems[0]
    assert len(found.problems[0]) < 500


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"arch": "sm_90", "variant": "hc-ampere-plus", "version": "8.6.0"}, ""),
        ({"arch": "sm_80", "variant": "hc-ampere-plus"}, "says 'sm_80', the plan sm_90"),
        ({"arch": "sm_90", "variant": "plain"}, "the plan hardware level ampere-plus"),
    ],
)
def test_gpu_and_hardware_level_are_held_against_the_plan(
    tmp_path: Path, claims: dict[str, str], says: str
) -> None:
    """TensorRT 8.6 records what it was built on."""
    path = enterprise("hc-ampere-plus", tmp_path / "x.engine")
    manifest = {"bytes": path.stat().st_size, "flavour": "tensorrt", **claims}
    Path(manifest_path(str(path))).write_text(json.dumps(manifest), encoding="utf-8")

    found = inspect_file(path)

    assert len(found.problems) == bool(says)
    assert not says or says in found.problems[0]


@pytest.mark.parametrize(
    ("name", "variant", "says"),
    [
        ("vc", "vc", ""),
        ("vc", "of-somebody-else", ""),
        ("vc", "plain", "says variant 'plain', the plan has a lean runtime inside"),
        ("vc", "vc-lean-excluded", "the plan has a lean runtime inside"),
        ("base", "vc", "says variant 'vc', the plan has no lean runtime inside"),
        ("base", "vc-lean-excluded", ""),
        ("base", "plain", ""),
    ],
)
def test_the_variant_is_held_against_the_sections(
    tmp_path: Path, name: str, variant: str, says: str
) -> None:
    """A lean runtime is a section of its own, so a manifest of another engine shows."""
    path = hollow("8.6.0.12", name, tmp_path / "x.engine")
    manifest = {"bytes": path.stat().st_size, "flavour": "tensorrt", "variant": variant}
    Path(manifest_path(str(path))).write_text(json.dumps(manifest), encoding="utf-8")

    found = inspect_file(path)

    assert len(found.problems) == bool(says)
    assert not says or says in found.problems[0]


def test_a_manifest_may_state_the_first_parts_of_the_version(kept: Path) -> None:
    """The wheel of 8.6.0.12 calls itself 8.6.0."""
    _change(kept, version="1.7.1")

    assert inspect_file(kept).holds


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "\xff", '{"sha256": ' + "9" * 5000 + "}"])
def test_a_manifest_that_cannot_be_read_is_told(kept: Path, text: str) -> None:
    """It is there, so the engine was meant to be checked."""
    Path(manifest_path(str(kept))).write_text(text, encoding="latin-1")

    assert inspect_file(kept, digest=True).problems == ["its manifest is no JSON"]


def test_a_manifest_larger_than_any_is_not_read(kept: Path) -> None:
    """Nor is a folder or a pipe of that name."""
    Path(manifest_path(str(kept))).write_text(" " * 1_000_000, encoding="ascii")

    assert "which no manifest is" in inspect_file(kept).problems[0]


def test_another_kind_of_json_beside_an_engine_is_no_manifest(kept: Path) -> None:
    """Such as a profile that trtexec exported."""
    Path(manifest_path(str(kept))).write_text("[{}]", encoding="ascii")

    assert inspect_file(kept).manifest is None
    assert inspect_file(kept).holds


def test_an_engine_of_another_runtime_is_what_its_manifest_says(tmp_path: Path) -> None:
    """The matrix has columns without TensorRT, and their engines stand in the same folders."""
    path = tmp_path / "ort.engine"
    data = b"\x18\0\0\0ORTM" + bytes(100)
    store(str(path), data, {"flavour": "onnxruntime", "version": "1.31.1"})

    found = inspect_file(path, digest=True)

    assert found.holds, found.problems
    assert found.kind == "other-runtime"
    path.write_bytes(data[:-1])
    assert len(inspect_file(path).problems) == 1
    _change(path, flavour="tensorrt")
    assert not inspect_file(path).holds
