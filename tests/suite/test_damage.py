"""Damaged engines in the real ONNX Runtime: the digest stops all of them, the runtime some."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from compat.suite import manifest
from compat.suite.adapters import Request
from compat.suite.adapters.ort import OnnxRuntimeAdapter
from compat.suite.damage import change, damaged_copy, must_be_stopped
from compat.suite.outcome import Failed

ROOT = Path(__file__).parents[2]
KINDS = ("truncated", "foreign", "flipped-header", "flipped-weight")
WIDTH = 64


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine of one matrix product, built by ONNX Runtime, with its manifest and inputs."""
    folder = tmp_path_factory.mktemp("net")
    weights = np.random.default_rng(0).normal(size=(WIDTH, WIDTH)).astype(np.float32)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", WIDTH]) for n in "xy"]
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph(
        [product], "g", values[:1], values[1:], [numpy_helper.from_array(weights, "w")]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    request = Request(str(folder / "net.onnx"), "fp32", "strong", "plain", {})
    built = OnnxRuntimeAdapter().build(request, print)
    manifest.store(str(folder / "engines" / "net.engine"), built.data, {})
    np.savez(folder / "opt.npz", x=np.ones((2, WIDTH), np.float32))
    return folder


@pytest.fixture
def engine(net: Path, tmp_path: Path) -> Path:
    """The engine and its manifest in a folder of their own."""
    path = tmp_path / "engines" / "net.engine"
    manifest.store(str(path), (net / "engines" / "net.engine").read_bytes(), {})
    return path


def _run_suite(
    net: Path, work: Path, engine: Path, kinds: tuple[str, ...], **env: str
) -> list[Any]:
    """Run phase check of the real suite over damaged engines and return its results."""
    sha256 = json.loads(Path(manifest.manifest_path(str(engine))).read_text())["sha256"]
    items = [
        {
            "id": f"damaged/{kind}",
            "check": "damaged",
            "damage": kind,
            "key": "k",
            "cell": {"builder": "ort", "runtime": "ort"},
            "log": f"logs/{kind}.log",
            "engine": str(engine),
            "engine_sha256": sha256,
            "trusted": True,
            "feeds": str(net / "opt.npz"),
        }
        for kind in kinds
    ]
    job = {
        "target": {"flavour": "onnxruntime", "version": onnxruntime.__version__},
        "phase": "check",
        "work": str(work),
        "events": str(work / "events.jsonl"),
        "deps": str(work),
        "settings": {},
        "items": items,
    }
    (work / "job.json").write_text(json.dumps(job))
    subprocess.run(
        [sys.executable, str(ROOT / "compat" / "suite" / "run.py"), str(work / "job.json")],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **env},
    )
    events = [json.loads(line) for line in (work / "events.jsonl").read_text().splitlines()]
    return [event for event in events if event["event"] == "result"]


def test_onnx_runtime_refuses_three_kinds_and_runs_the_fourth(
    net: Path, engine: Path, tmp_path: Path
) -> None:
    """A flipped weight loads without a word, and its output is far off."""
    before = {path.name for path in engine.parent.iterdir()}

    results = _run_suite(net, tmp_path, engine, KINDS)

    assert [r["facts"].get("stopped_by_digest") for r in results] == [True] * 4
    assert [(r["status"], r["reason"]) for r in results] == [
        *[("refused", "not-an-engine")] * 3,
        ("ok", ""),
    ]
    silent = results[-1]
    assert silent["facts"]["loaded_silently"] is True
    numbers = silent["numbers"]
    assert numbers["max_abs_change"] > 0.1 or numbers["not_finite"] > 0
    assert {path.name for path in engine.parent.iterdir()} == before


def test_a_digest_that_lets_damage_through_is_a_failure(
    net: Path, engine: Path, tmp_path: Path
) -> None:
    """A manifest that was made of the damaged bytes guards nothing."""
    with damaged_copy(str(engine), "flipped-weight") as copy:
        damaged = Path(copy).read_bytes()
        manifest.store(copy, damaged, {})
        with pytest.raises(Failed) as caught:
            must_be_stopped(copy, "")
    assert caught.value.reason == "digest-blind"


def test_an_engine_that_is_lost_already_says_nothing_of_damage(
    net: Path, engine: Path, tmp_path: Path
) -> None:
    """The whole engine is tried first."""
    whole = bytearray(engine.read_bytes())
    whole[-9] ^= 1
    engine.write_bytes(whole)

    (result,) = _run_suite(net, tmp_path, engine, ("truncated",))

    assert (result["status"], result["reason"]) == ("failed", "integrity")
    assert result["facts"] == {}


BREAKS_WHEN_RUN = """
import onnxruntime
run, calls = onnxruntime.InferenceSession.run, []
def broken(self, *arguments):
    calls.append(self)
    if len(calls) == 2:  # the whole engine is run first
        raise RuntimeError("illegal memory access")
    return run(self, *arguments)
onnxruntime.InferenceSession.run = broken
"""


