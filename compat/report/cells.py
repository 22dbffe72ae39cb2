"""Cells of the matrix: all items of one engine in one runtime, seen as one state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from compat.analysis import damage
from compat.matrix import CROSSCHECKS
from compat.report import figures
from compat.report.figures import Mark
from compat.report.rows import Cell, Row, anchor

#: What says nothing of how the engine does in the runtime: its making, damaged copies of it, and
#: what another tool says.
_BESIDE = ("build", "rebuild", damage.CHECK, *CROSSCHECKS)
_BROKEN = ("crashed", "timeout", "failed")


@dataclass
class CellView:
    """One engine in one runtime; the build of the engine belongs to the builder's own cell.

    Complete once ``collect`` returns: everything derived is computed once.
    """

    key: Cell
    items: list[Row] = field(default_factory=list)

    @cached_property
    def anchor(self) -> str:
        """The fragment of the cell."""
        return anchor(self.key)

    @cached_property
    def checks(self) -> list[Row]:
        """Items that say how the engine does in the runtime."""
        return [r for r in self.items if r.text("check") not in _BESIDE]

    @cached_property
    def build(self) -> Row | None:
        """The build, in the builder's own cell."""
        return next((r for r in self.items if r.text("check") == "build"), None)

    @cached_property
    def ran(self) -> bool:
        """Whether any item, build included, was tried."""
        return any(r.ran for r in self.items)

    @cached_property
    def reason(self) -> str:
        """Why nothing ran, or why something fails."""
        return first_reason(self.checks, self.state)

    @cached_property
    def state(self) -> str:
        """The state of the checks; see ``state_of``."""
        return state_of(self.checks)

    @cached_property
    def mark(self) -> Mark:
        """How the state looks."""
        return figures.mark(self.state)

    @cached_property
    def numbers(self) -> str:
        """The two numbers that people look for: the worst cosine and the worst ratio."""
        cosines = [v for r in self.checks if (v := r.number("golden_cosine")) is not None]
        ratios = [(v, r) for r in self.checks if (v := r.number("ratio")) is not None]
        parts = [f"cos {figures.cosine(min(cosines))}"] if cosines else []
        if ratios:
            worst, row = max(ratios, key=lambda found: found[0])
            open_ = row.text("verdict_code") == "latency-not-judged"
            parts.append(figures.ratio(worst) + (" (not judged)" if open_ else ""))
        return " ".join(parts)


def state_of(items: Iterable[Row]) -> str:
    """One state for several items: the worst thing seen, and never green over a gap."""
    listed = list(items)
    failed = next((r for r in listed if r.text("verdict") == "fail"), None)
    if failed is not None:
        return failure(failed)
    statuses = {r.text("status") for r in listed}
    if statuses <= {"not-run"}:
        return "not-run" if statuses else "not-planned"
    if "refused" in statuses:
        return "refused"
    if statuses <= {"not-run", "unsupported"}:
        return "unsupported"
    if statuses & {"not-run", "unsupported"}:
        return "partly"
    unclear = any(r.text("verdict") == "inconclusive" for r in listed)
    return "inconclusive" if unclear else "holds"


def failure(row: Row) -> str:
    """What a failing item did, in one word: crashed, refused, drift, slower, nan."""
    status = row.text("status")
    if status != "ok":
        return status
    code = row.text("verdict_code")
    return "drift" if code.startswith("drift") else code


def first_reason(items: Iterable[Row], state: str) -> str:
    """The reason code of the first item that has the state of the whole."""
    for row in items:
        if state in ("not-run", "refused", *_BROKEN) and row.text("status") == state:
            return row.text("reason")
        if state in ("drift", "slower", "inconclusive") and row.text("verdict") in (
            "fail",
            "inconclusive",
        ):
            return row.text("verdict_reason")
    return ""


def collect(items: Iterable[Row]) -> list[CellView]:
    """Group items into cells, in plan order."""
    cells: dict[Cell, CellView] = {}
    for row in items:
        cells.setdefault(row.cell, CellView(row.cell)).items.append(row)
    return list(cells.values())
