"""The rules are data with sources, and speak of every pair the matrix can hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product

import pytest
from packaging.version import Version

from compat.engine.prediction import LEVELS, VARIANTS
from compat.engine.rules import Case, Rule, expect, relation, rules, speaks
from compat.suite.refusals import MESSAGES


def test_every_rule_has_a_source_and_a_name_of_its_own() -> None:
    """A rule without a source is folklore."""
    assert all(rule.source.startswith("https://") and rule.text for rule in rules())
    assert max(Counter(rule.id for rule in rules()).values()) == 1


def test_every_documented_refusal_names_its_reason() -> None:
    """Only then can an unexpected refusal be told from the documented one."""
    assert all(rule.refusal for rule in rules() if rule.outcome == "must-refuse")


def test_a_reason_of_a_refusal_is_one_that_the_suite_can_see() -> None:
    """A reason that no log is ever read as could never be observed."""
    by_diagnostics = {"version-mismatch", "unsupported-cc"}
    seen = {message.reason for message in MESSAGES} | by_diagnostics | {"any", ""}

    assert {rule.refusal for rule in rules()} <= seen


def test_every_refusal_says_what_to_do_and_every_text_of_nvidia_its_version() -> None:
    """A prediction without a way out helps nobody; a rule without a version cannot age."""
    nvidia = [rule for rule in rules() if rule.flavours[0].startswith("tensorrt")]

    assert all(rule.remedy for rule in nvidia if rule.outcome != "must-load")
    assert all(rule.documented for rule in nvidia)
    assert all(bool(rule.contradiction) == bool(rule.contradicted_by) for rule in rules())


def test_the_words_of_the_rules_are_those_that_cases_use() -> None:
    """A misspelt word would make a rule that never speaks."""
    assert {rule.about for rule in rules()} == {"version", "host-code", "gpu", "platform"}
    assert {rule.gpu for rule in rules()} == {
        "",
        "same-cc",
        "other-cc",
        "ampere-or-newer",
        "before-ampere",
        "target",
        "no-target",
    }
    assert {rule.platform for rule in rules()} <= {"", "same", "other"}
    assert {level for rule in rules() for level in rule.levels} == set(LEVELS)
    assert {one for rule in rules() for one in rule.variants} <= set(VARIANTS)


def test_no_rule_is_hidden_behind_another() -> None:
    """Each speaks of some case: first that fits, over every case that its own row names."""
    for rule in rules():
        assert any(speaks(case, rule.about) is rule for case in _cases_of(rule)), rule.id


def _cases_of(rule: Rule) -> Iterator[Case]:
    versions = ("1.6.1.120", "1.7.1.116", "8.5.3.1", "8.6.1.6", "9.3.0.1", "10.16.1.11")
    every = [Version(one) for one in (*versions, "11.3.0.99", "11.4.0.106")]
    runtimes = rule.runtimes or rule.flavours
    for flavour, runtime, variant, level, built, run in product(
        rule.flavours, runtimes, rule.variants or ("plain",), rule.levels or ("none",), every, every
    ):
        yield Case(
            flavour,
            runtime,
            variant,
            built,
            run,
            relation(built, run),
            level,
            frozenset({rule.gpu}),
            rule.host_code,
            rule.platform,
        )


def test_host_code_that_is_not_allowed_decides_only_where_the_version_would_load() -> None:
    """A plan that is refused for its version is refused for that."""
    denied = expect("tensorrt", "8.6.0", "8.6.0", variant="vc", host_code=False)
    assert (denied.rule, denied.refusal) == ("trt-host-code-denied", "host-code-not-allowed")

    too_new = expect("tensorrt", "8.6.0", "11.4.0.106", variant="vc", host_code=False)
    assert too_new.rule == "trt-vc-8-not-on-11"


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
