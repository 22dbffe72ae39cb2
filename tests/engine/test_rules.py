"""The rules are data with sources, and speak of every pair the matrix can hold."""

from __future__ import annotations

from collections import Counter

import pytest

from compat.engine.rules import expect, rules


def test_every_rule_has_a_source_and_a_name_of_its_own() -> None:
    """A rule without a source is folklore."""
    assert all(rule.source.startswith("https://") and rule.text for rule in rules())
    assert max(Counter(rule.id for rule in rules()).values()) == 1


def test_every_documented_refusal_names_its_reason() -> None:
    """Only then can an unexpected refusal be told from the documented one."""
    assert all(rule.refusal for rule in rules() if rule.outcome == "must-refuse")


@pytest.mark.parametrize(
    ("flavour", "built", "run", "outcome"),
    [
        ("tensorrt_rtx", "1.6.1.120", "1.6.1.120", "must-load"),
        ("tensorrt_rtx", "1.6.1.120", "1.6.1.121", "must-refuse"),
        ("tensorrt", "8.6.1.2", "8.6.1.6", "must-refuse"),
        ("onnxruntime", "1.30.0", "1.31.1", "must-load"),
        ("onnxruntime", "1.9.0", "1.31.1", "must-load"),
        ("onnxruntime", "1.31.1", "1.30.0", "undocumented"),
        ("tensorrt_lean", "8.6.0", "8.6.0", "undocumented"),
    ],
)
def test_what_the_rules_say(flavour: str, built: str, run: str, outcome: str) -> None:
    """All parts of a version count, and versions compare as numbers."""
    assert expect(flavour, built, run).outcome == outcome
