"""What a person sees while a run goes on."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from compat.conductor import progress
from compat.conductor.process import Watch
from compat.conductor.progress import Progress
from compat.conductor.slots import Slot
from compat.matrix import Item
from compat.records import RecordStore, unanswered

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


@pytest.mark.parametrize(
    ("facts", "said"), [({"stopped_by_digest": True}, "digest;"), ({}, "digest unknown;")]
)
def test_a_digest_is_praised_only_where_it_was_seen(
    tmp_path: Path, facts: dict[str, bool], said: str
) -> None:
    """A damaged engine may kill its process before or after the digest was looked at."""
    item = replace(ITEMS[0], check="damaged", phase="check", damage="truncated")
    cell = {**item.as_dict(), "item": item.id}
    died = {"status": "crashed", "reason": "signal-SIGSEGV", "message": "", "facts": facts}
    printed = io.StringIO()
    shown = Progress(
        Console(file=printed, width=200), (item,), RecordStore(tmp_path / "records"), 1
    )

    shown.finished(unanswered(item.id, None, cell, **died))

    assert f"truncated: {said} the runtime: crashed (signal-SIGSEGV)" in printed.getvalue()
