"""What a prediction takes from a real engine file and from the manifest beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.engine.prediction import Runtime, predict
from compat.engine.prediction_file import engine_of
from compat.suite.manifest import store
from tests.engine.conftest import DATA, enterprise, hollow


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


def test_a_lean_runtime_inside_says_variant_and_platform(tmp_path: Path) -> None:
    """No manifest is needed, and nobody who says otherwise is believed."""
    path = hollow("8.6.0.12", "vc", tmp_path / "a.engine")
    found = engine_of(path, variant="plain", platform="windows-x86_64")

    assert (found.lean_runtime, found.variants()) == ("embedded", ("vc",))
    assert (found.level, found.levels()) == ("none", ("none",))
    assert found.platform == "linux-x86_64"
    assert engine_of(path, variant="vc").variant == "vc"


def test_a_plan_without_a_lean_runtime_is_not_called_version_compatible(tmp_path: Path) -> None:
    """With one is what `vc` means; whether it was excluded, 8.6.0 does not say."""
    path = hollow("8.6.0.12", "vc-lean-excluded", tmp_path / "a.engine")

    assert engine_of(path).variants() == ("plain", "vc-lean-excluded")
    assert engine_of(path, variant="vc").variants() == ("plain", "vc-lean-excluded")
    assert engine_of(path, variant="vc-lean-excluded").variants() == ("vc-lean-excluded",)
    assert engine_of(path, platform="linux-x86_64").platform == "linux-x86_64"


@pytest.mark.parametrize(
    ("version", "name", "runtime", "answer", "rule"),
    [
        ("8.6.0.12", "vc", "tensorrt_dispatch 8.6.0", "must-load", "trt-vc-same-version"),
        ("8.6.0.12", "vc", "tensorrt 8.6.1", "must-load", "trt-vc-forward-same-major"),
        ("8.6.0.12", "vc", "tensorrt_lean 11.4.0.1", "must-refuse", "trt-vc-8-not-on-11"),
        # Whether it is plain or version compatible without its lean runtime: refused either way.
        ("8.6.0.12", "base", "tensorrt_dispatch 8.6.0", "must-refuse", ""),
        ("8.6.0.12", "vc-lean-excluded", "tensorrt_dispatch 8.6.0", "must-refuse", ""),
        ("8.6.0.12", "vc-lean-excluded", "tensorrt_lean 8.6.1", "unknown", ""),
        ("8.5.3.1", "base", "tensorrt 8.5.3.1", "must-load", "trt-same-version"),
        ("8.5.3.1", "refit", "tensorrt 8.6.0", "must-refuse", "trt-plain-engine-elsewhere"),
    ],
)
def test_what_a_real_plan_tells_is_enough_for_an_answer(
    tmp_path: Path, version: str, name: str, runtime: str, answer: str, rule: str
) -> None:
    """Version, lean runtime and level are read from the file; there is no manifest."""
    engine = engine_of(hollow(version, name, tmp_path / "a.engine"))
    flavour, _, number = runtime.partition(" ")

    found = predict(engine, Runtime(flavour, number, host_code=True))

    assert found.answer == answer
    assert not rule or found.statements[0].rule == rule


def test_a_plan_with_a_lean_runtime_has_to_be_trusted(tmp_path: Path) -> None:
    """The file shows that it brings code of its own; a plain plan asks for no permission."""
    runtime = Runtime("tensorrt", "8.6.0")
    lean, plain = (
        predict(engine_of(hollow("8.6.0.12", name, tmp_path / "a.engine")), runtime)
        for name in ("vc", "base")
    )

    assert (lean.answer, lean.statements[0].rule) == ("must-refuse", "trt-host-code-denied")
    assert all(one.rule != "trt-host-code-denied" for one in plain.statements)


@pytest.mark.parametrize(("on", "answer"), [("linux-x86_64", ""), ("windows-x86_64", "other")])
def test_a_lean_runtime_inside_names_the_platform(tmp_path: Path, on: str, answer: str) -> None:
    """Nobody has to say on which platform it was built."""
    engine = engine_of(hollow("8.6.0.12", "vc", tmp_path / "a.engine"))

    found = predict(engine, Runtime("tensorrt", "8.6.0", host_code=True, platform=on))

    rules = [one.rule for one in found.statements]
    assert ("trt-one-platform" in rules) is bool(answer)
    assert (found.answer == "must-refuse") is bool(answer)


def test_a_cut_file_is_no_engine(tmp_path: Path) -> None:
    """Its problem is told as inspect tells it."""
    path = tmp_path / "cut.engine"
    path.write_bytes((DATA / "rtx-1.7.1.116.engine").read_bytes()[:1000])

    assert "is cut" in engine_of(path).problems[0]
