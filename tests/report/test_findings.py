"""What failed and what did not run, with what a person can do about it."""

from __future__ import annotations

from typing import Any

import pytest

from compat import analysis
from compat.report import findings, page
from compat.report.rows import rows
from compat.suite.refusals import MESSAGES
from tests import builders

A, B = "ort-1.30", "ort-1.31"


def found(status: str, reason: str, **changes: Any) -> tuple[analysis.Results, Any, Any]:
    """The results of one item, what failed of it, and what did not run."""
    item = builders.item("load", "m", "fp32", A, B)
    plan = builders.plan([item], [builders.target(A), builders.target(B)], [], ["m"])
    record = builders.record(item, status, reason=reason, message="It said no.", **changes)
    results = analysis.compile(plan, [record])
    items = list(rows(results.table))
    return results, findings.failures(items), findings.missing(items)


def test_a_refusal_has_its_cause_and_remedy() -> None:
    results, (failure,), missing = found("refused", "wrong-gpu")
    assert failure.advice.startswith("The plan was built for another compute capability")
    assert "Rebuild on the target GPU" in failure.advice
    assert not missing
    (index,) = page.render(results)
    assert index.html.count("Rebuild on the target GPU") == 2  # the finding, and the cell


@pytest.mark.parametrize("row", MESSAGES, ids=lambda m: m.reason)
def test_every_message_of_the_catalogue_has_advice(row: Any) -> None:
    assert findings.advice(row.reason, "")


def test_rows_of_one_reason_are_told_apart_by_what_was_said() -> None:
    said = findings.advice("lean-runtime-missing", "Unable to load library: libnvinfer_lean.so")
    assert "is not there" in said


def test_without_advice_there_is_the_command_that_repeats_it() -> None:
    _, (failure,), _ = found("refused", "never-seen")
    assert failure.advice == f"Try the first one again: {failure.first.text('repeat')}"


def test_what_the_host_could_not_prepare_is_a_failure_and_told_once() -> None:
    _, failures, missing = found("failed", "precision-not-applied", target={})
    assert len(failures) == 1
    assert not missing


def test_what_the_candidate_met_stands_before_a_mishap_elsewhere() -> None:
    """A wrong answer that blocks the upgrade stood below nineteen refusals of a lean runtime."""
    roles = ((A, "current"), (B, "candidate"), ("ort-1.29", "other"))
    cells = [("build", "ort-1.29"), ("accuracy", B), ("load", B)]
    items = [builders.item(check, "m", "fp32", name, name) for check, name in cells]
    plan = builders.plan(items, [builders.target(*r) for r in roles], [(A, B)], ["m"])
    records = [
        builders.record(items[0], "crashed", reason="signal-SIGSEGV"),
        builders.record(items[1], numbers={"golden_cosine": 0.5}),
        builders.record(items[2], "refused", reason="wrong-gpu"),
    ]

    failures = findings.failures(rows(analysis.compile(plan, records).table))

    assert [f.state for f in failures] == ["refused", "drift", "crashed"]


@pytest.mark.parametrize(("other", "count"), [(0.5, 1), (0.4, 2)])
def test_an_engine_that_is_as_wrong_in_two_runtimes_is_one_finding(
    other: float, count: int
) -> None:
    """A second target of a release, which builds variants, repeated every finding of the first."""
    items = [builders.item("accuracy", "m", "fp32", A, runtime, "opt") for runtime in (A, B)]
    plan = builders.plan(items, [builders.target(A), builders.target(B)], [], ["m"])
    records = [
        builders.record(item, numbers={"golden_cosine": cosine})
        for item, cosine in zip(items, (0.5, other), strict=True)
    ]
    results = analysis.compile(plan, records)

    failures = findings.failures(rows(results.table))

    assert [len(f.runtimes) for f in failures] == [2 // count] * count
    (index,) = page.render(results)
    assert (f"{A} → {A}, {B}" in index.html) is (count == 1)
