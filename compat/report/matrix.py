"""The compatibility matrix of each flavour family: builders by runtimes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from compat.report import figures, html
from compat.report.cells import CellView, state_of
from compat.report.figures import Mark
from compat.report.rows import Row, kind

FAMILIES: Final = {
    "tensorrt": "TensorRT",
    "tensorrt_lean": "TensorRT",
    "tensorrt_dispatch": "TensorRT",
    "tensorrt_rtx": "TensorRT-RTX",
    "onnxruntime": "ONNX Runtime",
    "pytorch": "PyTorch",
}
# With more columns than these a screen of 1,440 pixels cuts the overview off.
_WIDEST: Final = 8
_RULES: Final = {"must-load": "rule: loads", "must-refuse": "rule: refuses"}


@dataclass(frozen=True, slots=True)
class Place:
    """One table cell; ``span`` runtimes in a row share it where nothing ran for one reason."""

    mark: Mark
    note: str
    numbers: str
    link: str
    span: int = 1


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One engine: what was built, and its place in every runtime."""

    builder: str
    model: str
    kind: str
    cells: Markup
    states: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All engines of one builder in one runtime, counted by state."""

    counts: tuple[tuple[Mark, int], ...]
    note: str


@dataclass(frozen=True, slots=True)
class Family:
    """Targets that exchange engines with one another.

    ``overview`` has a row for each builder, or, where it ``is_turned``, for each runtime.
    """

    name: str
    slug: str
    builders: tuple[str, ...]
    runtimes: tuple[Mapping[str, Any], ...]
    is_turned: bool
    overview: tuple[tuple[Overview, ...], ...]
    rows: tuple[MatrixRow, ...]


def families(
    targets: Sequence[Mapping[str, Any]], cells: Sequence[CellView], linked: set[str]
) -> list[Family]:
    """One matrix for each family that has cells; ``linked`` are the anchors with details."""
    result = []
    for name in dict.fromkeys(FAMILIES.get(t["flavour"], t["flavour"]) for t in targets):
        members = [t for t in targets if FAMILIES.get(t["flavour"], t["flavour"]) == name]
        names = {t["name"] for t in members}
        own = [c for c in cells if c.key[0] in names]
        if own:
            result.append(_family(name, members, own, linked))
    return result


def _family(
    name: str, members: list[Mapping[str, Any]], cells: list[CellView], linked: set[str]
) -> Family:
    used = {c.key[1] for c in cells}
    runtimes = [t for t in members if t["name"] in used]
    names = [t["name"] for t in runtimes]
    engines: dict[tuple[str, ...], dict[str, CellView]] = {}
    for cell in cells:
        builder, runtime, *what = cell.key
        engines.setdefault((builder, *what), {})[runtime] = cell
    builders = tuple(dict.fromkeys(c.key[0] for c in cells))
    overview = tuple(tuple(_overview(engines, b, r) for r in names) for b in builders)
    is_turned = len(names) > max(_WIDEST, len(builders))
    rows = tuple(_row(key[0], found, names, linked) for key, found in engines.items())
    slug = name.lower().replace(" ", "-")
    return Family(
        name,
        slug,
        builders,
        tuple(runtimes),
        is_turned,
        tuple(zip(*overview, strict=True)) if is_turned else overview,
        rows,
    )


def _overview(
    engines: Mapping[tuple[str, ...], Mapping[str, CellView]], builder: str, runtime: str
) -> Overview:
    cells = [f[runtime] for key, f in engines.items() if key[0] == builder and runtime in f]
    planned = [c for c in cells if c.checks]
    counts = Counter(c.state for c in planned)
    reasons = Counter(c.reason for c in planned if c.state == "not-run")
    note = reasons.most_common(1)[0][0] if reasons else ""
    return Overview(tuple(_worst_first(counts)), note)


def _worst_first(counts: Counter[str]) -> list[tuple[Mark, int]]:
    """States by how bad they are, so that the first one may colour the whole."""
    marked = [(figures.mark(s), n) for s, n in counts.items()]
    return sorted(marked, key=lambda pair: figures.rank(pair[0]))


def _row(
    builder: str, found: Mapping[str, CellView], runtimes: Iterable[str], linked: set[str]
) -> MatrixRow:
    own = found.get(builder)
    any_cell = next(iter(found.values()))
    places = [_place(found.get(r), linked) for r in runtimes]
    return MatrixRow(
        builder,
        any_cell.key[2],
        kind(any_cell.key),
        _cells([_build_place(own.build if own else None, own, linked), *_merge(places)]),
        ",".join(dict.fromkeys(p.mark.word for p in places)),
    )


def _cells(places: Iterable[Place]) -> Markup:
    return Markup().join(html.place(p.mark, p.note, p.link, p.numbers, p.span) for p in places)


def _build_place(build: Row | None, cell: CellView | None, linked: set[str]) -> Place:
    if build is None or cell is None:
        return Place(figures.Mark(figures.DASH, "-", "no build", "quiet"), "", "", "")
    status = build.text("status")
    state = {"ok": "built"}.get(status, status)
    took = build.number("num_build_s")
    numbers = f"{figures.seconds(took)} s" if took is not None else ""
    note = "" if status == "ok" else build.text("reason")
    return Place(figures.mark(state), note, numbers, _link(cell, linked))


def _place(cell: CellView | None, linked: set[str]) -> Place:
    if cell is None or not cell.checks:
        return Place(figures.Mark(figures.DASH, "-", "not planned", "quiet"), "", "", "")
    load = next((r for r in cell.checks if r.text("check") == "load"), None)
    state = cell.state
    if state == "holds" and load is not None and load.text("news") == "bonus":
        return Place(
            figures.MARKS["bonus"], "no rule promises it", cell.numbers, _link(cell, linked)
        )
    link = _link(cell, linked)
    rule = _RULES.get(load.text("expected"), "") if load is not None else ""
    reason = cell.reason if state in ("not-run", "refused", "crashed", "timeout", "failed") else ""
    if state == "refused" and load is not None:
        reason = load.text("news") or reason
    note = " · ".join(filter(None, (reason, rule if state == "not-run" else "")))
    return Place(cell.mark, note, cell.numbers, link)


def _link(cell: CellView, linked: set[str]) -> str:
    return cell.anchor if cell.anchor in linked else ""


def _merge(places: Iterable[Place]) -> list[Place]:
    """Join neighbours that did not run for the same reason."""
    merged: list[Place] = []
    for place in places:
        last = merged[-1] if merged else None
        joinable = place.mark.style == "notrun" and last is not None
        if joinable and last is not None and last.note == place.note and last.mark == place.mark:
            merged[-1] = Place(last.mark, last.note, "", "", last.span + 1)
        else:
            merged.append(place)
    return merged


def page_states(cells: Iterable[CellView]) -> list[tuple[Mark, int]]:
    """How many cells are in each state, for the list of pages."""
    counts = Counter(state_of(c.checks) for c in cells if c.checks)
    return _worst_first(counts)
