"""The catalogue as data: sound, complete, and found out when it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from compat.targets import catalogue, doctor
from compat.targets.catalogue import fits

RTX = ("1.4.0.76", "1.5.0.114", "1.6.1.120", "1.7.1.116")


class TestBuiltIn:
    """The catalogue that comes with the program."""

    def test_is_sound(self) -> None:
        """The doctor finds nothing."""
        assert doctor(catalogue()) == []

    @pytest.mark.parametrize("version", RTX)
    @pytest.mark.parametrize("cuda", ["12", "13"])
    def test_rtx_is_verified(self, version: str, cuda: str) -> None:
        """Each RTX release has a digest for every wheel of every Python."""
        known = catalogue()
        release = known.find("tensorrt_rtx", version)
        assert release is not None

        recipes = [known.recipe(release, cuda, python) for python in release.pythons]

        assert all(recipe.complete for recipe in recipes)

    @pytest.mark.parametrize("version", ["1.30.0", "1.31.1"])
    def test_default_baselines_are_verified(self, version: str) -> None:
        """The two default onnxruntime targets are pinned and verified with all they require."""
        known = catalogue()
        release = known.find("onnxruntime", version)
        assert release is not None

        recipe = known.recipe(release, "cpu", "3.11")

        assert recipe.complete
        assert not recipe.resolve
        assert len(recipe.pins) == 5

    def test_unlisted_version_follows_the_rule(self) -> None:
        """A version newer than the catalogue can be tried, unverified."""
        known = catalogue()
        release = known.find("tensorrt_rtx", "2.0.0.1")
        assert release is not None

        recipe = known.recipe(release, "12", "3.11")

        assert "tensorrt-rtx-cu12-libs==2.0.0.1" in recipe.pins
        assert recipe.resolve
        assert not recipe.complete

    def test_one_numpy_per_python(self) -> None:
        """The suite and the onnxruntime targets of a Python read arrays with one numpy."""
        known = catalogue()
        for python, support in known.flavours["onnxruntime"].support.items():
            assert {pin for pin in support if "numpy" in pin} <= set(known.suite[python])

    @pytest.mark.parametrize(
        ("version", "first"), [("1.7.9.9", "1.7.1.116"), ("1.4", "1.4.0.76"), ("9", "1.4.0.76")]
    )
    def test_nearest(self, version: str, first: str) -> None:
        """The nearest known version comes first."""
        assert catalogue().nearest("tensorrt_rtx", version)[0] == first


@pytest.mark.parametrize(
    ("tag", "yes"),
    [
        ("cp311-none-manylinux_2_28_x86_64", True),
        ("cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", True),
        ("py2.py3-none-any", True),
        ("cp310-none-manylinux_2_28_x86_64", False),
        ("cp311-cp311-manylinux_2_28_aarch64", False),
        ("cp311-cp311-macosx_10_9_x86_64", False),
        ("pp311-pypy311_pp73-manylinux_2_28_x86_64", False),
    ],
)
def test_fits(tag: str, yes: bool) -> None:
    """A wheel fits one Python on one kind of Linux machine."""
    assert fits(tag, "3.11", "x86_64") is yes


class TestDoctor:
    """Each fault of the data is found."""

    def test_twice_and_without_source(self) -> None:
        """A row that stands there twice, or has no source, is a finding."""
        known = catalogue()
        bad = replace(known.releases[0], source="")

        findings = doctor(replace(known, releases=(*known.releases, bad)))

        assert any("listed 2 times" in finding for finding in findings)
        assert any("no source" in finding for finding in findings)

    def test_parts_pythons_pins(self) -> None:
        """Three parts where four are due, unsorted Pythons, open pins."""
        known = catalogue()
        row = known.releases[0]
        bad = replace(row, version="1.9.0", pythons=("3.10", "3.9"), pins={"12": ("a>=1",)})

        findings = " / ".join(doctor(replace(known, releases=(*known.releases, bad))))

        assert "4 parts" in findings
        assert "sorted" in findings
        assert "a>=1: not an exact pin" in findings

    def test_digests(self) -> None:
        """Orphans, broken digests, a Python without a wheel, a suite pin without digest."""
        known = catalogue()
        pin = "tensorrt-rtx-cu12-bindings==1.4.0.76"
        wheels = {**known.wheels, "orphan==1.0": {"py3-none-any": "xyz"}}
        wheels[pin] = {"cp38-none-manylinux_2_28_x86_64": "0" * 64}
        del wheels["pytest==9.2.0"]

        findings = " / ".join(doctor(replace(known, wheels=wheels)))

        assert "orphan==1.0: has digests" in findings
        assert "not a sha256" in findings
        assert f"{pin} (CUDA 12) has no wheel for Python 3.9" in findings
        assert "pytest==9.2.0 has no digest" in findings

    def test_python_without_suite(self) -> None:
        """A Python that the suite has no packages for is a finding."""
        known = catalogue()
        suite = {key: value for key, value in known.suite.items() if key != "3.8"}

        assert any(
            "no packages for Python 3.8" in one for one in doctor(replace(known, suite=suite))
        )
