"""A suite process that has done its job gets the next one, as long as it can be trusted with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from compat.conductor import process
from compat.conductor.workers import Worker, Workers

FAKE = Path(__file__).with_name("fake_suite.py")


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Processes that wait; none outlives its test."""
    made = Workers()
    yield made
    made.dismiss()


def _do(
    folder: Path, workers: Workers, what: list[str], env: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Have one job done and return its results."""
    items = [
        {"id": f"load/{n}", "check": "load", "round": None, "key": "k", "cell": {}, "do": do}
        for n, do in enumerate(what)
    ]
    path, events = folder / "job.json", folder / "events.jsonl"
    job = process.Job(
        argv=[sys.executable, str(FAKE), str(path), "--stay"],
        env=env or {},
        document={"items": items, "events": str(events)},
        path=path,
        events=events,
        log=folder / "suite.log",
        timeouts={"load": 30.0, "start": 30.0},
    )
    results: list[dict[str, Any]] = []
    for _ in process.run(job, results.append, workers):
        time.sleep(0.01)
    return results


def _pids(results: list[dict[str, Any]]) -> set[int]:
    return {result["facts"]["pid"] for result in results}


def test_the_next_job_goes_to_the_same_process(tmp_path: Path, workers: Workers) -> None:
    """Starting a runtime costs more than most checks."""
    first = _do(tmp_path, workers, ["ok", "ok"])
    second = _do(tmp_path, workers, ["ok", "ok"])

    assert len(_pids(first + second)) == 1
    assert [r["item"] for r in second] == ["load/0", "load/1"]


def test_a_handover_is_told_apart_from_a_start(tmp_path: Path, workers: Workers) -> None:
    """Both are the harness's time, and no item's own seconds hold either."""
    first = _do(tmp_path, workers, ["ok"])
    second = _do(tmp_path, workers, ["ok"])

    assert "process_start_s" in first[0]["facts"]
    assert "handover_s" in second[0]["facts"]
    assert "process_start_s" not in second[0]["facts"]


@pytest.mark.parametrize("last", ["fail", "segfault", "die-behind"])
def test_after_a_failure_the_next_job_gets_a_new_process(
    tmp_path: Path, workers: Workers, last: str
) -> None:
    """A CUDA error can stay in a process for good, and would be told of healthy engines."""
    first = _do(tmp_path, workers, ["ok", last])
    second = _do(tmp_path, workers, ["ok"])

    assert not _pids(first[:1]) & _pids(second)
    assert [r["status"] for r in second] == ["ok"]


def test_what_waits_leaves_the_gpu_its_memory(tmp_path: Path, workers: Workers) -> None:
    """A builder chooses its tactics by what is free."""
    scarce = {"FAKE_FREE": "0.6"}

    assert (
        len(_pids(_do(tmp_path, workers, ["ok"], scarce) + _do(tmp_path, workers, ["ok"], scarce)))
        == 2
    )


def test_another_gpu_has_another_process(tmp_path: Path, workers: Workers) -> None:
    """A process sees the GPU that it was started with."""
    one = _do(tmp_path, workers, ["ok"], {"CUDA_VISIBLE_DEVICES": "0"})
    other = _do(tmp_path, workers, ["ok"], {"CUDA_VISIBLE_DEVICES": "1"})

    assert [r["facts"]["gpu"] for r in one + other] == ["0", "1"]


def test_one_that_does_not_fit_the_next_job_is_ended(tmp_path: Path, workers: Workers) -> None:
    """Users' models in many folders left a container waiting for each of them."""
    (pid,) = _pids(_do(tmp_path, workers, ["ok"], {"CUDA_VISIBLE_DEVICES": "0"}))

    _do(tmp_path, workers, ["ok"], {"CUDA_VISIBLE_DEVICES": "1"})

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_that_died_while_it_waited_costs_nothing(tmp_path: Path, workers: Workers) -> None:
    """The kernel ends processes where memory runs short."""
    (pid,) = _pids(_do(tmp_path, workers, ["ok"]))
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)

    assert [r["status"] for r in _do(tmp_path, workers, ["ok", "ok"])] == ["ok", "ok"]


def test_one_that_dies_when_it_is_called_costs_nothing(tmp_path: Path, workers: Workers) -> None:
    """The items were said to have no suite, though a process of their own would have done them."""
    _do(tmp_path, workers, ["ok"])

    second = _do(tmp_path, workers, ["die-called", "ok"])

    assert [r["status"] for r in second] == ["ok", "ok"]


def test_one_that_could_not_start_its_items_is_not_asked_again(
    tmp_path: Path, workers: Workers
) -> None:
    """Nothing failed where nothing began, and yet something in it is broken."""
    first = _do(tmp_path, workers, ["start-none", "ok"])
    second = _do(tmp_path, workers, ["ok"])

    assert [r["reason"] for r in first] == ["suite-did-not-run"] * 2
    assert "process_start_s" in second[0]["facts"]


def test_dismissed_they_are_gone(tmp_path: Path, workers: Workers) -> None:
    """No orphan keeps the GPU."""
    (pid,) = _pids(_do(tmp_path, workers, ["ok"]))

    workers.dismiss()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_spent_process_gets_no_other_job(tmp_path: Path, workers: Workers) -> None:
    """It has timed an engine itself, and a second one there could be slower."""
    first = _do(tmp_path, workers, ["ok"], {"FAKE_SPENT": "1"})
    second = _do(tmp_path, workers, ["ok"], {"FAKE_SPENT": "1"})

    assert len(_pids(first + second)) == 2


LARGE = """
import os, sys, time
if os.fork() == 0:
    held = b"x" * 400_000_000
    print(os.getpid(), flush=True)
time.sleep(60)
"""


def test_an_end_waits_for_what_the_process_has_forked() -> None:
    """Its memory, the device's too, is not free before; the next engine would share the GPU."""
    running = subprocess.Popen(
        [sys.executable, "-c", LARGE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert running.stdout is not None
    with running.stdout as said:
        child = int(said.readline())

    Worker(running, None).end()

    stat = Path(f"/proc/{child}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"
