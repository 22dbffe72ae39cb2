"""The gate: when CI stops, when it goes on, and when it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from compat.analysis.gate import decide
from compat.analysis.results import Coverage, Judgement, Reason, UpgradeVerdict, UpgradeWord
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
        (ALLOW, ("inconclusive",), ("pass", 0)),
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


def test_without_upgrades_failed_items_decide() -> None:
    plan = builders.plan([], [], [], gate=STOP)
    good, bad = Judgement("pass"), Judgement("fail")
    assert decide(plan, [], {"a": good}, ran=1).value == "pass"
    found = decide(plan, [], {"a": good, "b": bad, "c": bad}, ran=3)
    assert (found.exit_code, found.reasons) == (1, ("b and 1 more failed",))
