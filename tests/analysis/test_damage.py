"""A damaged engine tells of its runtime's own checking, and decides nothing."""

from __future__ import annotations

from typing import Any

import pytest

from compat import analysis
from compat.records import is_broken
from tests import builders

A, B = "ort-1.30", "ort-1.31"
STOPPED = {"stopped_by_digest": True}
SILENT = {**STOPPED, "loaded_silently": True}


def row_of(damage: str, status: str, reason: str = "", **found: Any) -> Any:
    """The table row of one damaged engine."""
    item = builders.damaged_item(damage, A)
    record = builders.record(item, status, reason=reason, message="said so", **found)
    return analysis.compile(builders.plan([item], [builders.target(A)], []), [record]).table.iloc[0]


@pytest.mark.parametrize(
    ("status", "reason", "facts", "said"),
    [
        ("refused", "not-an-engine", STOPPED, "refuses it too: not-an-engine"),
        ("ok", "", SILENT, "only the manifest's digest stops it: the runtime loads it without"),
        ("crashed", "signal-SIGSEGV", STOPPED, "the runtime dies (signal-SIGSEGV) on it"),
        ("timeout", "timeout", STOPPED, "the runtime hangs on it"),
        ("crashed", "signal-SIGSEGV", {"limit_s": 300}, "not known whether the digest had"),
        ("timeout", "timeout", {"limit_s": 300}, "not known whether the digest had"),
        ("failed", "run-failed", {**SILENT, "broke_at": "run"}, "then fails: said so"),
    ],
)
def test_whatever_the_runtime_does_is_an_answer(
    status: str, reason: str, facts: dict[str, Any], said: str
) -> None:
    row = row_of("flipped-weight", status, reason, facts=facts)
    assert row["verdict"] == "info"
    assert said in row["verdict_reason"]


def test_a_silent_load_says_how_far_the_output_is_off() -> None:
    numbers = {"max_abs_change": 0.534, "max_abs_whole": 3.2, "not_finite": 0, "outputs_lost": 0}
    row = row_of("flipped-weight", "ok", facts=SILENT, numbers=numbers)
    assert "output off by up to 0.534 (largest output 3.2)" in row["verdict_reason"]


@pytest.mark.parametrize(
    ("not_finite", "said"),
    [(8, "8 values are finite only with"), (0, "no value could be compared")],
)
def test_where_nothing_was_compared_nothing_is_as_before(not_finite: int, said: str) -> None:
    numbers = {"max_abs_change": 0.0, "max_abs_whole": 0.0, "outputs_lost": 0, "compared": 0}
    row = row_of(
        "flipped-weight", "ok", facts=SILENT, numbers={**numbers, "not_finite": not_finite}
    )
    assert said in row["verdict_reason"]


def test_a_digest_that_lets_damage_through_fails() -> None:
    row = row_of("truncated", "failed", "digest-blind")
    assert (row["verdict"], row["verdict_code"]) == ("fail", "digest-blind")


@pytest.mark.parametrize(
    ("status", "reason", "news"),
    [
        ("refused", "host-code-not-allowed", "as documented"),
        ("refused", "version-mismatch", "undocumented"),
        ("ok", "", "surprise"),
        ("crashed", "signal-SIGSEGV", "surprise"),
    ],
)
def test_host_code_that_was_not_allowed_has_to_be_refused(
    status: str, reason: str, news: str
) -> None:
    row = row_of("host-code-denied", status, reason)
    assert (row["verdict"], row["news"]) == ("info", news)


@pytest.mark.parametrize("status", ["refused", "crashed", "timeout", "not-run", "ok", "failed"])
def test_no_upgrade_hears_of_a_damaged_engine(status: str) -> None:
    """Verdict, reasons, coverage and gate are the same with it and without it."""
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    items = [
        item
        for b in (A, B)
        for r in (A, B)
        for item in builders.cell_items("resnet50", "fp32", b, r)
    ]
    records = [r for n, i in enumerate(items) for r in builders._default_records(i, n)]
    damaged = [builders.damaged_item("foreign", name) for name in (A, B)]
    tried = [builders.record(i, status, facts={**STOPPED, "broke_at": "load"}) for i in damaged]

    def judge(more: list[Any], found: list[Any]) -> Any:
        plan = builders.plan([*items, *more], targets, [(A, B)], ["resnet50"])
        return analysis.compile(plan, [*records, *found])

    without, with_ = judge([], []), judge(damaged, tried)
    assert with_.upgrades == without.upgrades
    assert with_.gate == without.gate


def test_a_plan_without_upgrades_does_not_wait_for_damaged_engines() -> None:
    load = builders.item("load", "resnet50", "fp32", A, A)
    damaged = builders.damaged_item("foreign", A)
    records = [builders.record(load), builders.not_run(damaged)]
    gate = {"inconclusive": "stop", "not-run": "stop"}

    plan = builders.plan([load, damaged], [builders.target(A)], [], gate=gate)

    assert analysis.compile(plan, records).gate.exit_code == 0


def test_a_result_on_record_is_a_failure_only_before_the_runtime_had_the_engine() -> None:
    """What a session of one target and a far machine leave with exit code 1 for."""
    item = builders.damaged_item("flipped-weight", A)
    died = builders.record(item, "crashed", facts={"limit_s": 300})
    broke = builders.record(item, "failed", facts={**STOPPED, "broke_at": "run"})
    blind = builders.record(item, "failed", reason="digest-blind")

    assert [is_broken(record) for record in (died, broke, blind)] == [False, False, True]
    assert is_broken(builders.record(builders.item("load", "m", "fp32", A, A), "crashed"))
