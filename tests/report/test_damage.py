"""What stops a damaged engine: the table, the line of the summary, JUnit."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import html5lib
import pytest

from compat import analysis
from compat.analysis import Results
from compat.report import figures, page, summary
from compat.report.junit import junit_xml
from tests import builders

A, B, C = "trt-8.6", "ort-1.31", "ort-1.30"
STOPPED = {"stopped_by_digest": True}
SILENT = {**STOPPED, "loaded_silently": True}
CHANGED = {"max_abs_change": 0.53, "max_abs_whole": 3.0, "not_finite": 0, "outputs_lost": 0}


@pytest.fixture(scope="module")
def results() -> Results:
    """One runtime of every kind: with five checks, with four, with four that did not run."""
    found: list[tuple[str, str, dict[str, Any]]] = [
        (A, "host-code-denied", {"status": "refused", "reason": "host-code-not-allowed"}),
        (A, "truncated", {"status": "refused", "reason": "not-an-engine", "facts": STOPPED}),
        (A, "flipped-header", {"status": "crashed", "reason": "signal-SIGSEGV", "facts": STOPPED}),
        (A, "flipped-weight", {"facts": SILENT, "numbers": CHANGED}),
        (B, "flipped-header", {"status": "timeout", "reason": "timeout"}),
        (B, "truncated", {"status": "failed", "reason": "digest-blind"}),
        (C, "truncated", {"status": "not-run", "reason": "no-cuda-driver"}),
    ]
    items = [builders.damaged_item(kind, target) for target, kind, _ in found]
    loads = [builders.item("load", "resnet50", "fp32", target, target) for target in (A, B, C)]
    records = [builders.record(i, **more) for i, (_, _, more) in zip(items, found, strict=True)]
    targets = [builders.target(name) for name in (A, B, C)]
    plan = builders.plan([*loads, *items], targets, [], ["resnet50"])
    return analysis.compile(plan, [*map(builders.record, loads), *records])


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _rows(results: Results) -> dict[str, list[str]]:
    (only,) = page.render(results)
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(only.html)
    rows = tree.findall(".//section[@id='damage']//tr")
    return {_text(row[0]): [_text(cell) for cell in row[1:]] for row in rows}


def test_the_table_says_who_stops_what(results: Results) -> None:
    rows = _rows(results)

    heads = rows.pop("Runtime")
    assert heads[0] == "Cut in half"
    assert heads[-1] == "Whole, host code denied"
    cut, header, weight, denied = rows["trt-8.6resnet50 fp32 strong"]
    assert cut == "✓ digest + refusednot-an-engine"
    assert header == "↻ digest; runtime diessignal-SIGSEGV"
    assert weight.startswith("↻ digest onlyloads silently, output off by up to 0.53")
    assert denied == "✓ refusedhost-code-not-allowed"
    assert rows["ort-1.31resnet50 fp32 strong"][0] == "✗ faileddigest-blind"
    assert rows["ort-1.31resnet50 fp32 strong"][1] == "? digest unknowntimeout"
    assert rows["ort-1.30resnet50 fp32 strong"][0] == "◌ not runno-cuda-driver"


def test_a_cell_is_not_coloured_by_its_damaged_copies(results: Results) -> None:
    """The engine holds; what was done to its copies stands in a table of its own."""
    (only,) = page.render(results)
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(only.html)
    overview = tree.findall(".//section[@id='matrix']//table[@class='overview']/tbody/tr/td")
    assert {_text(cell) for cell in overview} <= {"✓ holds 1", figures.DASH}


def test_without_damaged_engines_there_is_no_section(empty: Results) -> None:
    (only,) = page.render(empty)
    assert 'id="damage"' not in only.html


def test_the_summary_has_one_line(results: Results) -> None:
    text = summary.markdown(results)
    assert (
        "Damaged engines: the manifest's digest stopped 3 of 5 before the runtime had them "
        "(1 refused by the runtime too, 1 loaded by it without a word, 1 that it dies or hangs on)."
        " Of 1 it is not known: the process ended too early."
    ) in text


def test_where_nothing_was_compared_nothing_is_as_before() -> None:
    """An engine whose outputs are all NaN, whole and damaged."""
    item = builders.damaged_item("flipped-weight", A)
    numbers = dict.fromkeys((*CHANGED, "compared"), 0)
    plan = builders.plan([item], [builders.target(A)], [], ["resnet50"])
    record = builders.record(item, facts=SILENT, numbers=numbers)

    (cells,) = [c for r, c in _rows(analysis.compile(plan, [record])).items() if r != "Runtime"]

    assert cells == ["↻ digest onlyloads silently, no value could be compared"]


def test_for_ci_an_answer_is_a_pass(results: Results) -> None:
    """Only a digest that lets damage through is none, and what did not run is skipped."""
    cases = ElementTree.fromstring(junit_xml(results)).iter("testcase")
    said = {
        str(case.get("name")).rpartition("/")[2] + "@" + str(case.get("name")).split("/")[4]: [
            c.tag for c in case if c.tag != "properties"
        ]
        for case in cases
        if str(case.get("name")).startswith("damaged/")
    }
    assert said.pop("truncated@ort-1.31") == ["error"]
    assert said.pop("truncated@ort-1.30") == ["skipped"]
    assert set(map(tuple, said.values())) == {()}
    assert len(said) == 5
