"""Drift from files: computed, cached, and still known after the files are gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat import analysis
from compat.analysis import drift
from tests import builders

A, B = "ort-1.30", "ort-1.31"


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A work dir with the golden outputs, equal outputs of A, and slightly different ones of B."""
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(16, 1000)).astype(np.float32)
    noise = draw.normal(0, 1e-3, logits.shape).astype(np.float32)
    for name, array in (("golden", logits), (A, logits), (B, logits + noise)):
        np.savez(tmp_path / f"{name}.npz", logits=array)
    return tmp_path


def plan_and_records() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Accuracy at max of the kept and the rebuilt engine, and of the current version."""
    items = [
        builders.item("accuracy", "resnet50", "fp32", builder, runtime, "max")
        for builder, runtime in ((A, A), (A, B), (B, B))
    ]
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    plan = builders.plan(items, targets, [(A, B)], golden={"resnet50": {"max": "golden.npz"}})
    records = [builders.record(i, files={"outputs": f"{i['runtime']}.npz"}) for i in items]
    return plan, records


def test_outputs_are_compared_with_the_golden_ones_and_with_the_current_version(
    work: Path,
) -> None:
    plan, records = plan_and_records()
    table = analysis.compile(plan, records, work=work).table
    current, kept, rebuilt = (table.iloc[n] for n in range(3))
    assert current["golden_max_abs"] == 0
    assert np.isnan(current["current_max_abs"])
    assert 0 < kept["golden_relative_l2"] < 0.01
    assert rebuilt["current_relative_l2"] == pytest.approx(kept["golden_relative_l2"])
    assert rebuilt["reference"] == current["item"]
    assert set(table["verdict"]) == {"pass"}


def test_a_second_run_reads_no_outputs(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, records = plan_and_records()
    cache = work / "cache" / "drift.json"
    first = analysis.compile(plan, records, work=work, drift_cache=cache).table

    def fail(*_: object) -> drift.Metrics:
        raise AssertionError("compared again")

    monkeypatch.setattr(drift, "compare", fail)
    again = analysis.compile(plan, records, work=work, drift_cache=cache).table
    assert again.equals(first)


def test_a_changed_output_is_compared_again(work: Path) -> None:
    plan, records = plan_and_records()
    cache = work / "drift.json"
    analysis.compile(plan, records, work=work, drift_cache=cache)
    np.savez(work / f"{B}.npz", logits=np.zeros((16, 1000), dtype=np.float32))
    table = analysis.compile(plan, records, work=work, drift_cache=cache).table
    assert table["golden_constant"].tolist() == [0, 1, 1]


def test_deleted_outputs_are_still_judged_from_the_cache(work: Path) -> None:
    plan, records = plan_and_records()
    cache = work / "drift.json"
    first = analysis.compile(plan, records, work=work, drift_cache=cache).table
    for file in work.glob("*.npz"):
        file.unlink()
    again = analysis.compile(plan, records, work=work, drift_cache=cache).table
    assert again["verdict"].tolist() == first["verdict"].tolist() == ["pass"] * 3


def test_outputs_that_were_never_there_are_inconclusive_and_not_a_pass(tmp_path: Path) -> None:
    plan, records = plan_and_records()
    table = analysis.compile(plan, records, work=tmp_path).table
    assert set(table["verdict_code"]) == {"no-outputs"}
    assert set(table["verdict"]) == {"inconclusive"}


def test_a_half_written_output_is_inconclusive(work: Path) -> None:
    plan, records = plan_and_records()
    content = (work / f"{B}.npz").read_bytes()
    (work / f"{B}.npz").write_bytes(content[: len(content) // 2])
    table = analysis.compile(plan, records, work=work).table
    assert table["verdict"].tolist() == ["pass", "inconclusive", "inconclusive"]


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 0, "pairs": {"x": 1}}'])
def test_a_broken_or_older_cache_is_as_none(work: Path, content: str) -> None:
    plan, records = plan_and_records()
    cache = work / "drift.json"
    cache.write_text(content, encoding="utf-8")
    table = analysis.compile(plan, records, work=work, drift_cache=cache).table
    assert set(table["verdict"]) == {"pass"}
    assert len(json.loads(cache.read_text("utf-8"))["pairs"]) == 5


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(work: Path) -> None:
    plan, records = plan_and_records()
    (work / "file").write_text("", encoding="utf-8")
    table = analysis.compile(plan, records, work=work, drift_cache=work / "file" / "x").table
    assert set(table["verdict"]) == {"pass"}
    assert not list(work.glob("x*"))


def test_metrics_in_the_record_need_no_files() -> None:
    plan, _ = plan_and_records()
    records = [builders.accuracy_record(i, n) for n, i in enumerate(plan["items"])]
    table = analysis.compile(plan, records).table
    assert set(table["verdict"]) == {"pass"}
    assert not any(str(c).startswith("num_golden") for c in table.columns)
