"""The whole analysis on a run like the default one."""

from __future__ import annotations

import json

import pytest

from compat import analysis
from compat.analysis import Results
from tests import builders


@pytest.fixture(scope="module")
def results() -> Results:
    """The default-like run with its planted troubles."""
    plan, records = builders.default_run()
    return analysis.compile(plan, records)


def test_the_table_has_one_row_per_planned_item(results: Results) -> None:
    assert results.table["item"].tolist() == [i["id"] for i in results.plan["items"]]


def test_every_planned_item_is_counted_once(results: Results) -> None:
    statuses = ("ok", "crashed", "refused", "not-run")
    assert sum(results.counts[s] for s in statuses) == results.counts["planned"]
    assert results.coverage.ran == 380


def test_the_planted_troubles_are_found_and_nothing_else(results: Results) -> None:
    failed = results.table.loc[results.table["verdict"] == "fail"]
    assert sorted(set(failed["verdict_code"])) == [
        "drift-cosine", "signal-SIGSEGV", "slower", "version-mismatch",
    ]  # fmt: skip
    assert len(failed) == 6


def test_the_upgrades_are_judged(results: Results) -> None:
    assert [u.verdict for u in results.upgrades] == ["not-run", "blocked"]
    assert (results.gate.value, results.gate.exit_code) == ("fail", 1)


def test_a_run_without_trouble_passes_the_gate() -> None:
    plan, records = builders.default_run(troubled=False)
    results = analysis.compile(plan, records)
    assert [u.verdict for u in results.upgrades] == ["not-run", "safe"]
    assert results.gate.value == "pass"
    assert len(results.gate.allowed) == 1


def test_a_killed_run_is_never_green() -> None:
    plan, records = builders.default_run(troubled=False)
    half = [r for r in records if not r["item"].startswith(("latency", "accuracy"))]
    results = analysis.compile(plan, half)
    assert results.gate.exit_code == 4
    assert "no-record" in set(results.table["reason"])


def test_numbers_are_columns_and_facts_are_json(results: Results) -> None:
    build = results.table.loc[results.table["check"] == "build"].iloc[0]
    assert build["num_engine_bytes"] > 1e7
    assert json.loads(build["facts"])["layer_types"] == {"Float": 161}


def test_each_row_says_how_to_repeat_it(results: Results) -> None:
    row = results.table.iloc[0]
    assert row["repeat"] == f"nox -s compat -- --item {row['item']}"


def test_a_name_that_a_shell_would_split_is_quoted() -> None:
    item = builders.item("build", "my model; rm", "fp32", "ort-1.30", "ort-1.30")
    plan = builders.plan([item], [builders.target("ort-1.30")], [], ["my model; rm"])
    row = analysis.compile(plan, []).table.iloc[0]
    assert row["repeat"].endswith(
        "-- --item 'build/my model; rm/fp32-strong/plain/ort-1.30/ort-1.30'"
    )


def test_facts_that_disagree_are_both_kept() -> None:
    items = [builders.item(c, "m", "fp32", "ort-1.30", "ort-1.30") for c in ("build", "load")]
    plan = builders.plan(items, [builders.target("ort-1.30")], [], ["m"])
    records = [builders.record(i, target={"gpu": g}) for i, g in zip(items, "AB", strict=True)]
    assert analysis.compile(plan, records).environment["ort-1.30"]["gpu"] == "A / B"


def test_an_empty_plan_is_inconclusive() -> None:
    results = analysis.compile(builders.plan([], [], []), [])
    assert results.gate.exit_code == 4
    assert len(results.table) == 0


def test_records_may_be_an_iterator() -> None:
    plan, records = builders.default_run()
    assert analysis.compile(plan, iter(records)).counts["ran"] == 380
