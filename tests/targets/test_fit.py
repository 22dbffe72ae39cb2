"""What NVIDIA's rules say of a release on a machine: yes, under a condition, unknown, no."""

from __future__ import annotations

import pytest

from compat.targets.devices import Device, Machine, find
from compat.targets.facts import facts
from compat.targets.fit import Reason, Verdict, gpu, reasons, worst


def _device(name: str) -> Device:
    (found,) = find(facts(), name)
    return found


@pytest.mark.parametrize(
    ("release", "name", "verdict"),
    [
        ("8.6.1.6", "P100", "yes"),
        ("9.2", "P100", "unknown"),
        ("10.0.1.6", "P100", "no"),
        ("10.4.0.26", "V100", "yes"),
        ("10.5.0.18", "V100", "no"),
        ("11.2.1.2", "T4", "yes"),
        ("11.3.0.99", "T4", "unknown"),
        ("8.5.1.7", "H100", "yes"),
        ("8.5.1.7", "L4", "unknown"),
        ("8.6.1.6", "L4", "yes"),
        ("10.7.0.23", "B200", "no"),
        ("10.8.0.43", "B200", "yes"),
        ("10.13.3.9", "GB300", "no"),
        ("10.14.1.48.post1", "GB300", "yes"),
        ("11.2.1.2", "Rubin", "no"),
        ("11.3.0.99", "Rubin", "yes"),
        ("10.3", "Orin", "yes"),
        (None, "A10", "unknown"),
    ],
)
def test_gpus(release: str | None, name: str, verdict: Verdict) -> None:
    found = gpu(facts(), "tensorrt", release, _device(name))

    assert found.verdict == verdict
    assert found.source.startswith("https://")


@pytest.mark.parametrize(
    ("release", "name", "verdict"),
    [
        ("1.7.1.116", "T4", "yes"),
        ("1.4.0.76", "GB10", "no"),
        ("1.5.0.114", "GB10", "yes"),
        ("1.7.1.116", "A100", "unknown"),
        ("1.7.1.116", "H200", "no"),
        ("1.7.1.116", "V100", "no"),
        ("2.0.0.1", "T4", "unknown"),
    ],
)
def test_gpus_of_rtx(release: str, name: str, verdict: Verdict) -> None:
    assert gpu(facts(), "tensorrt_rtx", release, _device(name)).verdict == verdict


def _driver(
    driver: str, cuda: str, gpu_name: str = "", tag: str = "", *, own: str | None = None
) -> Reason:
    """Return what is said of the driver alone."""
    known = facts()
    devices = find(known, gpu_name) if gpu_name else ()
    image = next((one for one in known.images if one.tag == tag), None)
    machine = Machine(driver or None, own, devices)
    found = reasons(
        known,
        machine,
        flavour="tensorrt",
        release="11.2.1.2",
        cuda=cuda,
        provider="container" if tag else "wheel",
        image=image,
    )
    return next(one for one in found if one.about == "driver")


class TestDrivers:
    """NVIDIA's three rules: as new as the toolkit, same major, forward compatibility."""

    @pytest.mark.parametrize(
        ("driver", "cuda", "verdict"),
        [
            ("535.54.03", "12.2", "yes"),
            ("535.54.03", "11.8.0", "yes"),
            ("535.54.03", "12.6.1", "limits"),
            ("525.60.13", "12.9.1", "limits"),
            ("520.61.05", "12.0.1", "no"),
            ("580", "13.4.1", "limits"),
            ("575", "13.0.0", "no"),
            ("470.82.01", "11.8.0", "limits"),
            ("535", "11", "yes"),
            ("535", "12", "limits"),
            ("580", "12", "yes"),
            ("535", "13", "no"),
            ("535", "14.0", "unknown"),
        ],
    )
    def test_a_wheel(self, driver: str, cuda: str, verdict: Verdict) -> None:
        assert _driver(driver, cuda).verdict == verdict

    @pytest.mark.parametrize(
        ("own", "cuda", "verdict"),
        [("12.2", "12", "limits"), ("13.0", "12", "yes"), ("12.9", "13", "no")],
    )
    def test_where_only_the_cuda_of_the_driver_is_known(
        self, own: str, cuda: str, verdict: Verdict
    ) -> None:
        """The driver library says its CUDA; its own version it does not say."""
        assert _driver("", cuda, own=own).verdict == verdict

    def test_an_image_allows_older_drivers_on_data_centre_gpus(self) -> None:
        found = _driver("535.104.05", "12.6.0", "T4", "24.08")

        assert found.verdict == "limits"
        assert "R535 from 535.86 on" in found.text
        assert "rel-24-08" in found.source

    def test_an_older_driver_of_the_allowed_branch_is_not_allowed(self) -> None:
        found = _driver("535.54.03", "12.6.0", "T4", "24.08")

        assert found.short == "minor version compatibility"

    def test_notes_that_contradict_the_cuda_rules_are_no_answer(self) -> None:
        """Those of 25.08 ask for driver 575 with CUDA 13, which needs 580."""
        found = _driver("535.104.05", "13.0.0", "T4", "25.08")

        assert found.verdict == "unknown"
        assert "the texts disagree" in found.text

    def test_on_other_gpus_both_texts_are_told(self) -> None:
        """Minor version compatibility says it runs, the image's notes ask for more."""
        found = _driver("535.104.05", "12.6.0", "RTX 4090", "24.08")

        assert found.verdict == "limits"
        assert "ask for R560" in found.text

    def test_forward_compatibility_is_for_data_centre_gpus(self) -> None:
        desktop = _driver("535", "13.0.2", "RTX 4090", "25.10")
        server = _driver("535", "13.0.2", "T4", "25.10")
        anything = _driver("535", "13.0.2", "", "25.10")

        assert desktop.verdict == "no"
        assert "error 804" in desktop.text
        assert (server.verdict, anything.verdict) == ("unknown", "unknown")
        assert "forward-compatibility" in server.source

    def test_a_gpu_that_the_driver_does_not_know(self) -> None:
        found = _driver("535", "12.0", "B200")

        assert found.verdict == "no"
        assert "R570" in found.text


def test_what_is_not_asked_is_not_answered() -> None:
    assert (
        reasons(
            facts(), Machine(), flavour="tensorrt", release="10.3", cuda="12.6", provider="wheel"
        )
        == []
    )
    assert worst([]) == "yes"


def test_every_gpu_counts() -> None:
    """A machine with a V100 and a T4 runs what both run."""
    known = facts()
    machine = Machine(devices=(*find(known, "V100"), *find(known, "T4")))

    found = reasons(
        known, machine, flavour="tensorrt", release="10.5.0.18", cuda=None, provider="wheel"
    )

    assert [one.verdict for one in found] == ["no", "yes"]
    assert worst(found) == "no"


def test_a_capability_that_nobody_listed_is_unknown() -> None:
    assert gpu(facts(), "tensorrt", "11.2.1.2", _device("sm_199")).verdict == "unknown"
