"""Rows of the drift, performance and build tables, formatted and ready for the template."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from compat.report import figures, html, interval
from compat.report.cells import failure
from compat.report.figures import Mark
from compat.report.findings import sentence
from compat.report.rows import Row, anchor, kind
from compat.suite.notices import NOTICES

_NOTHING = Markup()
_SHORT = 60


@dataclass(frozen=True, slots=True)
class TableRow:
    """One measured item: how it looks, and its whole row."""

    mark: Mark
    row: Markup


def drift_rows(items: Iterable[Row], linked: set[str]) -> list[TableRow]:
    """Accuracy items that ran, trouble first: against the golden outputs, then the current."""
    found = [_drift_row(r, linked) for r in items if r.text("check") == "accuracy" and r.ran]
    return sorted(found, key=_trouble)


def _drift_row(row: Row, linked: set[str]) -> TableRow:
    numbers = (
        figures.cosine(row.number("golden_cosine")),
        figures.significant(row.number("golden_relative_l2")),
        figures.significant(row.number("golden_max_abs")),
        figures.significant(row.number("golden_sqnr_db")),
        figures.share(row.number("golden_top1_agreement")),
        figures.share(row.number("golden_top5_agreement")),
        figures.cosine(row.number("current_cosine")),
        figures.significant(row.number("current_relative_l2")),
    )
    return _row(row, numbers, linked)


def label_rows(items: Iterable[Row], linked: set[str]) -> list[TableRow]:
    """Labelled checks that ran, trouble first: right answers, and what was lost to whom."""
    found = [_label_row(r, linked) for r in items if r.text("check") == "top1" and r.ran]
    return sorted(found, key=_trouble)


def _label_row(row: Row, linked: set[str]) -> TableRow:
    numbers = [
        figures.whole(row.number("num_n")),
        figures.points(row.number("top1")),
        figures.span(row.number("top1_low"), row.number("top1_high")),
        figures.points(row.number("num_top5")),
    ]
    for side in ("golden", "current"):
        lost, gained = row.number(f"{side}_lost"), row.number(f"{side}_gained")
        numbers += [
            figures.points(row.number(f"{side}_loss")),
            f"{figures.whole(lost)} : {figures.whole(gained)}"
            if lost is not None
            else figures.DASH,
            figures.significant(row.number(f"{side}_loss_p")),
        ]
    return _row(row, tuple(numbers), linked)


def _against(lost: float | None, gained: float | None) -> str:
    """Items that only the reference, and only this engine, has right."""
    return f"{figures.whole(lost)} : {figures.whole(gained)}" if lost is not None else figures.DASH


def has_device_memory(items: Iterable[Row]) -> bool:
    """Whether any item ran on a device that told what it took: without one the column is empty."""
    return any(r.number("latency_device_bytes") is not None for r in items)


def latency_rows(
    items: Iterable[Row], band: float, linked: set[str], *, device: bool
) -> list[TableRow]:
    """Latency items that ran, trouble first, with the interval of the ratio to the current.

    device: whether the table has the column of device memory.
    """
    listed = [r for r in items if r.text("check") == "latency" and r.ran]
    return sorted((_latency_row(r, band, linked, device) for r in listed), key=_trouble)


def of_upgrades(items: Iterable[Row]) -> list[Row]:
    """The latency rows that have a ratio to the current version, and those they are held against.

    Model by model, the current version first.
    """
    listed = [r for r in items if r.text("check") == "latency" and r.ran]
    compared = {_timed(r) for r in listed if r.number("ratio") is not None}
    sides = [r for r in listed if r.number("ratio") is not None or _is_current(r)]
    order = list(dict.fromkeys(_timed(r) for r in sides if _timed(r) in compared))
    sides = [r for r in sides if _timed(r) in compared]
    return sorted(sides, key=lambda r: (order.index(_timed(r)), not _is_current(r)))


def _timed(row: Row) -> tuple[str, ...]:
    """Return what a row and the one it is held against have in common."""
    return (*row.cell[2:], row.text("point"))


def _is_current(row: Row) -> bool:
    return (row.text("builder_role"), row.text("runtime_role")) == ("current", "current")


def _trouble(row: TableRow) -> int:
    return {"bad": 0, "unclear": 1}.get(row.mark.style, 2)


def _latency_row(row: Row, band: float, linked: set[str], device: bool) -> TableRow:
    numbers: tuple[str, ...] = (
        figures.ratio(row.number("ratio")),
        figures.milliseconds(row.number("latency_median_s")),
        figures.milliseconds(row.number("latency_p95_s")),
        figures.milliseconds(row.number("latency_p99_s")),
        figures.significant(row.number("latency_throughput_per_s")),
        figures.share(row.number("latency_cv")),
        figures.share(row.number("floor")),
        figures.whole(row.number("latency_rounds")),
    )
    if device:
        numbers += (figures.megabytes(row.number("latency_device_bytes")),)
    ratio, low, high = row.number("ratio"), row.number("ratio_low"), row.number("ratio_high")
    if ratio is None or low is None or high is None:
        word = "current" if _is_current(row) else figures.DASH  # a baseline is held against nothing
        return _row(row, numbers, linked, Markup("<td>{}</td>").format(word))
    style = figures.mark(_state(row)).style
    drawing = interval.draw(ratio, low, high, band, style)
    return _row(row, numbers, linked, Markup("<td>{}</td>").format(drawing))


def _row(
    row: Row, numbers: tuple[str, ...], linked: set[str], drawing: Markup = _NOTHING
) -> TableRow:
    builder, runtime, model, *_ = row.cell
    batch = row.number("batch")
    at = row.text("point") + (f" · {batch:.0f}" if batch is not None else "")
    shown, link = figures.mark(_state(row)), _link(row, linked)
    # The numbers beside a pass say it; that a quick run judges no latency stands above the table.
    quiet = row.text("verdict") == "pass" or row.text("verdict_code") == "latency-not-judged"
    why = "" if quiet else row.text("verdict_reason")
    places = (f"{builder} → {runtime}", at) if at else (f"{builder} → {runtime}",)
    head = html.head(shown, model, kind(row.cell), *places)
    place = html.place(shown, why, link)
    return TableRow(shown, html.joined(head, place, drawing, html.numbers(numbers)))


def _state(row: Row) -> str:
    verdict = row.text("verdict")
    return failure(row) if verdict == "fail" else verdict


@dataclass(frozen=True, slots=True)
class BuildRow:
    """One engine: times, size, types of its layers, what the parser said."""

    builder: str
    model: str
    kind: str
    mark: Mark
    cells: Markup
    types: str
    notices: tuple[tuple[str, str], ...]
    messages: tuple[str, ...]
    rebuilt: str


def build_rows(items: Iterable[Row], linked: set[str]) -> list[BuildRow]:
    """Build items that ran, each with what building it again showed."""
    listed = [r for r in items if r.text("check") in ("build", "rebuild")]
    rebuilds = {r.cell: r for r in listed if r.text("check") == "rebuild" and r.ran}
    return [
        _build_row(r, rebuilds.get(r.cell), linked)
        for r in listed
        if r.text("check") == "build" and r.ran
    ]


def _build_row(row: Row, rebuild: Row | None, linked: set[str]) -> BuildRow:
    facts: Mapping[str, Any] = json.loads(row.text("facts"))
    types: Mapping[str, Any] = facts.get("layer_types") or {}
    state = "built" if row.text("status") == "ok" else row.text("status")
    shown = figures.mark(state)
    numbers = (
        figures.seconds(row.number("num_parse_s")),
        figures.seconds(row.number("num_build_s")),
        figures.megabytes(row.number("num_engine_bytes")),
        figures.megabytes(row.number("num_peak_rss_bytes")),
        figures.whole(row.number("num_layers")),
    )
    return BuildRow(
        row.text("builder"),
        row.text("model"),
        kind(row.cell),
        shown,
        html.place(shown, _short(row.text("message")), _link(row, linked)) + html.numbers(numbers),
        ", ".join(f"{k} {v}" for k, v in types.items()) or figures.DASH,
        tuple(_notice(k, int(n)) for k, n in (facts.get("notices") or {}).items()),
        tuple(
            map(
                str, [*(facts.get("parser_messages") or []), *(facts.get("builder_messages") or [])]
            )
        ),
        _rebuilt(rebuild),
    )


def _notice(kind: str, count: int) -> tuple[str, str]:
    """A kind of the builder's messages: how often, and what it means and asks for."""
    found = next((n for n in NOTICES if n.kind == kind), None)
    text = "" if found is None else f"{sentence(found.meaning)} {sentence(found.remedy)}"
    return f"{kind} {figures.TIMES}{count}" if count > 1 else kind, text


def _short(message: str) -> str:
    """The beginning of a message that stands in full among the findings."""
    return message if len(message) <= _SHORT else f"{message[:_SHORT].rstrip()} …"


def _link(row: Row, linked: set[str]) -> str:
    """The cell's fragment where it has details; the hash of the names is not free."""
    name = anchor(row.cell) if linked else ""
    return name if name in linked else ""


def _rebuilt(row: Row | None) -> str:
    if row is None:
        return figures.DASH
    if row.number("num_identical"):
        return "same bytes"
    differing = row.number("num_bytes_differing")
    return figures.DASH if differing is None else f"{differing:,.0f} bytes differ"
