"""The longest begins first: by what it took the last time, else by its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compat.conductor.durations import FILE, Durations
from compat.matrix import Item
from tests.conductor.kitchens import kitchen

BUILDS = [item for item in kitchen().plan.items if item.check == "build"]


def _record(item: Item, seconds: float, status: str = "ok") -> dict[str, Any]:
    return {"item": item.id, "seconds": seconds, "status": status}


def test_what_is_known_weighs_its_seconds(tmp_path: Path) -> None:
    """And it outlives the run that has learned it."""
    Durations(tmp_path).learn([_record(BUILDS[0], 12.5), _record(BUILDS[1], 700, "timeout")])

    weigh = Durations(tmp_path).weigher(BUILDS, lambda item: 10.0)

    assert weigh(BUILDS[:2]) == 712.5


def test_what_is_not_known_takes_as_long_for_its_size(tmp_path: Path) -> None:
    """Seconds and bytes cannot be compared: a new model must not come first or last for that."""
    Durations(tmp_path).learn([_record(BUILDS[0], 20.0)])

    weigh = Durations(tmp_path).weigher(BUILDS, lambda item: 1e8 if item == BUILDS[0] else 3e8)

    assert weigh([BUILDS[1]]) == pytest.approx(60.0)


def test_what_did_not_run_teaches_nothing(tmp_path: Path) -> None:
    """It took no time, and will where it runs."""
    Durations(tmp_path).learn([_record(BUILDS[0], 20.0)])
    Durations(tmp_path).learn([_record(BUILDS[0], 0.0, "not-run")])

    assert Durations(tmp_path).weigher(BUILDS, lambda item: 1.0)(BUILDS[:1]) == 20.0


@pytest.mark.parametrize("text", ["", "[1]", '{"a": "b"}', '{"a": null}', "{"])
def test_a_file_that_is_none_decides_nothing(tmp_path: Path, text: str) -> None:
    """An order is no reason to stop."""
    (tmp_path / FILE).parent.mkdir()
    (tmp_path / FILE).write_text(text)

    assert Durations(tmp_path).weigher(BUILDS, lambda item: 5.0)(BUILDS[:2]) == 10.0
