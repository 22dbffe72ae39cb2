"""What the first screen says in a sentence beside the verdicts."""

from __future__ import annotations

from compat.analysis.results import Results
from compat.report import figures, headline, summary
from compat.report.rows import rows


def test_the_speed_of_an_upgrade_is_one_sentence(results: Results) -> None:
    """The span of what the candidate's own engines take, and over how many."""
    items = list(rows(results.table))
    upgrade = next(u for u in results.upgrades if u.candidate == "ort-1.31")
    table = results.table
    own = table[(table.builder == upgrade.candidate) & (table.runtime == upgrade.candidate)]
    ratios = own[(own.check == "latency") & (own.verdict != "inconclusive")].ratio.dropna()

    said = headline.latency(items, upgrade, results.plan)

    low, high = figures.ratio(ratios.min()), figures.ratio(ratios.max())
    assert said == (
        f"Latency, rebuilt: {low} to {high} of {upgrade.current} ({len(ratios)} engines compared)"
    )
    assert low in summary.markdown(results)


def test_a_ratio_that_is_inconclusive_is_counted_and_not_shown(results: Results) -> None:
    """What two rounds gave stood on the first screen like a result."""
    upgrade = next(u for u in results.upgrades if u.candidate == "ort-1.31")
    table = results.table.copy()
    own = (table.builder == upgrade.candidate) & (table.runtime == upgrade.candidate)
    timed = table.index[own & (table.check == "latency") & table.ratio.notna()]
    table.loc[timed[0], ["ratio", "verdict"]] = [9.0, "inconclusive"]

    said = headline.latency(list(rows(table)), upgrade, results.plan)

    assert "9.000" not in said
    assert said.endswith(f"({len(timed) - 1} engines compared, 1 inconclusive)")
    table.loc[timed, "verdict"] = "inconclusive"
    assert headline.latency(list(rows(table)), upgrade, results.plan) == (
        f"Latency, rebuilt: {len(timed)} inconclusive"
    )


def test_a_quick_run_says_nothing_of_speed(results: Results) -> None:
    """It judges no latency, so it leads nobody to a conclusion either."""
    quick = {**results.plan, "gate": {**results.plan["gate"], "judge-latency": False}}

    assert all(not headline.latency(list(rows(results.table)), u, quick) for u in results.upgrades)


def test_what_did_not_run_is_counted_by_reason(results: Results) -> None:
    """31 % not run asks for the reason at once."""
    items = list(rows(results.table))
    lost = results.table[(results.table.status == "not-run") & (results.table.verdict != "fail")]

    said = headline.unrun(items)

    assert said.startswith(f"{len(lost)} did not run: ")
    for reason, count in lost.reason.value_counts().items():
        assert f"{count} {reason}" in said
    assert headline.unrun([item for item in items if item.ran]) == ""
