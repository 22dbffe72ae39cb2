"""How many samples a block takes, where a run is only enqueued and the clock waits for it."""

from __future__ import annotations

import time

from compat.suite.test_bench import _samples_wanted


class Device:
    """Runs that are enqueued at once and take 5 ms each; reading the clock waits for them."""

    def __init__(self) -> None:
        self.queued = 0

    def enqueue(self) -> None:
        self.queued += 1

    def clock(self) -> float:
        time.sleep(0.005 * self.queued)
        self.queued = 0
        return time.perf_counter()


def test_a_slow_engine_gets_as_many_samples_as_fit_the_time() -> None:
    """Counted by launches alone, each block of a slow engine took minutes."""
    device = Device()
    settings = {"warmup_s": 0.05, "seconds": 0.1, "min_samples": 3, "max_samples": 1000}

    wanted = _samples_wanted(device.enqueue, device.clock, settings)

    assert 5 <= wanted <= 20
    assert device.queued == 0
