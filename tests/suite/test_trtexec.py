"""The real suite with a stand-in for trtexec: what it is called with, and what becomes of its end.

The stand-in is a script that writes what samples/common/sampleReporting.cpp of NVIDIA/TensorRT says
trtexec writes; the engine is one of ONNX Runtime, which the stand-in does not open.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from compat.suite import manifest, trtexec
from compat.suite.adapters import Request
from compat.suite.adapters.ort import OnnxRuntimeAdapter

ROOT = Path(__file__).parents[2]
PROFILE = {"x": {"min": [1, 4], "opt": [2, 4], "max": [3, 4]}}
STAND_IN = """#!{python}
import json, sys
options = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
name = "TensorRT.trtexec [TensorRT v101600] [b72] # trtexec " + " ".join(sys.argv[1:])
print("&&&& RUNNING " + name)
if "onnx" in options:
    print("[11/20/2026-21:00:00] [I] Engine built in 12.5 sec.")
inputs = dict(pair.split(":", 1) for pair in options["loadInputs"].split(","))
print("bytes of x: %d" % len(open(inputs["x"], "rb").read()))
if {fails}:
    print("[11/20/2026-21:00:00] [E] Error[1]: the device is gone")
    print("&&&& FAILED " + name)
    sys.exit(1)
rows = [{{"startComputeMs": float(s), "computeMs": ms}} for s, ms in ((10, 9), (600, 2), (602, 4))]
json.dump(rows, open(options["exportTimes"], "w"))
print("&&&& PASSED " + name)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", 4]) for n in "xy"]
    weights = numpy_helper.from_array(np.eye(4, dtype=np.float32), "w")
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([product], "g", values[:1], values[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    request = Request(str(tmp_path / "net.onnx"), "fp32", "strong", "plain", {})
    path = tmp_path / "engines" / "net.engine"
    built = OnnxRuntimeAdapter().build(request, print)
    manifest.store(str(path), built.data, {"profile": PROFILE})
    np.savez(tmp_path / "opt.npz", x=np.ones((2, 4), np.float32))
    return path


def _stand_in(folder: Path, *, fails: bool = False) -> str:
    """Write the script and return the PATH that leads to it alone."""
    folder.mkdir()
    script = folder / "trtexec"
    script.write_text(STAND_IN.format(python=sys.executable, fails=fails))
    script.chmod(0o755)
    return str(folder)


def _result(
    work: Path, engine: Path, path: str, check: str = "trtexec_load", **more: Any
) -> dict[str, Any]:
    """Run phase check of the real suite over one cross-check and return its result."""
    item = {
        "id": f"{check}/net",
        "check": check,
        "key": "k",
        "cell": {"point": "opt"},
        "batch": 2,
        "log": "logs/net.log",
        "samples": "samples/net.npy",
        "engine": str(engine),
        "engine_sha256": json.loads(Path(f"{engine}.json").read_text())["sha256"],
        "trusted": True,
        "feeds": str(work / "opt.npz"),
        **more,
    }
    job = {
        "target": {"flavour": "onnxruntime", "version": onnxruntime.__version__},
        "phase": "check",
        "work": str(work),
        "events": str(work / "events.jsonl"),
        "deps": str(work),
        "settings": {},
        "items": [item],
    }
    (work / "job.json").write_text(json.dumps(job))
    run = [sys.executable, str(ROOT / "compat" / "suite" / "run.py"), str(work / "job.json")]
    env = {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(run, check=False, capture_output=True, env=env)
    events = [json.loads(line) for line in (work / "events.jsonl").read_text().splitlines()]
    (found,) = [event for event in events if event["event"] == "result"]
    return dict(found)


def test_it_is_called_with_levelled_flags_on_our_inputs(engine: Path, tmp_path: Path) -> None:
    found = _result(tmp_path, engine, _stand_in(tmp_path / "bin"))

    assert found["status"] == "ok", found
    assert found["numbers"]["median_s"] == pytest.approx(0.003)  # the query of the warm-up is gone
    assert found["numbers"]["n"] == 2
    assert found["numbers"]["throughput_per_s"] == pytest.approx(2 / 0.003)
    facts = found["facts"]
    assert facts["tool_version"] == "10.16.0.72"
    assert set(trtexec.LEVELLED) < set(facts["arguments"])
    assert "--shapes=x:2x4" in facts["arguments"]
    assert f"--loadEngine={engine}" in facts["arguments"]
    assert "build_s" not in found["numbers"]
    assert np.load(tmp_path / found["files"]["samples"]).tolist() == [0.002, 0.004]
    assert "bytes of x: 32" in (tmp_path / found["files"]["log"]).read_text()
    places = [word.partition("=")[2].rpartition(":")[2] for word in facts["arguments"]]
    written = [Path(place) for place in places if "trtexec-" in place]
    # In a container the rest of the work folder is read-only.
    assert {path.parent.parent for path in written} == {tmp_path / "samples"}
    assert len(written) == 2
    assert list((tmp_path / "samples").iterdir()) == [tmp_path / "samples" / "net.npy"]


BUILT = {
    "precision": "fp16",
    "typing": "weak",
    "profile": PROFILE,
    "workspace_bytes": 3 << 30,
    "optimization_level": 4,
    "nodes": None,
}


def test_it_builds_from_our_onnx_as_we_did_and_tells_its_build_apart(
    engine: Path, tmp_path: Path
) -> None:
    onnx = str(tmp_path / "net.onnx")

    path = _stand_in(tmp_path / "bin")
    found = _result(tmp_path, engine, path, "trtexec_build", onnx=onnx, **BUILT)

    assert found["status"] == "ok", found
    assert found["numbers"]["median_s"] == pytest.approx(0.003)
    assert found["numbers"]["build_s"] == 12.5
    words = found["facts"]["arguments"]
    shapes = {"--minShapes=x:1x4", "--optShapes=x:2x4", "--maxShapes=x:3x4", "--shapes=x:2x4"}
    assert {f"--onnx={onnx}", "--builderOptimizationLevel=4", *shapes} < set(words)
    assert set(trtexec.LEVELLED) < set(words)
    assert not any(word.startswith("--loadEngine") for word in words)


@pytest.mark.parametrize(
    ("version", "precision", "typing", "said"),
    [
        ("8.6.1", "fp32", "weak", ["--noTF32", "--tacticSources=-CUDNN"]),
        ("8.6.1", "int8", "weak", ["--int8", "--fp16", "--tacticSources=-CUDNN"]),
        ("10.16.0.72", "tf32", "weak", ["--tacticSources=-CUDNN"]),
        ("10.16.0.72", "fp16", "strong", ["--stronglyTyped", "--tacticSources=-CUDNN"]),
        ("11.0.0.114", "fp16", "strong", []),
    ],
)
def test_a_precision_is_said_as_the_version_knows_it(
    version: str, precision: str, typing: str, said: list[str]
) -> None:
    built = {**BUILT, "precision": precision, "typing": typing, "profile": {}}
    built |= {"workspace_bytes": 0, "optimization_level": None}

    assert trtexec.building("net.onnx", built, version, "opt") == ["--onnx=net.onnx", *said]


def test_before_8_4_the_workspace_has_an_option_of_its_own() -> None:
    assert "--workspace=3072" in trtexec.building("net.onnx", BUILT, "8.2.5", "opt")
    assert "--memPoolSize=workspace:3072" in trtexec.building("net.onnx", BUILT, "8.6.1", "opt")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"precision": "int8-calibrated"}, "trtexec-calibration"),
        ({"nodes": {"key": "fp32-nodes", "names": ["a"], "others": []}}, "trtexec-nodes"),
    ],
)
def test_what_its_options_cannot_say_is_not_built(
    change: dict[str, Any], reason: str, engine: Path, tmp_path: Path
) -> None:
    """Another engine than ours, timed beside it, would say nothing."""
    more = {"onnx": str(tmp_path / "net.onnx"), **BUILT, **change}

    found = _result(tmp_path, engine, _stand_in(tmp_path / "bin"), "trtexec_build", **more)

    assert (found["status"], found["reason"]) == ("unsupported", reason)


