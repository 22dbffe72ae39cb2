"""The comparison with the independent loop, with a program that only claims to be one."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import agreement
from compat.conductor.jobs import Kitchen, entry
from compat.records import RecordStore, unanswered
from tests.conductor.kitchens import kitchen

SUITE_MEDIANS = (0.00099, 0.00100, 0.00150)  # seconds, per round; the median round is 1 ms


def stand_in(folder: Path, said: str) -> Path:
    """Return a program that notes how it was called and prints `said`."""
    path = folder / "python"
    path.write_text(
        f"#!{sys.executable}\nimport json, sys, pathlib\n"
        f"pathlib.Path({str(folder / 'called')!r}).write_text(json.dumps(sys.argv[1:]))\n"
        f"print('a line of a library')\nprint({said!r})\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path


def figure(median_ms: float, *, graph: bool = True) -> str:
    """Return what the loop prints."""
    return json.dumps({"median_ms": median_ms, "cv": 0.004, "n": 9, "graph": graph})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return ``run(said, cv)``: a run on record, compared with a loop that says `said`."""

    def start(said: str, cv: float = 0.005, *options: str, key: str = "") -> int:
        there = kitchen(work=tmp_path, python=stand_in(tmp_path, said))
        put_on_record(there, cv, key)
        monkeypatch.setattr(agreement, "kitchen_of", lambda *_: there)
        chosen = ("--work", str(tmp_path), "--model", "net", "--loops", "1")
        return agreement.main([*chosen, *options])

    return start


def put_on_record(there: Kitchen, cv: float, key: str) -> None:
    """Write the records of one build and its rounds; another `key` makes them those of old."""
    store = RecordStore(there.work / "records.jsonl")
    wanted = ("fp16", "weak", "opt")
    (item,) = (
        i
        for i in there.plan.items
        if i.check == "latency" and (i.precision, i.typing, i.point) == wanted
    )
    made = entry(replace(item, check="build", phase="build", point=None), there, None, None)
    build: dict[str, Any] = unanswered(item.build_id, None, {}, status="ok", reason="", message="")
    build |= {"files": {"engine": "e.engine"}, "facts": {"engine_sha256": "d" * 64}}
    store.append({**build, "key": made["key"]})
    for round_, median in enumerate(SUITE_MEDIANS):
        numbers = {"median_s": median, "mean_s": median, "std_s": cv * median}
        found = unanswered(item.id, round_, {}, status="ok", reason="", message="")
        found |= {"numbers": numbers, "facts": {"cuda_graph": True}}
        found |= {"key": key or entry(item, there, build, round_)["key"]}
        store.append(found)


@pytest.mark.parametrize(
    ("median_ms", "cv", "code", "word"),
    [
        (1.01, 0.005, 0, "agrees"),
        (1.03, 0.005, 1, "DOES NOT AGREE"),
        (0.97, 0.005, 1, "DOES NOT AGREE"),
        (1.00, 0.011, 1, "DOES NOT AGREE"),
    ],
    ids=["within 2 %", "suite too fast", "suite too slow", "suite unsteady"],
)
def test_the_exit_code_says_whether_both_agree(
    run: Any, capsys: pytest.CaptureFixture[str], median_ms: float, cv: float, code: int, word: str
) -> None:
    """The suite's figure is the median over all rounds, so one bad round changes nothing."""
    assert run(figure(median_ms), cv) == code

    text = capsys.readouterr().out
    assert "latency/net/fp16-weak/plain/t/t/opt: suite 1.0000 ms" in text
    assert "3 rounds" in text
    assert word in text


def test_the_loop_runs_on_the_same_engine_and_inputs(run: Any, tmp_path: Path) -> None:
    assert run(figure(1.0), 0.005, "--no-graph", "--seconds", "1") == 0

    script, engine, feeds, *options = json.loads((tmp_path / "called").read_text())
    assert Path(script).name == "event_loop.py"
    assert Path(script).is_file()
    assert engine == str(tmp_path / "e.engine")
    assert feeds == str(tmp_path / "feeds" / "opt.npz")
    assert options == ["--seconds", "1.0", "--path", "deps", "--no-graph"]


def test_a_machine_reads_json(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(figure(0.8), 0.005, "--json")

    found = json.loads(capsys.readouterr().out)
    assert found["difference"] == pytest.approx(0.25)
    assert found["holds"] is False
    assert found["loop_cv"] == 0.004


@pytest.mark.parametrize(
    ("said", "options", "word"),
    [
        ("no figure", (), "the loop gave no figure"),
        ("", ("--precision", "bf16"), "no latency record holds"),
        ("", ("--target", "other"), "no latency record holds"),
    ],
)
def test_without_both_figures_there_is_no_agreement(
    run: Any, capsys: pytest.CaptureFixture[str], said: str, options: tuple[str, ...], word: str
) -> None:
    assert run(said, 0.005, *options) == 2
    assert word in capsys.readouterr().err


def test_a_cuda_graph_is_not_compared_with_single_launches(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(figure(1.0, graph=False), 0.005) == 2
    said = capsys.readouterr().err
    assert "the suite launched as a CUDA graph, the loop without a CUDA graph" in said


def test_records_of_another_plan_or_machine_do_not_count(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only what the conductor itself would take as this plan's answer is compared."""
    assert run(figure(1.0), key="of old") == 2
    assert "no latency record holds" in capsys.readouterr().err


def test_a_work_folder_that_is_no_bundle_needs_a_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agreement.main(["--work", str(tmp_path)]) == 2
    assert "give --config" in capsys.readouterr().err
