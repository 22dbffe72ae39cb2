"""The whole chain for real, and what a user may do to it at the worst moment."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from compat.suite.driver import probe
from tests.chain import MATRIX, Chain, signal_suite

pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Chain, int, str]:
    """The matrix, run once to its end."""
    home = tmp_path_factory.mktemp("häuser mit leerzeichen")
    config = home / "compat.toml"
    config.write_text(MATRIX, encoding="utf-8")
    chain = Chain(home, home / "work", home / "out", config)
    code, text = chain.run()
    return chain, code, text


@pytest.fixture
def chain(ran: tuple[Chain, int, str], tmp_path: Path) -> Iterator[Chain]:
    """The same work folder, with records, output and configuration of its own."""
    first = ran[0]
    kept = first.work / "records.jsonl"
    config = tmp_path / "compat.toml"
    shutil.copy(first.config, config)
    shutil.copy(kept, tmp_path / "kept")
    yield Chain(tmp_path, first.work, tmp_path / "out", config)
    shutil.copy(tmp_path / "kept", kept)


def _key(record: dict[str, object]) -> tuple[object, ...]:
    return record["item"], record["round"], record["key"]


def test_the_chain_ends_with_a_report_and_a_verdict(ran: tuple[Chain, int, str]) -> None:
    """Every promised file stands in the output folder."""
    chain, code, text = ran

    assert code == 0, text
    names = {path.name for path in chain.out.iterdir()}
    assert names >= {
        "index.html",
        "summary.md",
        "results.parquet",
        "records.jsonl",
        "verdict.json",
        "junit.xml",
        "plan.json",
    }
    assert [(u["from"], u["to"]) for u in chain.verdict()["upgrades"]] == [("ort-1.30", "ort-1.31")]
    assert "index.html" in text


def test_every_phase_really_ran(ran: tuple[Chain, int, str]) -> None:
    """Real plans are built, and ONNX Runtime goes through every phase."""
    seen = Counter((r["runtime"], r["check"], r["status"]) for r in ran[0].records())

    assert seen["rtx-1.7", "build", "ok"] == 2
    assert seen["ort-1.31", "build", "ok"] == 2
    assert seen["ort-1.31", "load", "ok"] == 4
    assert seen["ort-1.31", "accuracy", "ok"] == 12
    assert seen["ort-1.31", "latency", "ok"] == 4 * 2
    assert seen["ort-1.31", "damaged", "refused"] == 3
    assert seen["ort-1.31", "damaged", "ok"] == 1


def test_a_record_tells_the_engines_time_from_ours(ran: tuple[Chain, int, str]) -> None:
    """Cold start is loading and getting ready; digest and process start are the harness's."""
    records = [r for r in ran[0].records() if r["runtime"] == "ort-1.31" and r["status"] == "ok"]
    loads = [r for r in records if r["check"] == "load"]
    timed = [r for r in records if r["check"] == "latency"]

    assert all({"load_s", "digest_s"} <= r["numbers"].keys() for r in loads)
    assert all({"load_s", "ready_s", "warmup_s"} <= r["numbers"].keys() for r in timed)
    assert all(
        r["numbers"]["measured_s"] >= r["numbers"]["n"] * r["numbers"]["min_s"] for r in timed
    )


def test_a_target_is_started_once_a_phase_or_round_and_forks_for_every_block(
    ran: tuple[Chain, int, str],
) -> None:
    """What a process has loaded before can make an engine slower, so that none has."""
    records = [r for r in ran[0].records() if r["runtime"] == "ort-1.31"]

    started = [(r["phase"], r["round"]) for r in records if "process_start_s" in r["facts"]]
    assert started == [("build", None), ("check", None), ("bench", 0), ("bench", 1)]
    forked = [r["facts"]["fork_s"] for r in records if "fork_s" in r["facts"]]
    assert len(forked) == 2 * (4 - 1)
    assert max(forked) < 1.0  # nothing is imported again


def test_compiled_python_is_kept_in_the_work_folder(ran: tuple[Chain, int, str]) -> None:
    """Compiling pytest and numpy anew was most of every process's start."""
    kept = {path.name.partition("-ort")[0] for path in (ran[0].work / "bytecode").iterdir()}

    assert any(name.startswith("ort-1.31-") for name in kept)
    assert list((ran[0].work / "bytecode").rglob("conftest*.pyc"))


@pytest.mark.skipif(bool(probe().gpus), reason="this machine has a GPU: the cells would run")
def test_what_needs_a_gpu_is_not_run_and_says_so(ran: tuple[Chain, int, str]) -> None:
    """It can never be taken for a pass."""
    chain, _, text = ran
    loads = [r for r in chain.records() if r["runtime"] == "rtx-1.7" and r["check"] == "load"]

    assert {(r["status"], r["reason"]) for r in loads} == {("not-run", "no-cuda-driver")}
    assert "no CUDA driver" in text
    assert "no CUDA driver" in (chain.out / "index.html").read_text(encoding="utf-8")


