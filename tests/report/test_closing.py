"""The closing table in a terminal, wide, narrow, and without Unicode."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from compat import analysis, report
from compat.analysis import Results
from compat.report import page, summary
from tests import builders


def shown(results: Results, *, width: int = 100, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    report.terminal(results, Console(file=stream, width=width, color_system=None))
    stream.seek(0)
    return stream.read()


def test_it_says_verdict_reasons_and_coverage(results: Results) -> None:
    text = shown(results)
    for words in ("✗ blocked", "◌ not run", "ran 224 of 228", "1. ", "and 2 more in the report"):
        assert words in text
    assert "The gate says stop (exit code 1)" in text
    assert "let through: rtx-1.6 → rtx-1.7" in text


def test_a_stream_without_unicode_gets_ascii(results: Results) -> None:
    text = shown(results, encoding="ascii")
    assert "X blocked" in text
    assert "rtx-1.6 -> rtx-1.7" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits_the_terminal(results: Results, width: int) -> None:
    assert max(map(len, shown(results, width=width).splitlines())) <= width


def test_names_are_not_markup(nasty: Results) -> None:
    assert "</pre><script>" in shown(nasty, width=200)


def quick() -> Results:
    """A quick run of one model, in which everything but latency was judged, and held."""
    pair = ("ort-1.30", "ort-1.31")
    items = [
        i
        for a, b in (pair[:1] * 2, pair, pair[1:] * 2)
        for i in builders.cell_items("m", "fp32", a, b)
    ]
    makers = {"accuracy": builders.accuracy_record}
    records = [
        makers[i["check"]](i, 1) if i["check"] in makers else builders.record(i)
        for i in items
        if i["check"] != "latency"
    ]
    records += [r for i in items if i["check"] == "latency" for r in builders.rounds_of(i, 1)]
    gate = {"inconclusive": "allow", "not-run": "allow", "judge-latency": False}
    targets = [builders.target(t) for t in pair]
    return analysis.compile(builders.plan(items, targets, [pair], ["m"], gate=gate), records)


def test_a_quick_run_says_that_nothing_failed_and_not_that_the_gate_holds() -> None:
    results = quick()
    text = shown(results)
    (index,) = page.render(results)
    for said in (text, summary.markdown(results), index.html):
        assert "Nothing failed" in said
        assert "atency was not judged (quick run)" in said
        assert "The gate holds" not in said
    assert "- Nothing failed (exit code 0)" in shown(results, encoding="ascii")
    assert 'class="gate quiet"' in index.html


def test_what_was_not_compared_is_said(results: Results) -> None:
    upgrade = results.upgrades[1]
    cells = tuple(f"m{n} fp32" for n in range(6))
    coverage = replace(upgrade.coverage, uncompared=cells)
    changed = replace(results, upgrades=(replace(upgrade, coverage=coverage),))
    words = "not compared: m0 fp32, m1 fp32, m2 fp32, m3 fp32 and 2 more"
    (index,) = page.render(changed)
    for said in (shown(changed, width=200), summary.markdown(changed), index.html):
        assert words in said


def test_without_upgrades_it_says_why(empty: Results) -> None:
    assert "nothing ran" in shown(empty)
