"""JUnit: valid, complete, and nothing not run that reads as passed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from compat import analysis
from compat.analysis import Results
from compat.report.junit import junit_xml
from tests import builders

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("xunit2.xsd")))


@pytest.mark.parametrize("name", ["results", "nasty", "empty"])
def test_the_document_is_valid_xunit2(name: str, request: pytest.FixtureRequest) -> None:
    document = etree.fromstring(junit_xml(request.getfixturevalue(name)))
    SCHEMA.assertValid(document)


def test_one_suite_per_target_and_one_case_per_item(results: Results) -> None:
    document = etree.fromstring(junit_xml(results))
    assert [s.get("name") for s in document] == [t["name"] for t in results.plan["targets"]]
    names = [c.get("name") for c in document.iter("testcase")]
    assert sorted(names) == sorted(results.table["item"])


def test_the_totals_are_those_of_the_cases(results: Results) -> None:
    for suite in etree.fromstring(junit_xml(results)):
        outcomes = Counter(e.tag for c in suite.iter("testcase") for e in c)
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert int(suite.get("failures")) == outcomes["failure"]
        assert int(suite.get("errors")) == outcomes["error"]
        assert int(suite.get("skipped")) == outcomes["skipped"]
        times = [float(c.get("time")) for c in suite.iter("testcase")]
        assert float(suite.get("time")) == pytest.approx(sum(times), abs=0.01)


def test_not_run_and_inconclusive_are_skipped_with_the_reason(results: Results) -> None:
    document = etree.fromstring(junit_xml(results))
    skipped = {c.get("name"): c.find("skipped") for c in document.iter("testcase")}
    for item, verdict, reason in zip(
        results.table["item"], results.table["verdict"], results.table["reason"], strict=True
    ):
        assert (skipped[item] is not None) == (verdict in ("not-run", "inconclusive"))
        if verdict == "not-run":
            assert reason in skipped[item].get("message")


def outcome(item: dict[str, Any], records: list[dict[str, Any]], **plan: Any) -> Any:
    """The only case of a run of one item."""
    targets = [builders.target(t) for t in ("ort-1.30", "ort-1.31")]
    made = builders.plan([item], targets, [("ort-1.30", "ort-1.31")], ["m"], **plan)
    (case,) = etree.fromstring(junit_xml(analysis.compile(made, records))).iter("testcase")
    return case


def test_a_refusal_that_no_rule_foretells_is_skipped() -> None:
    item = builders.item("load", "m", "fp32", "ort-1.30", "ort-1.31")
    item["expectation"]["outcome"] = "undocumented"
    case = outcome(item, [builders.record(item, "refused", reason="why", message="It said no.")])
    message = case.find("skipped").get("message")
    assert message == "refused (why), which no rule foretells: It said no."
    assert outcome(item, [builders.record(item)]).find("skipped") is None


def test_latency_that_is_not_judged_is_skipped() -> None:
    items = [builders.item("latency", "m", "fp32", t, t, "opt") for t in ("ort-1.30", "ort-1.31")]
    targets = [builders.target(t) for t in ("ort-1.30", "ort-1.31")]
    gate = {"inconclusive": "allow", "not-run": "allow", "judge-latency": False}
    plan = builders.plan(items, targets, [("ort-1.30", "ort-1.31")], ["m"], gate=gate)
    records = [r for i in items for r in builders.rounds_of(i, 1)]
    document = etree.fromstring(junit_xml(analysis.compile(plan, records)))
    current, candidate = document.iter("testcase")
    assert current.find("skipped") is None  # the current version is only measured
    assert candidate.find("skipped").get("message").startswith("not judged: ")


def test_a_crash_is_an_error_and_a_broken_limit_a_failure(results: Results) -> None:
    document = etree.fromstring(junit_xml(results))
    assert {e.get("type") for e in document.iter("error")} == {"signal-SIGSEGV"}
    assert {e.get("type") for e in document.iter("failure")} == {
        "drift-cosine", "slower", "version-mismatch",
    }  # fmt: skip


def test_coordinates_are_properties(results: Results) -> None:
    case = next(etree.fromstring(junit_xml(results)).iter("testcase"))
    found = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert found["model"] == "resnet50"
    assert found["builder"] == "rtx-1.4"


def test_what_xml_can_not_hold_is_replaced(nasty: Results) -> None:
    (error,) = etree.fromstring(junit_xml(nasty)).iter("error")
    assert "\N{REPLACEMENT CHARACTER}[31m" in error.get("message")
    assert "</pre><script>" in error.get("message")
