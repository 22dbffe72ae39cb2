"""Parts of an environment held against what the texts say, from the data of the catalogue."""

from __future__ import annotations

import pytest

from compat.targets import catalogue
from compat.targets.devices import Machine, find
from compat.targets.environment import Environment, Statement, _data, statements, traps
from compat.targets.facts import Confidence, facts


def _environment(
    *, driver: str | None = None, gpu: str = "", flavour: str = "tensorrt", **parts: str
) -> Environment:
    devices = find(facts(), gpu) if gpu else ()
    return Environment(Machine(driver, None, devices), flavour, **parts)


def _asked(**parts: str) -> list[Statement]:
    return statements(_environment(**parts), catalogue(), facts())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "about", "stage"),
    [
        ({"tensorrt": "8.6.0", "cudnn": "9"}, "tensorrt x cudnn", "import"),
        ({"tensorrt": "8.6.0", "python": "3.12"}, "tensorrt x python", "install"),
        ({"tensorrt": "10.13.2.6", "cuda": "11.8"}, "tensorrt x cuda", "install"),
        ({"tensorrt": "10.12.0.36", "cuda": "13.0"}, "tensorrt x cuda", "install"),
        ({"tensorrt": "11.4.0.106", "gpu": "AGX Orin"}, "tensorrt x gpu", "run"),
        ({"tensorrt": "10.5.0", "gpu": "V100"}, "tensorrt x gpu", "run"),
        ({"driver": "535.104", "cuda": "13.0"}, "driver x cuda 13.0", "run"),
        ({"driver": "590.44.01", "gpu": "V100"}, "driver x gpu", "run"),
        ({"driver": "535.104", "gpu": "RTX 5090"}, "driver x gpu", "run"),
        ({"cuda": "12.4", "gpu": "RTX 5090"}, "cuda x gpu", "run"),
        ({"cuda": "13.0", "gpu": "GTX 1080"}, "cuda x gpu", "run"),
        (
            {"flavour": "tensorrt_rtx", "tensorrt": "1.7.1.116", "gpu": "H200"},
            "tensorrt x gpu",
            "run",
        ),
    ],
)
def test_what_cannot_work_is_said_with_where_it_stops(
    parts: dict[str, str], about: str, stage: str
) -> None:
    """Before anything is downloaded, and with a source."""
    first = _asked(**parts)[0]

    assert (first.verdict, first.about, first.stage) == ("no", about, stage)
    assert first.source


def test_an_environment_that_can_work_is_not_ruled_out() -> None:
    """The issue's own example: an old driver of the right major has limits, no more."""
    parts = {"driver": "535.104", "cuda": "12.4", "tensorrt": "10.13.2.6", "cudnn": "9"}
    found = _asked(**parts, python="3.10", gpu="T4")

    assert {one.verdict for one in found} == {"yes", "limits"}


def test_without_a_cuda_the_best_of_the_wheels_counts() -> None:
    """10.13.2 is built for CUDA 12 and 13: driver 535 runs the first."""
    found = [
        one
        for one in _asked(driver="535.104", tensorrt="10.13.2.6")
        if one.about == "driver x cuda"
    ]

    assert [one.verdict for one in found] == ["limits"]


@pytest.mark.parametrize("parts", [{"tensorrt": "9.1"}, {"tensorrt": "12.0.0.1"}])
def test_a_release_that_nobody_listed_is_unknown(parts: dict[str, str]) -> None:
    """Unknown is an answer."""
    assert _asked(**parts, python="3.10")[0].verdict == "unknown"


def test_a_version_in_part_is_every_release_that_begins_so() -> None:
    """10.13 has CUDA 13 from 10.13.2 on, so 10.13 is not ruled out."""
    assert {one.verdict for one in _asked(tensorrt="10.13", cuda="13")} == {"yes"}


def test_traps_of_the_release_are_told() -> None:
    """What people run into with exactly this version."""
    told = traps(_environment(tensorrt="10.0.1"), facts())

    assert any("installs 10.1 or newer" in one for one in told)


def test_every_row_has_a_source_and_words_that_are_known() -> None:
    """The file is read without a schema, so this is it."""
    words = Confidence.__args__  # type: ignore[attr-defined]
    for row in _data()["rule"]:
        assert row["verdict"] in ("yes", "limits", "no")
        assert row["stage"] in ("install", "import", "run")
        assert row["confidence"] in words
        assert row["source"].startswith(("https://", "tensorrt-facts"))
    known = {row.sm for row in facts().capabilities}
    assert all(set(row["sm"]) & known for row in _data()["architecture"])
    assert _data()["architecture-source"].startswith("https://")
