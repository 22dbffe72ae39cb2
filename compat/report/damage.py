"""What stops a damaged engine: one row per runtime, one column per kind of damage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from compat.analysis.damage import CHECK, HOST_CODE_DENIED, said_change
from compat.report import figures, html
from compat.report.figures import Mark
from compat.report.rows import Row, anchor, kind

#: How each kind is headed, in the order of the columns; a kind that was not planned has none.
KINDS: Final = {
    "truncated": "Cut in half",
    "foreign": "Not an engine",
    "flipped-header": "Byte of the header",
    "flipped-weight": "Byte of the weights",
    HOST_CODE_DENIED: "Whole, host code denied",
}
_MARKS: Final = {
    "damage-refused": Mark("✓", "+", "digest + refused", "good"),
    "damage-loads": Mark("↻", "R", "digest only", "change"),
    "damage-breaks": Mark("↻", "R", "digest only", "change"),
    "damage-unknown": Mark("?", "?", "digest unknown", "unclear"),
    "damage-kills": Mark("↻", "R", "digest; runtime dies", "change"),
    "host-code-refused": Mark("✓", "+", "refused", "good"),
    "host-code-loads": Mark("↻", "R", "loads", "change"),
    "host-code-kills": Mark("↻", "R", "breaks", "change"),
}
_CHANGE: Final = ("max_abs_change", "max_abs_whole", "compared", "not_finite", "outputs_lost")


@dataclass(frozen=True, slots=True)
class DamageTable:
    """The kinds that were planned, and each runtime with its engines and its cells."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, str, Markup], ...]


def table(items: Iterable[Row], linked: set[str]) -> DamageTable | None:
    """The table, or None where no damaged engine was planned."""
    by_runtime: dict[str, dict[str, Row]] = {}
    for row in items:
        if row.text("check") == CHECK:
            by_runtime.setdefault(row.text("runtime"), {})[row.text("damage")] = row
    kinds = [k for k in KINDS if any(k in found for found in by_runtime.values())]
    if not kinds:
        return None
    rows = tuple(
        (runtime, _engines(found), Markup().join(_place(found.get(k), linked) for k in kinds))
        for runtime, found in by_runtime.items()
    )
    return DamageTable(tuple(KINDS[k] for k in kinds), rows)


def _engines(found: dict[str, Row]) -> str:
    cells = dict.fromkeys(row.cell for row in found.values())
    return ", ".join(f"{cell[2]} {kind(cell)}" for cell in cells)


def _place(row: Row | None, linked: set[str]) -> Markup:
    if row is None:
        return html.place(Mark(figures.DASH, "-", "not planned", "quiet"), "", "")
    name = anchor(row.cell)
    link = name if name in linked else ""
    state = _MARKS.get(row.text("verdict_code"))
    if state is None:  # it was not run, or the digest did not stop it
        status = row.text("status")
        return html.place(figures.mark(status), row.text("reason"), link)
    return html.place(state, _note(row), link)


def _note(row: Row) -> str:
    if row.text("verdict_code") == "damage-loads":
        return f"loads silently, {_change(row)}"
    if row.text("verdict_code") == "damage-breaks":
        return f"fails: {row.text('reason')}"
    return row.text("reason") or row.text("news")


def _change(row: Row) -> str:
    return said_change({name: row.number(f"num_{name}") for name in _CHANGE})


def sentence(items: Sequence[Row]) -> str:
    """Say in one line what stopped the damaged engines that were tried; empty if none was."""
    tried = [
        row
        for row in items
        if row.text("check") == CHECK and row.ran and row.text("damage") != HOST_CODE_DENIED
    ]
    if not tried:
        return ""
    codes = Counter(row.text("verdict_code") for row in tried)
    known = ("damage-refused", "damage-loads", "damage-breaks", "damage-kills")
    stopped = sum(codes[code] for code in known)
    said = [
        f"{codes[code]} {words}"
        for code, words in zip(
            known,
            (
                "refused by the runtime too",
                "loaded by it without a word",
                "that it fails on",
                "that it dies or hangs on",
            ),
            strict=True,
        )
        if codes[code]
    ]
    rest = f" ({', '.join(said)})" if said else ""
    unknown = codes["damage-unknown"]
    more = f" Of {unknown} it is not known: the process ended too early." if unknown else ""
    return (
        f"Damaged engines: the manifest's digest stopped {stopped} of {len(tried)} "
        f"before the runtime had them{rest}.{more}"
    )
