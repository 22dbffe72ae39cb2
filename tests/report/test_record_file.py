"""A report judged again by itself, without the work dir, says the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat import analysis, report
from compat.analysis import Results
from tests import builders

A, B = "ort-1.30", "ort-1.31"


def run(work: Path, candidate: np.ndarray[Any, Any]) -> tuple[Results, Path]:
    """Analyse and write a run whose outputs lie in a work dir; the candidate's are given."""
    logits = np.random.default_rng(0).normal(size=(4, 20))
    for name, array in (("golden", logits), (A, logits), (B, candidate)):
        np.savez(work / f"{name}.npz", logits=array)
    items = [
        builders.item("accuracy", "resnet50", "fp32", builder, runtime, "max")
        for builder, runtime in ((A, A), (A, B), (B, B))
    ]
    golden = {"resnet50": {"max": "golden.npz"}}
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    plan = builders.plan(items, targets, [(A, B)], golden=golden)
    records = [builders.record(i, files={"outputs": f"{i['runtime']}.npz"}) for i in items]
    source = work / "records.jsonl"
    source.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    results = analysis.compile(plan, records, work=work)
    return results, report.write(results, work / "out", records_path=source).parent


@pytest.mark.parametrize("kind", ["equal", "nan", "zero", "noise", "reshaped"])
def test_judged_again_without_the_outputs_it_says_the_same(kind: str, tmp_path: Path) -> None:
    logits = np.random.default_rng(0).normal(size=(4, 20))
    candidate = {
        "equal": logits,
        "nan": np.where(logits > 2, np.nan, logits),
        "zero": np.zeros_like(logits),
        "noise": logits + 0.5,
        "reshaped": logits[:2],
    }[kind]
    first, out = run(tmp_path, candidate)
    with (out / "records.jsonl").open(encoding="utf-8") as lines:
        again = analysis.compile(first.plan, map(json.loads, lines))
    columns = ["verdict", "verdict_code", "golden_sqnr_db", "golden_relative_l2"]
    assert again.table[columns].equals(first.table[columns])
    assert [u.verdict for u in again.upgrades] == [u.verdict for u in first.upgrades]


def test_written_over_itself_it_stays_the_same(tmp_path: Path) -> None:
    results, out = run(tmp_path, np.ones((4, 20)))
    path = out / "records.jsonl"
    before = path.read_bytes()
    report.write(results, out, records_path=path)
    assert path.read_bytes() == before


def test_metrics_against_one_version_are_not_taken_for_another(tmp_path: Path) -> None:
    first, out = run(tmp_path, np.random.default_rng(0).normal(size=(4, 20)))
    records = [json.loads(x) for x in (out / "records.jsonl").read_text("utf-8").splitlines()]
    for record in records:
        record["facts"]["compared_with"] = "accuracy/another/item"
    again = analysis.compile(first.plan, records)
    assert again.table["current_cosine"].isna().all()


def test_a_half_written_line_is_passed_on(results: Results, tmp_path: Path) -> None:
    source = tmp_path / "source.jsonl"
    source.write_text('{"check": "accuracy", "item', encoding="utf-8")
    report.write(results, tmp_path / "out", records_path=source)
    assert (tmp_path / "out" / "records.jsonl").read_text("utf-8") == source.read_text("utf-8")
