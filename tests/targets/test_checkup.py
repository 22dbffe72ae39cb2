"""What a target lacks is said before anything is installed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from compat.suite.driver import Driver, Gpu
from compat.targets import Finding, TargetSpec, catalogue, devices, examine, gpus
from compat.targets.devices import this_machine
from compat.targets.facts import facts
from compat.targets.matching import match

Bench = Any


@pytest.fixture(autouse=True)
def _no_driver_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "_DRIVER_FILE", tmp_path / "absent")


NO_DRIVER = Driver(None, [], "no CUDA driver")


def _look(bench: Bench, version: str = "1.0.0", **more: object) -> dict[str, Finding]:
    """Return what is found, the worst of each kind."""
    spec = bench.spec(version, **more)
    found = examine(spec, bench.work, NO_DRIVER, bench.catalogue(), bench.messages.append)
    order = ("ok", "note", "missing")
    return {one.about: one for one in sorted(found, key=lambda one: order.index(one.level))}


class TestWheelTarget:
    """A target of pinned wheels."""

    def test_all_at_hand(self, bench: Bench) -> None:
        found = _look(bench)

        assert {one.level for one in found.values()} == {"ok"}
        assert "onnxruntime==1.0.0" in found["release"].text
        assert not (bench.work / "envs").exists()

    def test_made_already(self, bench: Bench) -> None:
        bench.ready()

        assert _look(bench)["environment"].level == "ok"

    def test_a_wheel_that_is_nowhere(self, bench: Bench) -> None:
        bench.release("2.0.0")

        found = _look(bench, "2.0.0")

        assert found["wheels"].level == "missing"
        assert "onnxruntime==2.0.0" in found["wheels"].text

    def test_a_release_that_nobody_listed(self, bench: Bench) -> None:
        bench.wheel("onnxruntime", "1.9.0", "__version__ = '1.9.0'", hashed=False)

        found = _look(bench, "1.9.0")

        assert found["release"].level == "note"
        assert "without digests" in found["release"].text
        assert found["wheels"].level == "ok"

    def test_a_folder_that_is_not_there(self, bench: Bench, tmp_path: Path) -> None:
        found = _look(bench, find_links=(tmp_path / "typo",))

        assert found["wheels"].level == "missing"
        assert "typo" in found["wheels"].text

    def test_a_python_that_is_not_there(self, bench: Bench) -> None:
        bench.releases.clear()
        bench.release("1.0.0", pythons=("3.98",))
        bench.suite["3.98"] = bench.suite[next(iter(bench.suite))]

        offline, online = _look(bench), _look(bench, offline=False)

        assert offline["python"].level == "missing"
        assert "uv python install 3.98" in offline["python"].text
        assert online["python"].level == "note"

    def test_a_python_without_wheels(self, bench: Bench) -> None:
        assert "not for 3.6" in _look(bench, python="3.6")["release"].text

    def test_a_python_that_the_suite_does_not_run_on(self, bench: Bench) -> None:
        bench.suite = {"3.8": ("suite-dep==1.0",)}

        found = _look(bench)["python"]

        assert found.level == "missing"
        assert "is not one that the suite runs on (3.8)" in found.text

    def test_a_standing_environment_that_the_suite_does_not_run_in(self, bench: Bench) -> None:
        bench.ready()
        bench.suite = {"3.8": ("suite-dep==1.0",)}

        assert _look(bench)["python"].level == "missing"

    def test_packages_of_the_suite_that_are_laid_out_need_no_wheels(self, bench: Bench) -> None:
        bench.ready()
        bench.runtime("2.0.0")
        next(bench.wheels.glob("suite_dep*")).unlink()

        found = _look(bench, "2.0.0", name="second", find_links=(bench.wheels,))

        assert found["wheels"].level == "ok"

    def test_a_full_disk(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        class Usage(NamedTuple):
            free: int

        monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**8))

        found = _look(bench)

        assert found["disk"].level == "missing"
        assert "--work" in found["disk"].text


def test_a_local_target_is_asked(bench: Bench) -> None:
    python = str(bench.ready().python)

    fits = _look(bench, name="mine", provider="local", python=python)
    other = _look(bench, "1.2.0", name="mine", provider="local", python=python)

    assert fits["module"].level == "ok"
    assert other["module"].level == "missing"
    assert "1.0.0" in other["module"].text


def test_a_local_target_of_a_python_that_the_suite_does_not_run_on(bench: Bench) -> None:
    python = str(bench.ready().python)
    bench.suite = {"3.8": ("suite-dep==1.0",)}

    found = _look(bench, name="mine", provider="local", python=python)

    assert found["python"].level == "missing"


def _gpu(flavour: str, version: str, cuda: str, driver: Driver) -> dict[str, Finding]:
    target = TargetSpec("t", flavour, version, "wheel", "other")
    return {one.about: one for one in gpus.examine(target, cuda, driver)}


def _machine(cuda: str, name: str, arch: str) -> Driver:
    return Driver(cuda, [Gpu(name, arch)], "")


@pytest.mark.parametrize(
    ("version", "arch", "level"),
    [
        ("8.6.0", "sm_61", "ok"),
        ("10.0.1.6", "sm_61", "missing"),
        ("10.4.0.26", "sm_70", "ok"),
        ("10.5.0.18", "sm_70", "missing"),
        ("10.5.0.18", "sm_75", "ok"),
        ("11.2.1.2", "sm_100", "ok"),
        ("10.7.0.23", "sm_100", "missing"),
        ("8.6.0", "sm_120", "missing"),
        ("9.3.0.1", "sm_61", "note"),
        ("11.4.0.106", "sm_100", "note"),
        ("11.2.1.2", "sm_99", "note"),
    ],
)
def test_gpus_that_a_release_takes(version: str, arch: str, level: str) -> None:
    assert _gpu("tensorrt", version, "12", _machine("13.0", "a GPU", arch))["gpu"].level == level


def test_a_driver_that_is_too_old_names_the_one_needed() -> None:
    old = _machine("12.4", "NVIDIA H200", "sm_90")

    found = _gpu("tensorrt_lean", "11.4.0.106", "13", old)["driver"]

    assert found.level == "missing"
    assert "580" in found.text
    assert 'cuda = "12"' in found.text
    older = _gpu("tensorrt_lean", "11.4.0.106", "12", old)["driver"]
    assert older.level == "note"  # which CUDA 12 it is built with is not known
    assert "minor version compatibility" in older.text
    assert _gpu("tensorrt", "8.5.3.1", "11", old)["driver"].level == "ok"


@pytest.mark.parametrize("cuda", ["10.2", "11.8", "12.4", "13.0"])
@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt_lean", "tensorrt_rtx"])
def test_doctor_and_check_cannot_disagree(cuda: str, flavour: str) -> None:
    driver = _machine(cuda, "Tesla V100", "sm_70")
    machine = this_machine(facts(), driver)
    levels = {"yes": "ok", "limits": "note", "unknown": "note", "no": "missing"}
    for version, own in (("10.4.0.26", "12"), ("10.5.0.18", "12"), ("11.2.1.2", "13")):
        target = TargetSpec("t", flavour, version, "wheel", "other", cuda=own)

        check = match(target, None, machine, catalogue(), facts(), engines=None)
        doctor = gpus.examine(target, own, driver)

        assert [levels[one.verdict] for one in check.reasons] == [one.level for one in doctor]


def test_without_a_driver_an_rtx_builder_is_of_some_use() -> None:
    assert (
        "builds all the same" in _gpu("tensorrt_rtx", "1.7.1.116", "12", NO_DRIVER)["driver"].text
    )
    assert "builds" not in _gpu("tensorrt", "8.6.0", "12", NO_DRIVER)["driver"].text
    assert _gpu("onnxruntime", "1.31.1", "cpu", NO_DRIVER) == {}


def test_without_a_driver_pytorch_runs_on_the_cpu() -> None:
    found = _gpu("pytorch", "2.11.0", "12", NO_DRIVER)

    assert found["driver"].level == "note"
    assert "runs on the CPU" in found["driver"].text


@pytest.mark.parametrize(
    ("arch", "level"),
    [
        ("sm_70", "missing"),
        ("sm_75", "ok"),
        ("sm_80", "note"),
        ("sm_87", "missing"),
        ("sm_90", "missing"),
        ("sm_100", "missing"),
    ],
)
def test_gpus_that_rtx_does_not_take(arch: str, level: str) -> None:
    found = _gpu("tensorrt_rtx", "1.7.1.116", "12", _machine("13.0", "a GPU", arch))

    assert found["gpu"].level == level


def test_what_is_said_of_a_gpu_has_its_source() -> None:
    refused = _gpu("tensorrt", "10.5.0.18", "12", _machine("13.0", "Tesla V100", "sm_70"))["gpu"]
    open_ = _gpu("tensorrt", "11.4.0.106", "13", _machine("13.0", "NVIDIA A10", "sm_86"))["gpu"]

    assert "Tesla V100 (sm_70)" in refused.text
    assert "release-notes-10/10.5.0.html" in refused.text
    assert "no text says" in open_.text
    assert "11.2.1 is the newest one named" in open_.text


def test_pytorch_is_not_judged_by_the_rules_of_tensorrt() -> None:
    found = _gpu("pytorch", "2.11.0", "12", _machine("13.0", "Tesla V100", "sm_70"))

    assert found["gpu"].level == "ok"


def test_what_is_laid_beside_is_told(isolated: None, tmp_path: Path) -> None:
    spec = TargetSpec("t", "tensorrt", "8.6.0", "wheel", "other", offline=True)

    found = examine(spec, tmp_path, NO_DRIVER, catalogue(), lambda _: None)

    assert any("libnvinfer_lean.so.8.6.0" in one.text for one in found if one.level == "note")
