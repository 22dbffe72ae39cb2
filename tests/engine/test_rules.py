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
        ("tensorrt", "10.4.0", "10.4.0.26", "undocumented"),
        ("tensorrt", "10.4.0.26", "10.4.0", "undocumented"),
        ("tensorrt", "10.4.0", "10.5.0.18", "must-refuse"),
        ("onnxruntime", "1.30.0", "1.31.1", "must-load"),
        ("onnxruntime", "1.9.0", "1.31.1", "must-load"),
        ("onnxruntime", "1.31.1", "1.30.0", "undocumented"),
        ("tensorrt_lean", "8.6.0", "8.6.0", "undocumented"),
    ],
)
def test_what_the_rules_say(flavour: str, built: str, run: str, outcome: str) -> None:
    """All parts of a version count, and versions compare as numbers."""
    assert expect(flavour, built, run).outcome == outcome


@pytest.mark.parametrize(
    ("runtime", "variant", "built", "run", "rule"),
    [
        ("tensorrt_lean", "plain", "8.6.0", "8.6.0", "trt-lean-needs-version-compatible"),
        ("tensorrt_lean", "vc", "8.6.0", "8.6.0", "trt-vc-same-version"),
        ("tensorrt_lean", "vc", "10.15.1.29", "10.16.1.11", "trt-vc-forward-same-major"),
        ("tensorrt_lean", "vc", "8.6.0", "10.16.1.11", "trt-vc-across-majors"),
        ("tensorrt_dispatch", "vc", "8.6.0", "11.4.0.106", "trt-vc-8-not-on-11"),
        ("tensorrt", "vc", "10.16.1.11", "10.15.1.29", "trt-vc-backward"),
        (
            "tensorrt_dispatch",
            "vc-lean-excluded",
            "8.6.0",
            "8.6.0",
            "trt-dispatch-needs-lean-inside",
        ),
        ("tensorrt", "hc-ampere-plus", "8.5.3.1", "8.6.0", "trt-plain-engine-elsewhere"),
        ("tensorrt", "vc", "8.5.3.1", "8.6.0", "no-rule"),
    ],
)
def test_which_rule_speaks_of_full_lean_and_dispatch(
    runtime: str, variant: str, built: str, run: str, rule: str
) -> None:
    """Variant, runtime flavour and the step between majors decide."""
    found = expect("tensorrt", built, run, runtime_flavour=runtime, variant=variant)

    assert found.rule == rule


def test_a_contradiction_between_official_texts_is_told() -> None:
    """The newest support matrix and those before it differ on 8 to 10 and 10 to 11."""
    found = expect("tensorrt", "10.16.1.11", "11.0.0.114", variant="vc")

    assert found.outcome == "must-load"
    assert "11.3.0" in found.contradicted_by