def test_after_a_run_that_broke_the_process_ends(net: Path, engine: Path, tmp_path: Path) -> None:
    """What is left is done in a fresh one, which the host starts."""
    (tmp_path / "sitecustomize.py").write_text(BREAKS_WHEN_RUN)
    kinds = ("flipped-weight", "truncated")

    results = _run_suite(net, tmp_path, engine, kinds, PYTHONPATH=str(tmp_path))

    assert [(r["item"], r["status"], r["reason"]) for r in results] == [
        ("damaged/flipped-weight", "failed", "run-failed")
    ]
    assert results[0]["facts"] == {
        "stopped_by_digest": True,
        "loaded_silently": True,
        "broke_at": "run",
    }
    assert "illegal memory access" in results[0]["message"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_is_damaged_and_goes_whatever_happens(engine: Path, kind: str) -> None:
    """The engine and its manifest stay as they are."""
    before = {path.name: path.read_bytes() for path in engine.parent.iterdir()}

    def use() -> None:
        with damaged_copy(str(engine), kind) as copy:
            must_be_stopped(copy, "")
            assert Path(copy).read_bytes() != engine.read_bytes()
            raise RuntimeError("the runtime raises")

    with pytest.raises(RuntimeError, match="the runtime raises"):
        use()

    assert {path.name: path.read_bytes() for path in engine.parent.iterdir()} == before


def test_a_runtime_that_dies_leaves_no_copy_behind(engine: Path) -> None:
    """It gets a file that has no name any more."""
    before = {path.name for path in engine.parent.iterdir()}
    script = (
        "import os, sys; from compat.suite.damage import *\n"
        "with damaged_copy(sys.argv[1], 'truncated') as copy, without_name(copy) as path:\n"
        "    os.kill(os.getpid(), 9 if os.path.getsize(path) else 1)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(engine)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    assert ended.returncode == -signal.SIGKILL
    assert {path.name for path in engine.parent.iterdir()} == before


def test_a_change_counts_what_is_no_number_and_what_is_lost() -> None:
    """Numbers that JSON cannot hold never become the largest change."""
    whole = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([1]), "c": np.array([1.0])}
    damaged = {"a": np.array([1.0, np.nan, 3.5]), "b": np.array([4]), "d": np.array([1.0])}

    found = change(whole, damaged)

    assert found == {
        "max_abs_change": 3.0,
        "max_abs_whole": 3.0,
        "compared": 3,
        "not_finite": 1,
        "outputs_lost": 1,
    }


def test_an_output_that_the_damage_made_finite_is_a_change() -> None:
    """An engine of NaN alone has nothing to compare with."""
    nan, one = {"a": np.full(4, np.nan)}, {"a": np.ones(4)}

    assert (change(nan, one)["not_finite"], change(nan, one)["compared"]) == (4, 0)
    assert (change(nan, nan)["not_finite"], change(nan, nan)["compared"]) == (0, 0)


DIES_WHEN_LOADED = """
import onnxruntime, os
made, calls = onnxruntime.InferenceSession.__init__, []
def dying(self, *arguments, **more):
    calls.append(self)
    if len(calls) == 2:  # the whole engine is loaded first
        os.kill(os.getpid(), 11)
    made(self, *arguments, **more)
onnxruntime.InferenceSession.__init__ = dying
"""


def test_that_the_digest_stopped_it_outlives_the_process(
    net: Path, engine: Path, tmp_path: Path
) -> None:
    """The host makes the record of a crash, and can know it from the event file only."""
    (tmp_path / "sitecustomize.py").write_text(DIES_WHEN_LOADED)

    results = _run_suite(net, tmp_path, engine, ("flipped-weight",), PYTHONPATH=str(tmp_path))

    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert results == []
    assert [(e["event"], e["item"], e["facts"]) for e in events[-1:]] == [
        ("progress", "damaged/flipped-weight", {"stopped_by_digest": True})
    ]


REFUSES_TO_RUN = """
import onnxruntime, sys
def run(*_):
    suite = next(module for name, module in sys.modules.items() if name.endswith("suite.outcome"))
    raise suite.Refused("profile-wrong", "shape (2, 64) of input 'x' is refused")
onnxruntime.InferenceSession.run = run
"""


def test_a_whole_engine_that_refuses_its_inputs_says_nothing_of_damage(
    net: Path, engine: Path, tmp_path: Path
) -> None:
    """It is run before the damaged copy is made."""
    (tmp_path / "sitecustomize.py").write_text(REFUSES_TO_RUN)

    (result,) = _run_suite(net, tmp_path, engine, ("truncated",), PYTHONPATH=str(tmp_path))

    assert (result["status"], result["reason"]) == ("not-run", "no-whole-engine")
    assert result["facts"] == {}
