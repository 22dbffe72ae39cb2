"""Where a documented rule and the run disagree, the report says so before anything else."""

from __future__ import annotations

import json
from pathlib import Path

from compat import analysis
from compat.analysis import Results
from compat.report import page, summary
from compat.report.rows import rows
from compat.report.surprises import surprises

STORED = Path(__file__).parents[2] / "reports" / "h200-models"


def test_a_refusal_that_no_rule_foretells_is_a_surprise(results: Results) -> None:
    """The planted one: ONNX Runtime has to read what an older one saved."""
    found = surprises(rows(results.table))

    assert [(one.pair, one.seen) for one in found] == [
        ("ort-1.30 → ort-1.31", "refused version-mismatch")
    ]
    assert found[0].where == "clip-vit-b32-text int8 strong"


def test_engines_that_load_against_a_rule_are_one_surprise() -> None:
    """The stored H200 run: the lean runtime takes four plans that it must refuse."""
    plan = json.loads((STORED / "plan.json").read_text(encoding="utf-8"))
    lines = (STORED / "records.jsonl").read_text(encoding="utf-8").splitlines()
    results = analysis.compile(plan, list(map(json.loads, lines)))
    (found,) = surprises(rows(results.table))

    assert (found.rule, found.expected) == ("trt-lean-needs-version-compatible", "must refuse")
    assert (found.pair, found.seen) == ("trt-8.6.0 → lean-8.6.0", "loaded")
    assert len(found.engines) == 4


def test_page_and_summary_tell_surprises_before_other_findings(results: Results) -> None:
    """With the rule and what it says."""
    text = summary.markdown(results)
    assert text.index("## Surprises") < text.index("## Worst findings")

    told = next(page.render(results)).html
    assert told.index('id="surprises"') < told.index('id="findings"')


def test_without_a_surprise_nothing_is_said(empty: Results) -> None:
    """No empty section."""
    assert "Surprises" not in summary.markdown(empty)
