"""A latency record says whether the host or the GPU set the pace."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from compat.suite import test_bench as bench
from compat.suite.job import Job
from compat.suite.manifest import store

SETTINGS = {"seconds": 0.01, "warmup_s": 0.001, "min_samples": 3, "max_samples": 3}


class Gpu:
    """An adapter and its engine: the host takes 2 ms to enqueue a run, the GPU its own time."""

    clock = "cuda-event"

    def __init__(self, gpu_s: float) -> None:
        self.total, self.gpu_s = 0.0, gpu_s

    def require_device(self) -> None:
        """The device is there."""

    def load(self, *_given: object) -> tuple[Gpu, float]:
        return self, 0.0

    def bind(self, _feeds: object) -> Callable[[], None]:
        return lambda: time.sleep(0.002)

    def timer(self) -> Callable[[], float]:
        return self._read

    def _read(self) -> float:
        self.total += self.gpu_s / 2
        return self.total

    def facts(self) -> dict[str, Any]:
        return {}

    def numbers(self) -> dict[str, float]:
        return {}

    def bus_id(self) -> str:
        return ""


def _measured(tmp_path: Path, adapter: Gpu) -> Any:
    store(str(tmp_path / "net.engine"), b"engine", {})
    np.savez(tmp_path / "feeds.npz", x=np.zeros(1))
    item = {"id": "latency/net", "engine": "net.engine", "engine_sha256": "", "trusted": True}
    item |= {"feeds": "feeds.npz", "samples": "samples.npy", "batch": 8}
    recorder = SimpleNamespace(numbers={}, facts={}, files={}, log=print)
    samples = [adapter.gpu_s] * 3
    benchmark = SimpleNamespace(
        extra_info={},
        pedantic=lambda *_given, **_more: None,
        stats=SimpleNamespace(stats=SimpleNamespace(data=samples)),
    )
    job = Job({}, "bench", str(tmp_path), "", [], SETTINGS)
    bench.test_latency(adapter, item, recorder, job, lambda call: call(), benchmark)
    return recorder


@pytest.mark.parametrize(("gpu_s", "bound"), [(0.001, True), (0.002, True), (0.1, False)])
def test_a_series_that_waits_for_the_host_is_marked(
    tmp_path: Path, gpu_s: float, bound: bool
) -> None:
    """Where the GPU waits, its time is the host's: from 80 % of it on, as trtexec warns."""
    recorder = _measured(tmp_path, Gpu(gpu_s))

    assert recorder.facts["enqueue_bound"] is bound
    assert 0.002 <= recorder.numbers["enqueue_s"] < 0.05
    assert recorder.numbers["median_s"] == gpu_s


def test_a_host_clock_has_no_enqueue_time(tmp_path: Path) -> None:
    adapter = Gpu(0.001)
    adapter.clock = "host"

    recorder = _measured(tmp_path, adapter)

    assert "enqueue_s" not in recorder.numbers
    assert "enqueue_bound" not in recorder.facts