def test_an_engine_states_its_types_and_its_model(ran: tuple[Chain, int, str]) -> None:
    """The fp16 engine has half layers, and its manifest names flags and digests."""
    chain = ran[0]
    build = next(
        r
        for r in chain.records()
        if (r["runtime"], r["check"], r["precision"]) == ("rtx-1.7", "build", "fp16")
    )

    manifest = json.loads((chain.work / (build["files"]["engine"] + ".json")).read_text())
    assert build["facts"]["layer_types"]["Half"] > 0
    assert manifest["flags"] == ["STRONGLY_TYPED"]
    assert manifest["version"] == "1.7.1.116"
    assert len(manifest["onnx_sha256"]) == 64
    assert build["facts"]["file"]["version"] == "1.7.1.116"
    assert build["facts"]["file"]["problems"] == []


def test_a_second_run_repeats_nothing(chain: Chain) -> None:
    """An unchanged matrix is answered from the records; benchmarks/harness.py says how fast."""
    before = chain.records()

    code, text = chain.run()

    assert code == 0, text
    assert chain.records() == before


def test_a_warm_cache_needs_no_network(chain: Chain) -> None:
    """Environments, models and records are all there."""
    chain.env["UV_OFFLINE"] = "1"
    chain.forget_records()

    code, text = chain.run("--models", "text", "--precisions", "fp32")

    assert code == 0, text


def test_kill_9_loses_nothing_and_repeats_nothing(chain: Chain) -> None:
    """The next run goes on after the last finished cell."""
    chain.forget_records()
    with chain.start() as process:
        chain.wait_for_records(5)
        process.kill()
    finished = {_key(record) for record in chain.records()}

    code, text = chain.run()

    keys = Counter(_key(record) for record in chain.records())
    assert code == 0, text
    assert finished <= set(keys)
    assert max(keys.values()) == 1


def test_ctrl_c_says_how_to_go_on(chain: Chain) -> None:
    """Exit code 130, a sentence, no stack trace, and every finished cell kept."""
    chain.forget_records()
    with chain.start() as process:
        chain.wait_for_records(3)
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "the same command goes on" in text
    assert "Traceback" not in text
    assert len(chain.records()) >= 3


def test_a_target_that_dies_costs_one_cell(chain: Chain) -> None:
    """A segmentation fault in the middle of a build: that cell is crashed, the others run."""
    chain.forget_records()
    with chain.start() as process:
        chain.wait_for_records(1)
        signal_suite(process.pid, signal.SIGSEGV)
        process.communicate(timeout=300)

    statuses = Counter(record["status"] for record in chain.records())
    crashed = [record for record in chain.records() if record["status"] == "crashed"]
    assert len(crashed) <= 1  # the signal may fall between two cells: then none is lost
    assert all(record["reason"] == "signal-SIGSEGV" for record in crashed)
    assert statuses["ok"] > 20


def test_two_runs_in_one_folder(chain: Chain) -> None:
    """The second says so and touches nothing."""
    chain.forget_records()
    with chain.start() as first:
        chain.wait_for_records(1)
        code, text = chain.run()
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)

    assert code == 2
    assert "another run" in text
    assert "--work" in text


def test_an_output_folder_that_cannot_be_written_to(chain: Chain) -> None:
    """The message names the folder and the option; nothing has been run before it."""
    chain.out = chain.home / "file" / "out"
    (chain.home / "file").write_text("")

    code, text = chain.run()

    assert code == 2
    assert "--out" in text
    assert "Traceback" not in text


def test_a_version_that_does_not_exist(chain: Chain) -> None:
    """Its cells are not run, with the reason; the rest goes on."""
    text = MATRIX.replace('"1.7.1.116"', '"1.7.9.999"')
    chain.config.write_text(text, encoding="utf-8")

    code, said = chain.run("--precisions", "fp32")

    plan = json.loads((chain.out / "plan.json").read_text(encoding="utf-8"))
    lines = (chain.out / "records.jsonl").read_text(encoding="utf-8").splitlines()
    rtx = [r for r in map(json.loads, lines) if r["runtime"] == "rtx-1.7"]
    assert code == 0, said
    assert len(rtx) == len([i for i in plan["items"] if i["runtime"] == "rtx-1.7"])
    assert {(r["status"], r["reason"]) for r in rtx} == {("not-run", "version-not-found")}
    assert "1.7.1.116" in said  # the nearest version that exists


