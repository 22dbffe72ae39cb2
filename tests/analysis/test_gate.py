"""The gate: when CI stops, when it goes on, and when it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from compat.analysis.gate import decide
from compat.analysis.results import (
    Coverage,
    ItemVerdict,
    Judgement,
    Reason,
    UpgradeVerdict,
    UpgradeWord,
)
from tests import builders

STOP = {"inconclusive": "stop", "not-run": "stop"}
ALLOW = {"inconclusive": "allow", "not-run": "allow"}


def verdict(word: UpgradeWord) -> UpgradeVerdict:
    reasons = (Reason("code", "the reason", ("item",), "gap"),)
    return UpgradeVerdict("a-1", "a-2", word, reasons, Coverage(1, 1))


def gate(policy: dict[str, str], *words: UpgradeWord, ran: int = 1) -> tuple[str, int]:
    plan: dict[str, Any] = builders.plan([], [], [], gate=policy)
    found = decide(plan, [verdict(w) for w in words], {}, ran=ran)
    return found.value, found.exit_code


@pytest.mark.parametrize(
    ("policy", "words", "expected"),
    [
        (STOP, ("safe",), ("pass", 0)),
        (STOP, ("safe", "rebuild"), ("pass", 0)),
        (STOP, ("safe", "blocked"), ("fail", 1)),
        (ALLOW, ("not-run", "blocked"), ("fail", 1)),
        (STOP, ("safe", "inconclusive"), ("inconclusive", 4)),
        (ALLOW, ("safe", "inconclusive"), ("pass", 0)),
        (STOP, ("safe", "not-run"), ("inconclusive", 4)),
        (ALLOW, ("safe", "not-run"), ("pass", 0)),
        (ALLOW, ("inconclusive",), ("inconclusive", 4)),
        (ALLOW, ("inconclusive", "not-run"), ("inconclusive", 4)),
        (ALLOW, ("rebuild", "not-run"), ("pass", 0)),
        (ALLOW, ("not-run", "not-run"), ("inconclusive", 4)),
        ({}, ("inconclusive", "safe"), ("inconclusive", 4)),
    ],
)
def test_gate(
    policy: dict[str, str], words: tuple[UpgradeWord, ...], expected: tuple[str, int]
) -> None:
    assert gate(policy, *words) == expected


def test_nothing_ran_is_never_green() -> None:
    assert gate(ALLOW, "safe", ran=0) == ("inconclusive", 4)
    assert gate(ALLOW, ran=0) == ("inconclusive", 4)


def test_what_is_let_through_is_listed() -> None:
    plan = builders.plan([], [], [], gate=ALLOW)
    found = decide(plan, [verdict("safe"), verdict("inconclusive")], {}, ran=1)
    assert found.allowed == ("a-1 → a-2 is inconclusive: the reason",)


def test_a_rebuild_passes_and_says_so() -> None:
    plan = builders.plan([], [], [], gate=STOP)
    found = decide(plan, [verdict("rebuild")], {}, ran=1)
    assert "must be rebuilt" in found.reasons[0]


QUICK = {"judge-latency": False}
OPEN = Reason("latency-not-judged", "latency is not judged", ("item",), "gap")
NEWS = Reason("engine-refused", "refused", ("item",), "rebuild")
CRASH = Reason("not-measured", "crashed in both", ("item",), "gap")


@pytest.mark.parametrize(
    ("policy", "reasons", "expected"),
    [
        (ALLOW | QUICK, (OPEN,), ("pass", 0)),
        (ALLOW | QUICK, (OPEN, NEWS), ("pass", 0)),
        (STOP | QUICK, (OPEN,), ("inconclusive", 4)),
        (ALLOW | QUICK, (CRASH, OPEN), ("inconclusive", 4)),
        (ALLOW | QUICK, (NEWS,), ("inconclusive", 4)),
        (ALLOW, (OPEN,), ("inconclusive", 4)),
    ],
)
def test_a_quick_run_passes_only_if_latency_alone_is_open(
    policy: dict[str, Any], reasons: tuple[Reason, ...], expected: tuple[str, int]
) -> None:
    plan = builders.plan([], [], [], gate=policy)
    upgrade = UpgradeVerdict("a-1", "a-2", "inconclusive", reasons, Coverage(1, 1))
    found = decide(plan, [upgrade, verdict("not-run")], {}, ran=1)
    if policy.get("not-run") == "allow":
        assert (found.value, found.exit_code) == expected
    alone = decide(plan, [upgrade], {}, ran=1)
    assert (alone.value, alone.exit_code) == expected
    if alone.value == "pass":
        assert alone.reasons == ("nothing failed; latency was not judged (quick run)",)
        assert (alone.headline, alone.held) == ("Nothing failed", False)
        assert alone.allowed


def test_nothing_failed_is_not_said_where_an_item_failed() -> None:
    """A build that failed in both versions, or in a target of no upgrade, is still a failure."""
    plan = builders.plan([], [], [], gate=ALLOW | QUICK)
    upgrade = UpgradeVerdict("a-1", "a-2", "inconclusive", (OPEN,), Coverage(1, 1))
    found = decide(plan, [upgrade], {"x": Judgement("fail")}, ran=1)
    assert (found.exit_code, found.headline) == (0, "No upgrade failed")
    assert found.reasons == ("no upgrade failed; latency was not judged (quick run)",)
    assert found.because == ("latency was not judged (quick run)",)


def test_the_headline_is_that_of_the_decision() -> None:
    plan = builders.plan([], [], [], gate=STOP)
    words: tuple[UpgradeWord, ...] = ("safe", "blocked", "inconclusive")
    assert [decide(plan, [verdict(w)], {}, ran=1).headline for w in words] == [
        "The gate holds", "The gate says stop", "Not enough evidence",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "words", "code", "reason"),
    [
        (STOP, ("pass",), 0, "the plan has no upgrade to judge; no item failed"),
        (STOP, ("pass", "fail", "fail"), 1, "1 and 1 more failed"),
        (ALLOW, ("pass", "fail"), 1, "1 failed"),
        (ALLOW, ("info", "inconclusive", "not-run"), 4, "no upgrade to judge, and no item held"),
        (STOP, ("pass", "inconclusive"), 4, "1 item inconclusive"),
        (STOP, ("pass", "not-run", "not-run"), 4, "2 items not-run"),
        (ALLOW, ("pass", "inconclusive", "not-run"), 0, "the plan has no upgrade to judge"),
        ({}, ("pass", "inconclusive"), 4, "1 item inconclusive"),
    ],
)
def test_without_upgrades_single_items_decide(
    policy: dict[str, str], words: tuple[ItemVerdict, ...], code: int, reason: str
) -> None:
    plan = builders.plan([], [], [], gate=policy)
    found = decide(plan, [], {str(n): Judgement(w) for n, w in enumerate(words)}, ran=1)
    assert found.exit_code == code
    assert found.reasons[0].startswith(reason)
    if code == 0:
        assert found.headline == "Nothing failed"


def test_without_upgrades_what_is_let_through_is_listed() -> None:
    plan = builders.plan([], [], [], gate=ALLOW)
    items = {"a": Judgement("pass"), "b": Judgement("not-run"), "c": Judgement("inconclusive")}
    found = decide(plan, [], items, ran=1)
    assert found.allowed == ("1 item inconclusive", "1 item not-run")
