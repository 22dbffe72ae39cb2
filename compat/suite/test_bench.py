"""Phase bench: one block of samples per item; the host interleaves the targets' blocks.

pytest-benchmark measures; the clock is the adapter's. Raw samples are kept.
"""

import os
import time
from typing import Any, Callable, Dict

import numpy as np
import pytest

from .adapters import Adapter
from .conftest import Recorder
from .job import Job
from .manifest import verify
from .sampling import Sampler
from .summary import describe

Observe = Callable[[Callable[[], None]], None]

_ENQUEUES = 20
# Above this share of the GPU's time a run is as slow as the host enqueues it: the warning of
# trtexec (kENQUEUE_BOUND_REPORTING_THRESHOLD, samples/common/sampleReporting.cpp).
_ENQUEUE_BOUND = 0.8


class _Clock:
    """The clock of the engine being measured; pytest-benchmark takes its timer from a marker."""

    timer = staticmethod(time.perf_counter)


CLOCK = _Clock()


def read_clock() -> float:
    """Return the time of the current engine's clock in seconds."""
    return float(CLOCK.timer())


def _samples_wanted(
    call: Callable[[], Any], clock: Callable[[], float], settings: Dict[str, Any]
) -> int:
    """Warm up for the time asked for and return how many samples fill the measuring time.

    The clock is read as in a sample, for it waits for the GPU: launches alone would only fill its
    queue, and a thousand samples of a slow engine would look like a moment's work.
    """
    runs, start = 0, time.perf_counter()
    while runs < 2 or time.perf_counter() - start < settings["warmup_s"]:
        clock()
        call()
        clock()
        runs += 1
    each = (time.perf_counter() - start) / runs
    wanted = int(settings["seconds"] / max(each, 1e-9))
    return int(max(settings["min_samples"], min(settings["max_samples"], wanted)))


def _enqueue_seconds(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    """Return the median host time of enqueuing one run, the GPU busy as in a sample."""
    seconds = []
    for _ in range(_ENQUEUES):
        clock()
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
        clock()
    return float(np.median(seconds))


@pytest.mark.benchmark(timer=read_clock)
def test_latency(
    adapter: Adapter,
    item: Dict[str, Any],
    recorder: Recorder,
    job: Job,
    observe: Observe,
    benchmark: Any,
) -> None:
    """Measure one block of runs on inputs that are already in place."""

    def call() -> None:
        adapter.require_device()
        path = job.path(item["engine"])
        verify(path, item["engine_sha256"], trust_stamp=True)
        engine, recorder.numbers["load_s"] = adapter.load(path, recorder.log, item["trusted"])
        with np.load(job.path(item["feeds"])) as archive:
            feeds = {name: archive[name] for name in archive.files}
        start = time.perf_counter()
        run = engine.bind(feeds)
        warm = time.perf_counter()
        recorder.numbers["ready_s"] = warm - start
        CLOCK.timer = engine.timer()
        rounds = _samples_wanted(run, CLOCK.timer, job.settings)
        recorder.numbers["warmup_s"] = time.perf_counter() - warm
        benchmark.extra_info["item"] = item["id"]
        beside = Sampler(adapter.bus_id())
        beside.sample()
        start = time.perf_counter()
        benchmark.pedantic(run, setup=beside.look, rounds=rounds, iterations=1, warmup_rounds=0)
        beside.sample()
        samples = np.asarray(benchmark.stats.stats.data, dtype=np.float64)
        recorder.numbers.update(describe(samples, item["batch"]))
        recorder.numbers.update(engine.numbers())
        recorder.numbers.update(beside.numbers())
        recorder.facts.update(engine.facts(), clock=adapter.clock, **beside.facts())
        if adapter.clock == "cuda-event":
            enqueue = _enqueue_seconds(run, CLOCK.timer)
            recorder.numbers["enqueue_s"] = enqueue
            bound = enqueue > _ENQUEUE_BOUND * float(np.median(samples))
            recorder.facts["enqueue_bound"] = bound
        recorder.numbers["measured_s"] = time.perf_counter() - start
        target = job.path(item["samples"])
        with open(target + ".part", "wb") as stream:
            np.save(stream, samples)
        os.replace(target + ".part", target)
        recorder.files["samples"] = item["samples"]

    try:
        observe(call)
    finally:
        # The clock holds what it measures, and its device memory must be free for the next engine.
        CLOCK.timer = time.perf_counter
