"""Latency verdicts: holds, slower, and every way to be inconclusive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compat import analysis
from tests import builders

A, B = "ort-1.30", "ort-1.31"


def compare(candidate: dict[str, Any], current: dict[str, Any] | None = None, **plan: Any) -> Any:
    """The row of the rebuilt engine, from two sets of rounds with the given properties."""
    items = [builders.item("latency", "resnet50", "fp32", t, t, "opt") for t in (A, B)]
    records = [
        *builders.rounds_of(items[0], 1, **(current or {})),
        *builders.rounds_of(items[1], 2, **candidate),
    ]
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    table = analysis.compile(builders.plan(items, targets, [(A, B)], **plan), records).table
    return table.iloc[1]


def test_equal_versions_hold() -> None:
    row = compare({})
    assert row["verdict"] == "pass"
    assert row["ratio_low"] < row["ratio"] < row["ratio_high"] < 1.05


def test_a_third_more_is_slower() -> None:
    row = compare({"base": 0.027})
    assert (row["verdict"], row["verdict_code"]) == ("fail", "slower")
    assert row["ratio"] == pytest.approx(1.35, rel=0.01)


def test_faster_holds() -> None:
    assert compare({"base": 0.01})["verdict"] == "pass"


def test_an_interval_across_the_band_is_inconclusive() -> None:
    row = compare({"base": 0.021, "noise": 0.01})
    assert row["verdict"] == "inconclusive"
    assert "reaches across" in row["verdict_reason"]


@pytest.mark.parametrize(
    ("candidate", "current", "said"),
    [
        ({"rounds": 3}, {"rounds": 3}, "3 paired rounds; 4 are needed"),
        ({"spread": 0.2}, {}, "unstable candidate"),
        ({}, {"spread": 0.2}, "unstable current"),
        ({"clock": "cuda-event"}, {"clock": "cuda-event"}, "unstable candidate"),
        ({"clock": "cuda-event", "spread": 0.01}, {"clock": "host"}, "clocks differ"),
        ({}, {"noise": 0.06}, "noise floor"),
    ],
)
def test_shaky_evidence_is_inconclusive(
    candidate: dict[str, Any], current: dict[str, Any], said: str
) -> None:
    row = compare({"base": 0.06} | candidate, current)
    assert row["verdict"] == "inconclusive"
    assert said in row["verdict_reason"]


def test_a_throttled_version_is_inconclusive() -> None:
    items = [builders.item("latency", "resnet50", "fp32", t, t, "opt") for t in (A, B)]
    records = [r for n, i in enumerate(items) for r in builders.rounds_of(i, n)]
    records[-1]["facts"]["throttled"] = True
    targets = [builders.target(A), builders.target(B)]
    table = analysis.compile(builders.plan(items, targets, [(A, B)]), records).table
    assert table["verdict_reason"].tolist()[1] == "the candidate was throttled"


@pytest.mark.parametrize(
    ("minutes", "verdict"), [(0, "pass"), (14, "pass"), (-14, "pass"), (16, "inconclusive")]
)
def test_rounds_that_are_not_interleaved_are_no_pairs(minutes: int, verdict: str) -> None:
    items = [builders.item("latency", "resnet50", "fp32", t, t, "opt") for t in (A, B)]
    records = [r for n, i in enumerate(items) for r in builders.rounds_of(i, n)]
    when = datetime(2026, 11, 20, 12, tzinfo=UTC) + timedelta(minutes=minutes)
    records[-1]["started"] = when.isoformat(timespec="milliseconds")
    targets = [builders.target(A), builders.target(B)]
    row = analysis.compile(builders.plan(items, targets, [(A, B)]), records).table.iloc[1]
    assert row["verdict"] == verdict
    if verdict == "inconclusive":
        assert row["verdict_reason"] == "measured at different times (not interleaved)"


@pytest.mark.parametrize("started", ["", "yesterday"])
def test_rounds_without_a_time_are_not_known_to_be_interleaved(started: str) -> None:
    items = [builders.item("latency", "resnet50", "fp32", t, t, "opt") for t in (A, B)]
    records = [r for n, i in enumerate(items) for r in builders.rounds_of(i, n)]
    records[-1]["started"] = started
    targets = [builders.target(A), builders.target(B)]
    row = analysis.compile(builders.plan(items, targets, [(A, B)]), records).table.iloc[1]
    assert row["verdict"] == "inconclusive"


def test_a_quick_run_shows_the_ratio_and_does_not_judge_it() -> None:
    gate = {"inconclusive": "allow", "not-run": "allow", "judge-latency": False}
    row = compare({"base": 0.06}, gate=gate)
    assert row["verdict"] == "info"
    assert row["ratio"] == pytest.approx(3.0, rel=0.01)


def test_a_red_cell_must_survive_the_correction_over_all_cells() -> None:
    """One cell alone is slower; among 400 others the same rounds are not significant."""
    models = [f"m{n}" for n in range(400)]
    items = [builders.item("latency", m, "fp32", t, t, "opt") for m in models for t in (A, B)]
    records = [
        record
        for n, item in enumerate(items)
        for record in builders.rounds_of(
            item, n, base=0.0222 if n == 1 else 0.02, noise=0.012, rounds=5
        )
    ]
    targets = [builders.target(A), builders.target(B)]

    def first(count: int) -> Any:
        plan = builders.plan(items[: 2 * count], targets, [(A, B)], models)
        return analysis.compile(plan, records).table.iloc[1]

    assert first(1)["verdict"] == "fail"
    assert first(400)["verdict"] == "inconclusive"
    assert "not significant over all cells" in first(400)["verdict_reason"]
