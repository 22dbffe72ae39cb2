"""Phase check: load every engine in this runtime, and run it on the golden inputs."""

import gzip
import os
import tempfile
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple, TypeVar

import numpy as np
import pytest

from . import trtexec
from .adapters import Adapter, Engine
from .adapters.layers import layer_types_of_json
from .conftest import Recorder
from .damage import HOST_CODE_DENIED, change, damaged_copy, must_be_stopped, without_name
from .job import Job
from .labelled import classify, tally
from .manifest import verify
from .outcome import Failed, NotRun, Outcome, Refused, Unsupported
from .summary import describe

T = TypeVar("T")
Observe = Callable[[Callable[[], None]], None]

# What a release calls a file that does not begin as its own plans do.
_NO_ENGINE = "not-an-engine"


class Loader:
    """Keeps the last engine: the host puts all checks of one engine side by side."""

    def __init__(self, adapter: Adapter, job: Job) -> None:
        self._adapter = adapter
        self._job = job
        self._path: Optional[str] = None
        self._result: Tuple[Optional[Engine], float, Optional[Outcome]] = (None, 0.0, None)
        #: seconds of the last load that are no `load_s`: the digest's, and a refusal's
        self.beside: Dict[str, float] = {}

    def load(self, item: Dict[str, Any], log: Callable[[str], None]) -> Tuple[Engine, float]:
        """Load an item's engine once, after its digest was checked; a refusal is kept too."""
        if item["engine"] != self._path:
            self._path, self._result, self.beside = item["engine"], (None, 0.0, None), {}
            path = self._job.path(item["engine"])
            try:
                self._adapter.require_device()
                start = time.perf_counter()
                # Its own runtime reads every byte of it; the others look for a change.
                own = item["cell"]["builder"] == item["cell"]["runtime"]
                verify(path, item["engine_sha256"], trust_stamp=not own)
                self.beside["digest_s"] = time.perf_counter() - start
                self._result = (*self._load(path, item, log), None)
            except Outcome as outcome:
                self._result = (None, 0.0, outcome)
            except Exception as error:
                text = "%s: %s" % (type(error).__name__, error)
                self._result = (None, 0.0, Failed("unexpected-error", text))
        engine_or_none, seconds, outcome_or_none = self._result
        if outcome_or_none is not None:
            raise outcome_or_none
        assert engine_or_none is not None
        return engine_or_none, seconds

    def _load(
        self, path: str, item: Dict[str, Any], log: Callable[[str], None]
    ) -> Tuple[Engine, float]:
        start = time.perf_counter()
        try:
            return self._adapter.load(path, log, item["trusted"])
        except Refused as refusal:
            self.beside["refusal_s"] = time.perf_counter() - start
            cell = item["cell"]
            if refusal.reason != _NO_ENGINE or cell["builder"] == cell["runtime"]:
                raise
            # Verified above, it is taken for whole: 8.6 has no other word for a plan of 8.5.
            raise Refused("version-mismatch", refusal.message) from None


@pytest.fixture(scope="session")
def loader(adapter: Adapter, job: Job) -> Loader:
    """The loader of this process."""
    return Loader(adapter, job)


def _keep_layers(text: str, item: Dict[str, Any], recorder: Recorder, job: Job) -> None:
    """Keep what the engine inspector said, and count the layers by precision."""
    with gzip.open(job.path(item["layers"]), "wt", encoding="utf-8") as stream:
        stream.write(text)
    recorder.files["layers"] = item["layers"]
    try:
        counts = layer_types_of_json(text)
    except ValueError as error:
        recorder.log("the engine inspector's JSON cannot be read: %s" % error)
        return
    if counts:
        recorder.facts["layer_types"] = counts


