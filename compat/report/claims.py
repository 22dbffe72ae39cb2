"""Rows of what a variant costs and of what people claim, formatted and ready for the template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from markupsafe import Markup

from compat.analysis.results import Claim, VariantCost
from compat.report import figures, html
from compat.report.figures import Mark
from compat.report.rows import Cell, anchor, kind

#: A slower variant is what was asked for, and no failure.
COSTS: Final = {
    "slower": Mark("▲", "^", "slower", "change"),
    "faster": Mark("▼", "v", "faster", "good"),
    "holds": figures.MARKS["holds"],
    "inconclusive": figures.MARKS["inconclusive"],
    "not-judged": Mark("·", "-", "not judged", "quiet"),
    "not-compared": Mark("◌", ".", "not compared", "notrun"),
}
WORDS: Final = {
    "confirmed": Mark("✓", "+", "confirmed", "good"),
    "refuted": Mark("≠", "#", "refuted", "change"),
    "inconclusive": figures.MARKS["inconclusive"],
    "not-measured": Mark("◌", ".", "not measured here", "notrun"),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim with its rows."""

    claim: str
    source: str
    rows: tuple[Claim, ...]


def variant_rows(
    costs: Iterable[VariantCost], models: Sequence[str], linked: set[str]
) -> list[Markup]:
    """A row for each variant that was timed, of these models."""
    return [_variant_row(c, linked) for c in costs if c.item["model"] in models]


def _variant_row(cost: VariantCost, linked: set[str]) -> Markup:
    item, mark = cost.item, COSTS[cost.word]
    cell: Cell = (
        item["builder"], item["runtime"], item["model"],
        item["precision"], item["typing"], item["variant"],
    )  # fmt: skip
    at = " · ".join(str(part) for part in (item.get("point"), item.get("batch")) if part)
    beside = cost.plain if cost.plain != item["builder"] else "the same target"
    head = html.head(mark, item["model"], kind(cell), item["builder"], beside or figures.DASH, at)
    found, name = cost.interval, anchor(cell)
    why = cost.reason if cost.word in ("inconclusive", "not-compared") else ""
    numbers = (
        figures.ratio(found.ratio if found else None),
        figures.ratios(found.low, found.high) if found else figures.DASH,
        figures.ratio(cost.size_ratio),
        figures.ratio(cost.build_ratio),
        figures.ratio(cost.load_ratio),
    )
    place = html.place(mark, why, name if name in linked else "")
    return html.joined(head, place, html.numbers(numbers))


def statements(claims: Iterable[Claim]) -> list[Statement]:
    """The rows of each claim together, in order."""
    groups = groupby(claims, key=lambda claim: (claim.claim, claim.source))
    return [Statement(text, source, tuple(rows)) for (text, source), rows in groups]


def measured(claims: Iterable[Claim]) -> list[Claim]:
    """What was measured at all, whatever came of it."""
    return [claim for claim in claims if claim.word != "not-measured"]
