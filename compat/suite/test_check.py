"""Phase check: load every engine in this runtime, and run it on the golden inputs."""

import os
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
import pytest

from .adapters import Adapter, Engine
from .conftest import Recorder
from .job import Job
from .manifest import verify
from .outcome import Outcome

Observe = Callable[[Callable[[], None]], None]


class Loader:
    """Keeps the last engine: the host puts all checks of one engine side by side."""

    def __init__(self, adapter: Adapter, job: Job) -> None:
        self._adapter = adapter
        self._job = job
        self._path: Optional[str] = None
        self._result: Tuple[Optional[Engine], float, Optional[Outcome]] = (None, 0.0, None)

    def load(self, path: str, log: Callable[[str], None]) -> Tuple[Engine, float]:
        """Load `path` once, after its digest was checked; a refusal is remembered too."""
        if path != self._path:
            self._path, self._result = path, (None, 0.0, None)
            try:
                self._adapter.require_device()
                verify(self._job.path(path))
                engine, seconds = self._adapter.load(self._job.path(path), log)
                self._result = (engine, seconds, None)
            except Outcome as outcome:
                self._result = (None, 0.0, outcome)
        engine_or_none, seconds, outcome_or_none = self._result
        if outcome_or_none is not None:
            raise outcome_or_none
        assert engine_or_none is not None
        return engine_or_none, seconds


@pytest.fixture(scope="session")
def loader(adapter: Adapter, job: Job) -> Loader:
    """The loader of this process."""
    return Loader(adapter, job)


def test_load(loader: Loader, item: Dict[str, Any], recorder: Recorder, observe: Observe) -> None:
    """Load an engine that some target of the matrix built."""

    def call() -> None:
        _, recorder.numbers["load_s"] = loader.load(item["engine"], recorder.log)

    observe(call)


def test_accuracy(
    loader: Loader, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Run an engine on the inputs of one profile point and keep its outputs."""

    def call() -> None:
        import time

        engine, _ = loader.load(item["engine"], recorder.log)
        with np.load(job.path(item["feeds"])) as archive:
            feeds = {name: archive[name] for name in archive.files}
        start = time.perf_counter()
        outputs = engine.run(feeds)
        recorder.numbers["run_s"] = time.perf_counter() - start
        path = job.path(item["outputs"])
        with open(path + ".part", "wb") as stream:
            np.savez(stream, **outputs)  # type: ignore[arg-type]
        os.replace(path + ".part", path)
        recorder.files["outputs"] = item["outputs"]

    observe(call)
