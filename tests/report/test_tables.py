"""Which latency rows the index of a split report has, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from compat import analysis
from compat.report import page, tables
from compat.report.rows import rows
from tests import builders

NEW, OLD, ASIDE = "ort-1.31", "ort-1.30", "ort-1.29"


def _results() -> analysis.Results:
    """Two models in current and candidate, the candidate planned first; the current has more."""
    items = [
        builders.item("latency", model, "fp32", name, name, "opt")
        for model in ("m", "n")
        for name in (ASIDE, NEW, OLD)
    ]
    items.append(builders.item("latency", "alone", "fp32", OLD, OLD, "opt"))
    items.append(builders.item("latency", "m", "fp32", OLD, OLD, "max"))
    records: list[Any] = [r for n, item in enumerate(items) for r in builders.rounds_of(item, n)]
    for record in records:
        record["numbers"]["device_bytes"] = 200_000_000
    roles = ((ASIDE, "other"), (NEW, "candidate"), (OLD, "current"))
    targets = [builders.target(*role) for role in roles]
    plan = builders.plan(items, targets, [(OLD, NEW)], ["m", "n", "alone"])
    return analysis.compile(plan, records)


def test_every_ratio_stands_below_what_it_is_held_against() -> None:
    """Model by model; what nothing is compared with is on its model's page only."""
    found = tables.of_upgrades(rows(_results().table))

    told = [(row.text("model"), row.text("runtime")) for row in found]
    assert told == [("m", OLD), ("m", NEW), ("n", OLD), ("n", NEW)]


def test_the_index_has_device_memory_where_its_rows_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "CELLS_PER_PAGE", 1)

    *_, index = page.render(_results())

    performance = index.html.partition('id="performance"')[2].partition("</section>")[0]
    assert ">Device MB</th>" in performance
    assert performance.count(">200") == 4
