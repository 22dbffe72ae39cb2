"""A crash, a hang or a broken environment costs the item it hit; everything else is done."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from compat.conductor import process, workers
from compat.targets import Container, Mounts

FAKE = Path(__file__).with_name("fake_suite.py")


def _job(tmp_path: Path, what: list[str], **timeouts: float) -> process.Job:
    items = [
        {"id": f"load/{n}", "check": "load", "round": None, "key": "k", "cell": {}, "do": do}
        for n, do in enumerate(what)
    ]
    events = tmp_path / "events.jsonl"
    path = tmp_path / "job.json"
    return process.Job(
        argv=[sys.executable, str(FAKE), str(path)],
        env={},
        document={"items": items, "events": str(events)},
        path=path,
        events=events,
        log=tmp_path / "suite.log",
        timeouts={"load": 30.0, "start": 30.0, **timeouts},
    )


def _run(job: process.Job) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    for _ in process.run(job, results.append):
        time.sleep(0.01)
    return results


def test_one_process_does_all_items(tmp_path: Path) -> None:
    """Starting a target is paid once per phase, not per cell."""
    results = _run(_job(tmp_path, ["ok"] * 20))

    assert [r["item"] for r in results] == [f"load/{n}" for n in range(20)]
    assert len({r["facts"]["pid"] for r in results}) == 1
    assert results[0]["target"] == {"version": "9.9.9"}


def test_what_a_process_took_to_start_stands_in_its_first_result(tmp_path: Path) -> None:
    """No item's own seconds hold it, and of a hundred processes it is most of the harness."""
    begin = time.monotonic()
    results = _run(_job(tmp_path, ["ok", "segfault", "ok", "ok"]))
    took = time.monotonic() - begin

    told = [r["facts"].get("process_start_s") for r in results]
    assert [start is not None for start in told] == [True, False, True, False]
    starts = [start for start in told if start is not None]
    assert min(starts) > 0
    assert sum(starts) < took


def test_a_crash_costs_its_own_item(tmp_path: Path) -> None:
    """The suite starts again behind the item that died, and the signal is named."""
    results = _run(_job(tmp_path, ["ok", "segfault", "ok", "ok"]))

    assert [r["status"] for r in results] == ["ok", "crashed", "ok", "ok"]
    assert results[1]["reason"] == "signal-SIGSEGV"
    assert results[1]["key"] == "k"


def test_an_exit_in_an_item_keeps_the_last_words(tmp_path: Path) -> None:
    """What the library printed before it ended the process is in the record."""
    results = _run(_job(tmp_path, ["exit", "ok"]))

    assert results[0]["reason"] == "exit-3"
    assert "std::bad_alloc" in results[0]["message"]
    assert results[1]["status"] == "ok"


def test_a_hang_is_a_timeout_and_the_rest_runs(tmp_path: Path) -> None:
    """The conductor owns the clock: a Python timer cannot break a hang inside a C call."""
    results = _run(_job(tmp_path, ["ok", "hang", "ok"], load=0.8))

    assert [r["status"] for r in results] == ["ok", "timeout", "ok"]
    assert "[timeouts]" in results[1]["message"]


SETTLES = """
import json, os, sys, time
job = json.load(open(sys.argv[1]))
events = open(job["events"], "a")
def write(**event):
    print(json.dumps(event), file=events, flush=True)
for item in job["items"]:
    write(event="started", item=item["id"])
    if item["do"] != "die":
        write(event="progress", item=item["id"], facts={"stopped_by_digest": True})
    while item["do"] == "settle-and-hang":
        write(event="progress", item=item["id"], facts={})
        time.sleep(0.1)
    os.kill(os.getpid(), 11)
"""


def test_what_an_item_settled_outlives_its_process(tmp_path: Path) -> None:
    """A crash and a timeout keep it, the next item does not get it, and it buys no time."""
    job = _job(tmp_path, ["settle-and-die", "settle-and-hang", "die"], load=1.0)
    (tmp_path / "settles.py").write_text(SETTLES)

    results = _run(replace(job, argv=[sys.executable, str(tmp_path / "settles.py"), str(job.path)]))

    assert all(r["facts"].pop("process_start_s") > 0 for r in results)  # each had its own process
    settled = {"stopped_by_digest": True, "limit_s": 1.0}
    assert [(r["status"], r["facts"]) for r in results] == [
        ("crashed", settled),
        ("timeout", settled),
        ("crashed", {"limit_s": 1.0}),
    ]