def test_an_op_that_the_parser_refuses_is_named(chain: Chain) -> None:
    """Op and node stand in the record; the other targets run the model."""
    node = helper.make_node("NonZero", ["x"], ["y"], name="find_objects")
    graph = helper.make_graph(
        [node],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT64, [2, "found"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, chain.home / "mine.onnx")
    text = MATRIX.replace("builtin:clip-vit-b32-text", "mine.onnx")
    chain.config.write_text(text, encoding="utf-8")

    code, said = chain.run("--precisions", "fp32")

    built = {
        r["runtime"]: r for r in chain.records() if r["check"] == "build" and r["model"] == "text"
    }
    assert built["rtx-1.7"]["status"] == "refused", said
    assert built["rtx-1.7"]["reason"] == "parser-refused-op"
    assert "NonZero" in built["rtx-1.7"]["message"]
    assert "find_objects" in built["rtx-1.7"]["message"]
    assert built["ort-1.31"]["status"] == "ok"
    assert code in (0, 1)


def _matmul(path: Path, seed: int) -> None:
    """Write a user's own ONNX whose batch axis is called N."""
    weights = np.random.default_rng(seed).standard_normal((8, 12)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 12])],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)


def test_a_model_that_changes_and_changes_back(chain: Chain) -> None:
    """Records of the first form stand again, with the files that belong to them.

    The model's only axis is called N: everything, latency included, works with that name too.
    """
    text = MATRIX.replace("builtin:clip-vit-b32-text", "mine.onnx")
    text = text.replace("batch = [1, 2, 4]", "N = [1, 2, 4]")
    chain.config.write_text(text, encoding="utf-8")
    chain.forget_records()
    narrow = ("--precisions", "fp32", "--targets", "ort-1.30,ort-1.31")
    counts = []
    for seed in (1, 2, 1):
        _matmul(chain.home / "mine.onnx", seed)
        code, said = chain.run(*narrow)
        assert code == 0, said
        table = pd.read_parquet(chain.out / "results.parquet")
        accuracy = table[table["check"] == "accuracy"]
        assert (accuracy["golden_cosine"] > 0.9999).all()
        assert set(table[table["check"] == "latency"]["status"]) == {"ok"}
        counts.append(len(chain.records()))

    assert counts[1] == 2 * counts[0]
    assert counts[2] == counts[1]


def test_an_engine_changed_by_hand_is_built_again(chain: Chain) -> None:
    """Its record speaks of another file now."""
    build = next(r for r in chain.records() if r["check"] == "build" and "ort" in r["runtime"])
    engine = chain.work / build["files"]["engine"]
    engine.write_bytes(engine.read_bytes()[:-1] + b"?")

    code, said = chain.run()

    again = [r for r in chain.records() if r["item"] == build["item"]]
    assert code == 0, said
    assert len(again) == 2
    assert again[-1]["status"] == "ok"


def test_a_full_disk_in_the_work_folder_is_not_the_engines_fault(chain: Chain) -> None:
    """The cell is not run, nothing is blocked, and the next run does it."""
    small = chain.work / "outputs"
    kept = small.rename(chain.work / "outputs.kept")
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    chain.forget_records()
    try:
        if mounted.returncode:
            pytest.skip("needs the right to mount a small file system")
        _, said = chain.run("--precisions", "fp32", "--targets", "ort-1.30,ort-1.31")
    finally:
        subprocess.run(["umount", str(small)], check=False, capture_output=True)
        small.rmdir()
        kept.rename(small)

    full = [r for r in chain.records() if r["reason"] == "disk-full"]
    assert full, said
    assert {r["status"] for r in full} == {"not-run"}
    assert chain.verdict()["upgrades"][0]["verdict"] != "blocked"

    code, said = chain.run("--precisions", "fp32", "--targets", "ort-1.30,ort-1.31")

    assert code == 0, said
    assert chain.verdict()["counts"].get("not-run", 0) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"\x89PNG\r\n\x1a\n", "not an ONNX"), (b"\x08\x08\x12", "")],
    ids=["empty", "png", "truncated"],
)
def test_a_model_that_is_none(chain: Chain, content: bytes, said: str) -> None:
    """One clear sentence with the file's name and exit code 2, before anything runs."""
    (chain.home / "mine.onnx").write_bytes(content)
    text = MATRIX.replace("builtin:clip-vit-b32-text", "mine.onnx")
    chain.config.write_text(text, encoding="utf-8")

    code, printed = chain.run()

    assert code == 2
    assert "mine.onnx" in printed
    assert said.lower() in printed.lower()
    assert "Traceback" not in printed


def test_a_full_disk_is_told_and_nothing_is_lost(chain: Chain) -> None:
    """The work folder's file system is full: exit code 4, one sentence, records kept."""
    small = chain.home / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        chain.out = small / "out"
        code, text = chain.run()
    finally:
        subprocess.run(["umount", str(small)], check=True)

    assert code == 4, text
    assert "No space left on device" in text
    assert "run the same command again" in text
