"""What the targets' own trtexec said, beside our latency of the same engine at the same point."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from compat.matrix import CROSSCHECKS
from compat.report import figures
from compat.report.rows import Row, anchor, kind


@dataclass(frozen=True, slots=True)
class CrosscheckRow:
    """One engine; `ratio` is trtexec's median divided by ours."""

    model: str
    kind: str
    target: str
    at: str
    ours: str
    theirs: str
    ratio: str
    link: str


def rows(items: Iterable[Row], linked: set[str]) -> list[CrosscheckRow]:
    """Return a row for each engine that trtexec timed, in plan order."""
    listed = list(items)
    ours = {
        (*row.cell, row.text("point")): row.number("latency_median_s")
        for row in listed
        if row.text("check") == "latency"
    }
    timed = [r for r in listed if r.text("check") in CROSSCHECKS and r.text("status") == "ok"]
    return [_row(row, ours.get((*row.cell, row.text("point"))), linked) for row in timed]


def _row(row: Row, ours: float | None, linked: set[str]) -> CrosscheckRow:
    theirs, batch, name = row.number("num_median_s"), row.number("batch"), anchor(row.cell)
    return CrosscheckRow(
        model=row.cell[2],
        kind=kind(row.cell),
        target=row.text("runtime"),
        at=row.text("point") + (f" · {batch:.0f}" if batch is not None else ""),
        ours=figures.milliseconds(ours),
        theirs=figures.milliseconds(theirs),
        ratio=figures.ratio(theirs / ours if theirs and ours else None),
        link=name if name in linked else "",
    )
