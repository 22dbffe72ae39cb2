"""The stored GPU records test every documented rule that they can, and the page says which."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from compat.engine.rules import rules
from tests.engine import replay

PAGE = (Path(__file__).parents[2] / "docs" / "predict.md").read_text(encoding="utf-8")


def test_every_stored_record_is_replayed() -> None:
    """A report that is added takes part, and stands on the page."""
    reports = Path(__file__).parents[2] / "reports"
    stored = {path.parent.name for path in reports.glob("*/plan.json")} - {"latest"}  # a user's own

    assert set(replay.REPORTS) == stored
    assert all(f"`reports/{name}`" in PAGE for name in stored)


def test_what_agrees_and_what_disagrees_is_as_the_page_has_it() -> None:
    """A new record or a new rule changes the table; then the page has to say so."""
    assert replay.tested() in PAGE


def test_every_disagreement_stands_on_the_page_with_its_evidence() -> None:
    """A rule that a record contradicts is a finding, not a number to forget."""
    assert any(not one.agrees for one in replay.trials())
    assert replay.disagreements() in PAGE


def test_what_was_seen_where_no_rule_speaks_stands_on_the_page() -> None:
    """Where the texts leave it open, the records are all there is."""
    assert replay.open_questions() in PAGE


def test_the_page_names_every_rule_that_no_record_has_tested() -> None:
    """What was not seen is not claimed."""
    section = PAGE.partition("## Rules that no stored record has tested")[2].partition("\n## ")[0]

    assert sorted(re.findall(r"^- `([a-z0-9-]+)`", section, re.M)) == sorted(replay.untested())


def test_the_page_lists_where_the_texts_disagree() -> None:
    """With both texts, so that a reader can look."""
    for rule in rules():
        if rule.contradicted_by:
            row = next(line for line in PAGE.splitlines() if rule.contradiction in line)
            assert f"`{rule.id}`" in row
            assert rule.source in row
            assert rule.contradicted_by in row


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule.id))
def test_no_documented_rule_is_contradicted_by_all_that_was_seen(rule: object) -> None:
    """Single surprises are listed; a rule that is always wrong would be no rule."""
    seen = [one for one in replay.trials() if one.said.rule == getattr(rule, "id", "")]
    judged = [one for one in seen if one.said.answer in ("must-load", "must-refuse")]

    assert not judged or any(one.agrees for one in judged)


def test_predict_says_what_was_seen_where_a_rule_is_silent_or_wrong() -> None:
    """Who asks before an upgrade gets the evidence with the rule, as it stands in the records."""
    told = {rule.id: rule.seen for rule in rules() if rule.seen}
    counts = Counter(
        (one.said.rule, one.runtime, one.seen.partition(":")[0])
        for one in replay.trials()
        if not one.agrees or one.said.answer not in ("must-load", "must-refuse")
    )

    assert told.keys() == {rule for rule, _, _ in counts}
    for (rule, runtime, did), count in counts.items():
        assert f"{runtime} {did} {count}" in told[rule]
