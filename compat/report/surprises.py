"""Prediction beside observation: where a documented rule says one thing and the run saw another.

These are findings of the first rank: either the text is wrong, or the release is, and whoever
plans by the text is misled.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from compat.report.rows import Row, kind

#: What `news` of an item says that no rule foretold: refused or broken though it must load, and
#: loaded though it must be refused.
_AGAINST: Final = ("surprise", "bonus")


@dataclass(frozen=True, slots=True)
class Surprise:
    """Equal surprises as one: what a rule said of a pair, and what was seen."""

    rule: str
    source: str
    expected: str
    seen: str
    said: str
    pair: str
    engines: tuple[str, ...]

    @property
    def where(self) -> str:
        """The engines in short."""
        more = len(self.engines) - 1
        return f"{self.engines[0]}{f' and {more} more' if more else ''}"


def surprises(items: Iterable[Row]) -> list[Surprise]:
    """Every pair of builder and runtime that did otherwise than a rule says; most engines first."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in items:
        if row.text("news") in _AGAINST:
            pair = f"{row.text('builder')} → {row.text('runtime')}"
            key = (row.text("rule"), row.text("expected"), _seen(row), pair)
            groups.setdefault(key, []).append(row)
    found = [_surprise(key, rows) for key, rows in groups.items()]
    return sorted(found, key=lambda one: -len(one.engines))


def _seen(row: Row) -> str:
    if row.text("status") == "ok":
        return "loaded"
    return " ".join(filter(None, (row.text("status"), row.text("reason"))))


def _surprise(key: tuple[str, ...], rows: list[Row]) -> Surprise:
    rule, expected, seen, pair = key
    engines = dict.fromkeys(f"{row.text('model')} {kind(row.cell)}" for row in rows)
    first = rows[0]
    return Surprise(
        rule,
        first.text("rule_source"),
        expected.replace("-", " ") or "refused",
        seen,
        first.text("message"),
        pair,
        tuple(engines),
    )
