"""What a prediction takes from a real engine file and from the manifest beside it."""

from __future__ import annotations

from pathlib import Path

from compat.engine.prediction_file import engine_of
from compat.suite.manifest import store
from tests.engine.conftest import DATA, enterprise


def test_a_plan_of_rtx_names_its_targets() -> None:
    """Bits that have no name are no compute capability."""
    found = engine_of(DATA / "rtx-1.6.1.120.engine")

    assert (found.flavour, found.version) == ("tensorrt_rtx", "1.6.1.120")
    assert found.targets == {80, 86, 89, 120, 121}
    assert found.variants() == ("plain",)


def test_a_plan_of_tensorrt_states_its_gpu_and_its_hardware_level(tmp_path: Path) -> None:
    """No manifest is needed for that."""
    found = engine_of(enterprise("hc-ampere-plus", tmp_path / "a.engine"))

    assert (found.version, found.arch, found.level) == ("8.6.0.12", 90, "ampere-plus")


def test_a_manifest_states_the_variant(tmp_path: Path) -> None:
    """The plan's own version, in all its parts, goes before the manifest's."""
    plan = enterprise("plain", tmp_path / "b.engine").read_bytes()
    path = tmp_path / "a.engine"
    store(
        str(path),
        plan,
        {"flavour": "tensorrt", "version": "8.6.0", "variant": "plain", "arch": "sm_90"},
    )
    found = engine_of(path)

    assert (found.version, found.variant, found.variants()) == ("8.6.0.12", "plain", ("plain",))


def test_what_the_caller_says_fills_in_what_the_file_does_not(tmp_path: Path) -> None:
    """A file that states its GPU is believed."""
    found = engine_of(enterprise("plain", tmp_path / "a.engine"), variant="stripped", arch=75)

    assert (found.variant, found.arch) == ("stripped", 90)


def test_a_cut_file_is_no_engine(tmp_path: Path) -> None:
    """Its problem is told as inspect tells it."""
    path = tmp_path / "cut.engine"
    path.write_bytes((DATA / "rtx-1.7.1.116.engine").read_bytes()[:1000])

    assert "is cut" in engine_of(path).problems[0]
