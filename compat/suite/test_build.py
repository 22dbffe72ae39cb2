"""Phase build: make every engine of this target, keep its log, and build it once more."""

import os
from typing import Any, Callable, Dict

import numpy as np

from .adapters import Adapter, Build, Request
from .conftest import Recorder
from .job import Job
from .manifest import manifest_path, sha256_of, store, verify
from .outcome import Failed, NotRun

Observe = Callable[[Callable[[], None]], None]


def _build(adapter: Adapter, item: Dict[str, Any], recorder: Recorder, job: Job) -> Build:
    onnx = job.path(item["onnx"])
    if not os.path.isfile(onnx):
        raise Failed("onnx-missing", "there is no file %s; run the matrix again to make it" % onnx)
    request = Request(
        onnx=onnx,
        precision=item["precision"],
        typing=item["typing"],
        variant=item["variant"],
        profile=item["profile"],
        workspace_bytes=item["workspace_bytes"],
        optimization_level=item["optimization_level"],
        timing_cache=job.path(item["timing_cache"]) if item["timing_cache"] else "",
        calibration=job.path(item["calibration"]),
        calibration_cache=job.path(item["calibration_cache"]),
        nodes=item["nodes"],
    )
    built = adapter.build(request, recorder.log)
    recorder.numbers.update(built.numbers)
    return built


def test_build(
    adapter: Adapter, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Parse, build and store one engine with its manifest."""

    def call() -> None:
        built = _build(adapter, item, recorder, job)
        engine = item["engine"]
        claims = {
            "flavour": adapter.flavour,
            "version": adapter.version(),
            "arch": adapter.arch(),
            "flags": built.facts["flags"],
            "model": item["model"],
            "precision": item["precision"],
            "typing": item["typing"],
            "variant": item["variant"],
            "profile": item["profile"],
            "onnx_sha256": item["onnx_sha256"],
            "timing_cache_sha256": None,
            "environment": adapter.facts(),
        }
        manifest = store(job.path(engine), built.data, claims)
        recorder.numbers["engine_bytes"] = manifest["bytes"]
        recorder.facts.update(built.facts, engine_sha256=manifest["sha256"])
        recorder.facts["onnx_types"] = item["onnx_types"]
        if item.get("calibration_coverage"):
            recorder.facts["calibration_coverage"] = item["calibration_coverage"]
        recorder.files["engine"] = engine

    observe(call)


def test_rebuild(
    adapter: Adapter, item: Dict[str, Any], recorder: Recorder, job: Job, observe: Observe
) -> None:
    """Build the same engine again and count the bytes that differ: a fact, never a check.

    Engine builds are not bit-deterministic, says NVIDIA (samples/trtexec/README.md, 7.8, v11.1).
    """

    def call() -> None:
        first = job.path(item["engine"])
        if not os.path.exists(manifest_path(first)):
            raise NotRun("no-engine", "the first build gave no engine to compare with")
        verify(first)
        built = _build(adapter, item, recorder, job)
        old = np.memmap(first, dtype=np.uint8, mode="r")
        new = np.frombuffer(built.data, dtype=np.uint8)
        shared = min(len(old), len(new))
        differing = int(np.count_nonzero(old[:shared] != new[:shared])) + abs(len(old) - len(new))
        recorder.numbers.update(
            identical=int(differing == 0), bytes_differing=differing, engine_bytes=len(new)
        )
        recorder.facts["first_sha256"] = sha256_of(first)

    observe(call)
