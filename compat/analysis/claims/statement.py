"""What is claimed, as a range that a figure can lie in, and the rows that answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from compat.analysis.results import Claim, ClaimWord

#: What "about" leaves on both sides of a figure.
ABOUT: Final = 0.2
COMMON: Final = "common claim"


@dataclass(frozen=True, slots=True)
class Statement:
    """One claim; a figure confirms it between ``low`` and ``high``.

    ``unit`` follows a figure; ``opposite`` follows it without its sign where all of it is negative.
    """

    id: str
    text: str
    low: float = -inf
    high: float = inf
    source: str = COMMON
    unit: str = ""
    opposite: str = ""

    def row(self, place: str, where: str, word: ClaimWord, measured: str, **more: Any) -> Claim:
        """Return one row of this claim; ``place`` makes its id unique and stable."""
        return Claim(f"{self.id}/{place}", self.text, self.source, where, word, measured, **more)

    def missing(self, what: str, place: str = "any", where: str = "") -> Claim:
        """Return the row that says what it would take to measure this."""
        return self.row(place, where, "not-measured", "", note=what)

    def figure(
        self,
        place: str,
        where: str,
        span: tuple[float, float, float],
        shown: Callable[[float], str],
        *,
        unclear: str = "",
        items: Iterable[str] = (),
    ) -> Claim:
        """Return the row of a figure with its interval (both its ends the same: exact)."""
        value, low, high = span
        word, note = self._word(value, low, high) if not unclear else ("inconclusive", unclear)
        measured, ends = self._told(value, low, high, shown)
        return self.row(
            place,
            where,
            word,
            measured,
            note=note,
            interval=ends,
            value=value,
            low=low,
            high=high,
            items=tuple(items),
        )

    def _told(
        self, value: float, low: float, high: float, shown: Callable[[float], str]
    ) -> tuple[str, str]:
        """Return a figure and its interval in words; "-3% slower" nobody would say."""
        unit, ends = self.unit, (low, high)
        if self.opposite and high < 0:
            unit, value, ends = self.opposite, -value, (-high, -low)
        span = "" if low == high else f"{shown(ends[0])} to {shown(ends[1])}"
        return f"{shown(value)} {unit}".strip(), span

    def _word(self, value: float, low: float, high: float) -> tuple[ClaimWord, str]:
        if self.low <= low and high <= self.high:
            return "confirmed", ""
        if low > self.high:
            return "refuted", "more than claimed"
        if high < self.low:
            return "refuted", "less than claimed"
        return "inconclusive", "the interval reaches across what is claimed"


def times(value: float) -> str:
    """A ratio as a person writes it."""
    return f"\N{MULTIPLICATION SIGN}{value:#.3g}"


def counted(count: int, noun: str) -> str:
    """``1 engine`` or ``3 engines``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def share(value: float) -> str:
    """A share in percent, to 0.1 %."""
    return f"{value * 100:.1f}%"
