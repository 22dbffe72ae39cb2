"""What the first screen says in a sentence, beside the verdicts: speed, and what did not run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from compat.analysis.results import UpgradeVerdict
from compat.report import figures, findings
from compat.report.rows import Row


def latency(items: Iterable[Row], upgrade: UpgradeVerdict, plan: Mapping[str, Any]) -> str:
    """How fast the rebuilt engines are beside the current ones; nothing where it is not judged.

    A ratio that is called inconclusive is counted and not shown: it says nothing yet.
    """
    if not plan["gate"].get("judge-latency", True):
        return ""
    itself = (upgrade.candidate, upgrade.candidate)
    compared = [
        (ratio, row.text("verdict") == "inconclusive")
        for row in items
        if row.text("check") == "latency" and row.cell[:2] == itself
        if (ratio := row.number("ratio")) is not None
    ]
    ratios = [ratio for ratio, is_unclear in compared if not is_unclear]
    unclear = len(compared) - len(ratios)
    if not ratios:
        return f"Latency, rebuilt: {unclear} inconclusive" if unclear else ""
    low, high = (figures.ratio(one) for one in (min(ratios), max(ratios)))
    span = low if low == high else f"{low} to {high}"
    more = f", {unclear} inconclusive" if unclear else ""
    return (
        f"Latency, rebuilt: {span} of {upgrade.current} "
        f"({figures.plural(len(ratios), 'engine')} compared{more})"
    )


def unrun(items: Iterable[Row]) -> str:
    """How many items did not run, and for which reasons, the commonest first."""
    reasons: Counter[str] = Counter()
    for one in findings.missing(items):
        reasons[one.code] += one.count
    if not reasons:
        return ""
    named = ", ".join(f"{count} {code}" for code, count in reasons.most_common())
    return f"{reasons.total()} did not run: {named}"