def test_a_crash_between_two_items_costs_none(tmp_path: Path) -> None:
    """A destructor that dies after a result was written takes nothing with it."""
    results = _run(_job(tmp_path, ["ok", "die-behind", "ok", "ok"]))

    assert [r["status"] for r in results] == ["ok"] * 4


def test_zeros_in_an_event_file_are_passed_over(tmp_path: Path) -> None:
    """A power cut leaves blocks of zeros; they must not stop every later run."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event": "started"}\n' + b"\0" * 40 + b'\n{"event": "session"}\n')

    assert [event["event"] for event, _ in process.read_events(path)] == ["started", "session"]


def test_two_crashes_in_a_row_are_two_crashes(tmp_path: Path) -> None:
    """Restarting is not giving up."""
    results = _run(_job(tmp_path, ["segfault", "segfault", "ok"]))

    assert [r["status"] for r in results] == ["crashed", "crashed", "ok"]


def test_a_suite_that_cannot_start_leaves_its_items_not_run(tmp_path: Path) -> None:
    """A broken environment says nothing of the engines, and it says why."""
    results = _run(_job(tmp_path, ["never-start", "ok"]))

    assert [r["status"] for r in results] == ["not-run", "not-run"]
    assert "libnvinfer.so.8" in results[0]["message"]


def test_ctrl_c_ends_the_process_and_keeps_what_it_finished(tmp_path: Path) -> None:
    """No orphan keeps the GPU, and nothing that is done is done again."""
    results: list[dict[str, Any]] = []
    running = process.run(_job(tmp_path, ["ok", "hang", "ok"]), results.append)
    while next(running).started != "load/1":
        time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt)

    assert [r["item"] for r in results] == ["load/0"]
    with pytest.raises(ProcessLookupError):
        os.kill(results[0]["facts"]["pid"], 0)


def test_ctrl_c_as_a_result_is_recorded_comes_behind_it(tmp_path: Path) -> None:
    """The kernel gives the signal to any thread: a progress bar's took it, and the record went."""
    is_over = threading.Event()
    threading.Thread(target=is_over.wait, daemon=True).start()
    kept = []

    def keep(result: dict[str, Any]) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        kept.append(result["item"])

    running = process.run(_job(tmp_path, ["ok"]), keep)

    with pytest.raises(KeyboardInterrupt):
        deque(running)
    is_over.set()

    assert kept == ["load/0"]


def test_a_half_written_event_is_left_for_the_next_look(tmp_path: Path) -> None:
    """The reader may come between two writes of one line."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "started"}\n{"event": "res', encoding="utf-8")

    seen = list(process.read_events(path))

    assert [event["event"] for event, _ in seen] == ["started"]
    assert seen[-1][1] == len('{"event": "started"}\n')


class _Box:
    """A container in which a command simply runs, and which is asked to end."""

    mounts = Mounts()
    env: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.ended = 0

    def prefixed(self, argv: Sequence[str]) -> list[str]:
        return ["sh", "-c", '"$@"; exit $?', "sh", *argv]

    def end(self) -> None:
        self.ended += 1

    signal_of = staticmethod(Container.signal_of)


def _boxed(tmp_path: Path, what: list[str], **timeouts: float) -> tuple[process.Job, _Box]:
    box = _Box()
    return replace(_job(tmp_path, what, **timeouts), container=cast(Container, box)), box


def test_a_crash_in_a_container_is_named_by_its_signal(tmp_path: Path) -> None:
    """An engine hands on 128 and the number of the signal."""
    job, _ = _boxed(tmp_path, ["ok", "segfault", "ok"])

    results = _run(job)

    assert [r["status"] for r in results] == ["ok", "crashed", "ok"]
    assert results[1]["reason"] == "signal-SIGSEGV"


def test_a_hang_in_a_container_ends_the_container(tmp_path: Path) -> None:
    """Killing the engine's client alone would leave it running."""
    job, box = _boxed(tmp_path, ["ok", "hang", "ok"], load=1.0)
    quick = pytest.MonkeyPatch()
    quick.setattr(workers, "_CLIENT_S", 0.1)
    try:
        results = _run(job)
    finally:
        quick.undo()

    assert [r["status"] for r in results] == ["ok", "timeout", "ok"]
    assert box.ended > 0