def test_load(
    loader: Loader, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Load an engine that some target of the matrix built."""

    def call() -> None:
        try:
            engine, seconds = loader.load(item, recorder.log)
        finally:
            recorder.numbers.update(loader.beside)
        recorder.numbers["load_s"] = seconds
        recorder.numbers.update(engine.numbers())
        # Layers belong to the engine, whoever runs it: its own builder is asked and no other. Lean
        # and dispatch have the inspector's names in Python, too, and build nothing.
        if item["cell"]["builder"] == item["cell"]["runtime"]:
            layers = engine.layers()
            if layers:
                _keep_layers(layers, item, recorder, job)

    observe(call)


def test_accuracy(
    loader: Loader, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Run an engine on the inputs of one profile point and keep its outputs."""

    def call() -> None:
        engine, _ = loader.load(item, recorder.log)
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


def test_top1(
    loader: Loader, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Run an engine on a whole labelled set and keep what it says of every item."""

    def call() -> None:
        engine, _ = loader.load(item, recorder.log)
        with np.load(job.path(item["labelled"])) as archive:
            arrays = {name: archive[name] for name in archive.files}
        start = time.perf_counter()
        found = classify(engine.run, arrays, *item["batches"])
        recorder.numbers["run_s"] = time.perf_counter() - start
        recorder.numbers.update(tally(found["top5"], arrays["labels"]))
        path = job.path(item["predictions"])
        with open(path + ".part", "wb") as stream:
            np.savez_compressed(stream, **found)
        os.replace(path + ".part", path)
        recorder.files["predictions"] = item["predictions"]

    observe(call)


def test_trtexec_load(
    adapter: Adapter, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Time our engine with the target's own trtexec, on the inputs that ours was timed on."""

    def source() -> List[str]:
        engine = job.path(item["engine"])
        profile = verify(engine, item["engine_sha256"]).get("profile") or {}
        return trtexec.loading(engine, profile, item["cell"]["point"])

    observe(partial(_ask_trtexec, source, adapter, item, recorder, job))


def test_trtexec_build(
    adapter: Adapter, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Let trtexec build from the same ONNX, as it was built by us, and time its own engine."""

    def source() -> List[str]:
        onnx = job.path(item["onnx"])
        return trtexec.building(onnx, item, adapter.version(), item["cell"]["point"])

    observe(partial(_ask_trtexec, source, adapter, item, recorder, job))


def _ask_trtexec(
    source: Callable[[], List[str]],
    adapter: Adapter,
    item: Dict[str, Any],
    recorder: Recorder,
    job: Job,
) -> None:
    """Time what `source` names, on our inputs; the time of a build stands apart, as `build_s`."""
    program = trtexec.find()
    if program is None:
        raise Unsupported("no-trtexec", "this target has no trtexec; NVIDIA's images have it")
    adapter.require_device()
    words = [program, *source()]
    with np.load(job.path(item["feeds"])) as archive:
        feeds = {name: archive[name] for name in archive.files}
    path = job.path(item["samples"])
    # Beside the samples: of the work folder a container may write to what its phase fills only.
    with tempfile.TemporaryDirectory(prefix="trtexec-", dir=os.path.dirname(path)) as folder:
        words += trtexec.feeding(trtexec.write_inputs(feeds, folder, adapter.version()))
        times = os.path.join(folder, "times.json")
        timing = trtexec.run(words + trtexec.measuring(times), times, recorder.log)
    recorder.numbers.update(describe(timing.compute, item["batch"]))
    if timing.build_s is not None:
        recorder.numbers["build_s"] = timing.build_s
    recorder.facts.update(
        tool="trtexec",
        tool_version=timing.log.version,
        arguments=list(timing.log.arguments),
        passed=timing.log.passed,
        clock="cuda-event",
    )
    with open(path + ".part", "wb") as stream:
        np.save(stream, timing.compute)
    os.replace(path + ".part", path)
    recorder.files["samples"] = item["samples"]


def test_damaged(
    adapter: Adapter,
    loader: Loader,
    item: Dict[str, Any],
    recorder: Recorder,
    job: Job,
    observe: Observe,
) -> None:
    """Give the runtime a damaged engine, after the digest has stopped it: does it notice too?

    The whole engine is loaded and run first: a refusal would say nothing of the damage otherwise.
    """

    def call() -> None:
        whole, _ = _if_whole(lambda: loader.load(dict(item, trusted=True), recorder.log))
        path, kind = job.path(item["engine"]), item["damage"]
        if kind == HOST_CODE_DENIED:
            load = partial(adapter.load, path, recorder.log, trusted=False)
            _, recorder.numbers["load_s"] = _survive("load", load, recorder)
            return
        with np.load(job.path(item["feeds"])) as archive:
            feeds = {name: archive[name] for name in archive.files}
        # First: the damaged engine may ruin the device's context, or kill this process.
        reference = _if_whole(lambda: whole.run(feeds))
        with damaged_copy(path, kind) as copy:
            must_be_stopped(copy, item["engine_sha256"])
            recorder.settle(stopped_by_digest=True)  # the runtime may kill this process
            with without_name(copy) as nameless:
                load = partial(adapter.load, nameless, recorder.log, item["trusted"])
                engine, recorder.numbers["load_s"] = _survive("load", load, recorder)
                recorder.facts["loaded_silently"] = True
                outputs = _survive("run", partial(engine.run, feeds), recorder)
        recorder.numbers.update(change(reference, outputs))

    try:
        observe(call)
    finally:
        if "broke_at" in recorder.facts:  # a CUDA context does not get over an illegal access
            pytest.exit("a damaged engine broke this process; the host starts another one")


def _if_whole(call: Callable[[], T]) -> T:
    """Do to the whole engine what will be done to the damaged one.

    Raises:
        NotRun: it is refused ("no-whole-engine").
    """
    try:
        return call()
    except Refused as refusal:
        text = "the whole engine is refused too (%s): %s" % (refusal.reason, refusal.message)
        raise NotRun("no-whole-engine", text)


def _survive(step: str, call: Callable[[], Any], recorder: Recorder) -> Any:
    """Do to a damaged engine what a user would; whatever it raises is what was found.

    `broke_at` in the facts tells that from a failure of this suite.
    """
    try:
        return call()
    except OSError:
        raise  # the machine's trouble
    except Exception as error:
        if step == "load" and isinstance(error, Refused):
            raise
        recorder.facts["broke_at"] = step
        reason = error.reason if isinstance(error, Outcome) else "%s-failed" % step
        raise Failed(reason, "%s: %s" % (type(error).__name__, error))
