"""What trtexec and Polygraphy said, in the run or read in later, beside our own latency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compat.interchange.rows import beside, drifts, of_record
from compat.matrix import CROSSCHECKS
from compat.report import figures
from compat.report.rows import Row, anchor, kind

#: By the second part of a row's id; the day says which run a row was read in for.
_TOOLS = {
    "trtexec_load": "trtexec, our engine",
    "trtexec_build": "trtexec, its own build",
    "trtexec": "trtexec, read in {day}",
    "polygraphy": "Polygraphy, read in {day}",
}


@dataclass(frozen=True, slots=True)
class CrosscheckRow:
    """One figure of another tool; `ratio` is its median divided by ours."""

    model: str
    kind: str
    target: str
    at: str
    tool: str
    ours: str
    theirs: str
    ratio: str
    said: str
    link: str


def of_run(
    items: Iterable[Row], records: Mapping[str, Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield what the targets' own trtexec said, by the records of the run."""
    for item in items:
        check, name = item.text("check"), item.text("item")
        if check in CROSSCHECKS and item.text("status") == "ok":
            yield of_record({**records[name], "item": name, "check": check})


def rows(
    items: Iterable[Row], others: Iterable[Mapping[str, Any]], band: float, linked: set[str]
) -> list[CrosscheckRow]:
    """Return a row for each figure that belongs to one of these items."""
    by_id = {row.text("item"): row for row in items if row.text("check") in ("latency", "accuracy")}
    return [_row(by_id[o["beside"]], o, band, linked) for o in others if o["beside"] in by_id]


def _row(item: Row, other: Mapping[str, Any], band: float, linked: set[str]) -> CrosscheckRow:
    ours = item.number("latency_median_s")
    compared = beside(other, ours, band)
    batch, name = item.number("batch"), anchor(item.cell)
    return CrosscheckRow(
        model=item.cell[2],
        kind=kind(item.cell),
        target=item.text("runtime"),
        at=item.text("point") + (f" · {batch:.0f}" if batch is not None else ""),
        tool=_TOOLS[other["item"].split("/")[1]].format(day=other["started"][:10]),
        ours=figures.milliseconds(ours),
        theirs=figures.milliseconds(other["numbers"].get("median_s")),
        ratio=figures.ratio(compared["ratio"]),
        said="; ".join(_said(other, compared)),
        link=name if name in linked else "",
    )


def _said(other: Mapping[str, Any], compared: Mapping[str, Any]) -> Iterator[str]:
    if compared["ratio"] is not None:
        yield str(compared["word"])
    yield from other["facts"]["differs"]
    if (built := other["numbers"].get("build_s")) is not None:
        yield f"its build took {figures.seconds(built)} s"
    if told := drifts(other):
        yield told
