"""Targets of a configuration against a machine, container targets among them."""

from __future__ import annotations

from compat.targets import TargetSpec, catalogue
from compat.targets.devices import Machine, find
from compat.targets.facts import facts
from compat.targets.matching import Match, match
from compat.targets.spec import EngineChoice

T4 = Machine("535.104.05", None, find(facts(), "T4"))
NGC = "nvcr.io/nvidia/tensorrt:"


def _match(
    image: str | None, version: str, machine: Machine = T4, engines: tuple[str, ...] | None = None
) -> Match:
    spec = TargetSpec("box", "tensorrt", version, "container", "current")
    return match(spec, image, machine, catalogue(), facts(), engines=engines)


def test_an_image_brings_its_cuda() -> None:
    found = _match(f"{NGC}24.08-py3", "10.3.0.26")

    assert found.verdict == "limits"
    assert any("R535 from 535.86 on" in one.text for one in found.reasons)
    assert found.notes == ()


def test_a_copy_on_a_mirror_is_the_same_image() -> None:
    assert _match("mirror.example/ngc/tensorrt:24.08-py3", "10.3.0.26").verdict == "limits"


def test_an_image_that_nobody_listed_is_judged_by_its_gpu_alone() -> None:
    found = _match("registry.example/own:1", "10.3.0.26")

    assert [one.about for one in found.reasons] == ["gpu"]
    assert "no row of the catalogue" in found.notes[0]


def test_a_version_that_the_catalogue_contradicts_is_told() -> None:
    """It is no verdict: the image is asked when it is used."""
    found = _match(f"{NGC}24.04-py3", "10.0.1.6")

    assert found.verdict == "limits"
    assert "has TensorRT 8.6.3 in 24.04" in found.notes[0]
    assert "24.04" in found.notes[0]


def test_a_shorter_version_of_the_catalogue_contradicts_nothing() -> None:
    assert _match(f"{NGC}24.10-py3", "10.5.0.18").notes == ()


def test_a_container_needs_an_engine() -> None:
    found = _match(f"{NGC}24.08-py3", "10.3.0.26", engines=())

    assert found.verdict == "no"
    assert "install Docker or Podman" in found.reasons[0].text
    assert _match(f"{NGC}24.08-py3", "10.3.0.26", engines=("podman",)).verdict == "limits"


def test_the_engine_that_is_asked_for_has_to_be_there() -> None:
    """Also where the image holds a runtime for the CPU."""
    spec = TargetSpec("box", "onnxruntime", "1.31.1", "container", "current")

    def verdict(engines: tuple[str, ...], choice: EngineChoice) -> str:
        machine = Machine(problem="no CUDA driver")
        found = match(spec, "x:1", machine, catalogue(), facts(), engines=engines, choice=choice)
        return found.verdict

    assert verdict((), "auto") == "no"
    assert verdict(("podman",), "docker") == "no"
    assert verdict(("podman",), "auto") == verdict(("podman",), "podman") == "yes"


def test_without_a_driver_nothing_runs() -> None:
    found = _match(f"{NGC}24.08-py3", "10.3.0.26", Machine(problem="no CUDA driver"))

    assert found.verdict == "no"


def test_a_baseline_asks_nothing() -> None:
    spec = TargetSpec("ort", "onnxruntime", "1.31.1", "wheel", "current")
    machine = Machine(problem="no CUDA driver")

    found = match(spec, None, machine, catalogue(), facts(), engines=())

    assert found.verdict == "yes"