def test_it_does_not_outlive_a_suite_that_is_killed(tmp_path: Path) -> None:
    """Else a build of minutes would hold the GPU, and nobody would wait for it."""
    script = f"echo $$ > {tmp_path}/pid; exec sleep 60"
    call = f"trtexec.run(['/bin/sh', '-c', {script!r}], 'times', print)"
    suite = subprocess.Popen([sys.executable, "-c", f"from compat.suite import trtexec; {call}"])
    pid, until = tmp_path / "pid", time.monotonic() + 30
    while not (pid.is_file() and pid.read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    place = Path("/proc", pid.read_text().strip(), "cmdline")

    suite.kill()
    suite.wait()

    while place.is_file() and b"sleep" in place.read_bytes() and time.monotonic() < until:
        time.sleep(0.05)
    assert not (place.is_file() and b"sleep" in place.read_bytes())


def test_its_failure_is_told_in_its_own_words(engine: Path, tmp_path: Path) -> None:
    found = _result(tmp_path, engine, _stand_in(tmp_path / "bin", fails=True))

    assert (found["status"], found["reason"]) == ("failed", "trtexec-failed")
    assert "Error[1]: the device is gone" in found["message"]


@pytest.mark.skipif(trtexec.find() is not None, reason="this machine has a trtexec of its own")
def test_a_target_without_it_says_so(engine: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()

    found = _result(tmp_path, engine, str(tmp_path / "bin"))

    assert (found["status"], found["reason"]) == ("unsupported", "no-trtexec")


def test_token_ids_are_narrow_before_tensorrt_9(tmp_path: Path) -> None:
    """INT64 inputs of an ONNX were INT32 bindings up to 8.6."""
    feeds = {"ids": np.arange(3, dtype=np.int64), "x": np.ones(2, np.float32)}

    old = trtexec.write_inputs(feeds, str(tmp_path), "8.6.1")
    sizes = {name: Path(path).stat().st_size for name, path in old.items()}
    new = trtexec.write_inputs(feeds, str(tmp_path), "10.0.1")

    assert sizes == {"ids": 12, "x": 8}
    assert Path(new["ids"]).stat().st_size == 24


def test_an_engine_without_dynamic_axes_takes_no_shapes() -> None:
    """trtexec refuses explicit shapes of a static engine."""
    fixed = {"x": {"min": [1, 4], "opt": [1, 4], "max": [1, 4]}}

    assert trtexec.shapes("shapes", fixed, "opt") == []
