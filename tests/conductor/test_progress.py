"""What a person sees while several GPUs are at work."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from compat.conductor import progress
from compat.conductor.process import Watch
from compat.conductor.progress import Progress
from compat.conductor.slots import Slot
from compat.matrix import Item
from compat.records import RecordStore

ITEMS = tuple(
    Item("build", "build", f"model-{n}", "fp32", "weak", "plain", "trt", "trt") for n in range(24)
)


@pytest.fixture
def heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what a heartbeat prints of the processes that run."""
    monkeypatch.setattr(progress, "HEARTBEAT_S", 0.0)

    def beat(*slots: Slot) -> list[str]:
        printed = io.StringIO()
        shown = Progress(
            Console(file=printed), ITEMS, RecordStore(tmp_path / "records"), 1, len(slots)
        )
        shown.wait({slot: Watch(started=f"build/{slot.number}") for slot in slots})
        return printed.getvalue().splitlines()

    return beat


def test_a_heartbeat_names_every_gpu_and_what_it_does(
    heartbeat: Callable[..., list[str]],
) -> None:
    """One that hangs must not hide behind another that is quick."""
    first, second = heartbeat(Slot(0, "4"), Slot(1, "6"))

    assert first == "  … GPU 4: build/0: 0 s so far"
    assert second.startswith("  … GPU 6: build/1: 0 s so far")


def test_two_gpus_take_half_the_time(heartbeat: Callable[..., list[str]]) -> None:
    """24 builds of 5 s, before this machine has shown what they take."""
    assert heartbeat(Slot())[-1] == "  … build/0: 0 s so far, about 2 min 00 s left"
    assert heartbeat(Slot(0, "4"), Slot(1, "6"))[-1].endswith(", about 1 min 00 s left")
