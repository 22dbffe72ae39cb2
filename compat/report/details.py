"""The folded part of a cell: its items, what was said, the record, and how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from markupsafe import Markup

from compat.analysis import damage
from compat.report import figures
from compat.report.cells import CellView, failure
from compat.report.figures import Mark
from compat.report.findings import advice
from compat.report.rows import Row, kind

_RECORD_LIMIT = 900
_SAID_ELSEWHERE = frozenset(
    {"schema", "item", "check", "phase", "builder", "runtime", "model", "precision", "typing"}
    | {"variant", "point", "batch", "message", "target", "round", "key", "files"}
)

# Against the reference and the current version, in records that a merge has measured.
_DRIFT = ("golden_", "current_")


@dataclass(frozen=True, slots=True)
class ItemDetail:
    """One item of a cell."""

    id: str
    name: str
    mark: Mark
    why: str
    advice: str
    beside: str
    command: str
    log: str
    record: str


@dataclass(frozen=True, slots=True)
class CellDetail:
    """One cell, unfolded."""

    anchor: str
    title: str
    mark: Mark
    numbers: str
    expectation: str
    source: str
    items: tuple[ItemDetail, ...]
    unrun: int
    unrun_reason: str


def worth_telling(cells: Iterable[CellView], *, only_trouble: bool) -> list[CellView]:
    """Cells that ran at all, trouble first; with ``only_trouble`` those that do not hold."""
    ran = sorted((c for c in cells if c.ran), key=lambda c: figures.rank(c.mark))
    return [c for c in ran if not only_trouble or c.mark.style != "good" or _build_broke(c)]


def _build_broke(cell: CellView) -> bool:
    return cell.build is not None and cell.build.text("status") != "ok"


def detail(cell: CellView, records: Mapping[str, Mapping[str, Any]]) -> CellDetail:
    """Everything that is known of a cell."""
    builder, runtime, model, *_ = cell.key
    load = next((r for r in cell.items if r.text("check") == "load"), None)
    unrun = [r for r in cell.items if not r.ran]
    title = f"{builder} → {runtime} · {model} · {kind(cell.key)}"
    return CellDetail(
        cell.anchor,
        title,
        cell.mark,
        cell.numbers or _only_built(cell),
        _expectation(load),
        load.text("rule_source") if load is not None else "",
        tuple(_item(r, records.get(r.text("item"), {})) for r in cell.items if r.ran),
        len(unrun),
        unrun[0].text("message") if unrun else "",
    )


def _only_built(cell: CellView) -> str:
    """What the build alone says, where no check ran."""
    if cell.build is None or not cell.build.ran or any(r.ran for r in cell.checks):
        return ""
    status = cell.build.text("status")
    return "engine built, nothing else could run" if status == "ok" else f"build {status}"


def _expectation(load: Row | None) -> str:
    if load is None or not load.text("expected"):
        return ""
    expected = load.text("expected").replace("-", " ")
    seen = f"; {load.text('news')}" if load.text("news") else ""
    return f"{expected} by the rule {load.text('rule')}{seen}"


def _item(row: Row, record: Mapping[str, Any]) -> ItemDetail:
    verdict, status = row.text("verdict"), row.text("status")
    told = status == "ok" or (row.text("check") == damage.CHECK and verdict == "info")
    state = failure(row) if verdict == "fail" else verdict if told else status
    name = " ".join(filter(None, (row.text("check"), row.text("point"), row.text("damage"))))
    why = row.text("verdict_reason") or row.text("message")
    files = record.get("files") or {}
    return ItemDetail(
        row.text("item"),
        name,
        figures.mark("built" if name == "build" and status == "ok" else state),
        why,
        "" if told else advice(row.text("reason"), why),
        _file(row) if row.text("check") == "build" else beside(row),
        row.text("repeat"),
        str(files.get("log", "")),
        _record_line(record),
    )


def _file(row: Row) -> str:
    """What an engine's file says of itself; the builder's words stand in the record."""
    told: Mapping[str, Any] = json.loads(row.text("facts") or "{}").get("file") or {}
    if not told:
        return ""
    gpu = f" for {told['built_for']}" if told["built_for"] else ""
    lean = ", with a lean runtime inside" if told.get("lean_runtime") == "embedded" else ""
    refit = ", refittable" if told.get("refittable") else ""
    wrong = "".join(f"; it {problem}" for problem in told["problems"])
    version = told["version"] or "an unknown version"
    return f"The file says of itself: built by {version}{gpu}{lean}{refit}{wrong}"


def beside(row: Row) -> str:
    """What was measured beside a latency or a load: device memory, clocks, power, heat."""
    side = "latency" if row.text("check") == "latency" else "num"
    taken, context = row.number(f"{side}_device_bytes"), row.number(f"{side}_context_bytes")
    clock, lowest = row.number("latency_sm_clock_mhz"), row.number("latency_sm_clock_min_mhz")
    power, heat = row.number("latency_power_w"), row.number("latency_temperature_c")
    share = row.number("latency_throttled_share")
    parts = [
        taken is not None and f"{figures.megabytes(taken)} MB of device memory",
        context is not None and f"{figures.megabytes(context)} MB of it for one context",
        clock is not None and f"SM clock {figures.whole(clock)} MHz",
        lowest is not None and lowest != clock and f"at the lowest {figures.whole(lowest)} MHz",
        power is not None and f"{figures.whole(power)} W",
        heat is not None and f"up to {figures.whole(heat)} °C",
        share is not None
        and (
            f"throttled in {figures.share(share)} of a round's samples"
            if share
            else "not throttled"
        ),
    ]
    said = ", ".join(part for part in parts if part)
    reasons = row.text("throttle_reasons")
    return f"{said} ({reasons})" if said and reasons else said


def _record_line(record: Mapping[str, Any]) -> Markup:
    """The record without what the cell's own heading says; long ones are cut, and say so.

    Its quotes are left as they are: escaped, they were a tenth of the page.
    """
    kept = {k: v for k, v in record.items() if k not in _SAID_ELSEWHERE and v not in ("", {}, None)}
    if "numbers" in kept:  # so were sixteen digits, and what the table of accuracy says
        kept["numbers"] = {
            name: _short(value)
            for name, value in kept["numbers"].items()
            if not name.startswith(_DRIFT)
        }
    line = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
    if (more := len(line) - _RECORD_LIMIT) > 0:
        line = f"{line[:_RECORD_LIMIT]} … ({more} more characters in records.jsonl)"
    return Markup(escape(line, quote=False))  # noqa: S704 - escaped in this very line


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
