"""Numbers and states as people read them: the one place for units, digits, words and glyphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isinf, isnan
from typing import Any, Final

from compat.analysis.results import GateDecision

DASH: Final = "\N{EN DASH}"
TIMES: Final = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True, slots=True)
class Mark:
    """How a state looks: a glyph, its ASCII stand-in, the word, and the style name."""

    glyph: str
    ascii: str
    word: str
    style: str


MARKS: Final = {
    "safe": Mark("✓", "+", "safe", "good"),
    "rebuild": Mark("↻", "R", "rebuild", "change"),
    "blocked": Mark("✗", "X", "blocked", "bad"),
    "inconclusive": Mark("?", "?", "inconclusive", "unclear"),
    "not-run": Mark("◌", ".", "not run", "notrun"),
    "holds": Mark("✓", "+", "holds", "good"),
    "built": Mark("✓", "+", "built", "good"),
    "pass": Mark("✓", "+", "holds", "good"),
    "fail": Mark("✗", "X", "fails", "bad"),
    "bonus": Mark("⊕", "*", "bonus", "good"),
    "refused": Mark("↻", "R", "refused", "change"),
    "partly": Mark("?", "?", "partly run", "unclear"),
    "unsupported": Mark("∅", "0", "unsupported", "quiet"),
    "info": Mark("·", "-", "measured", "quiet"),
}

#: What each verdict of an upgrade means, in the words of the design.
MEANINGS: Final = {
    "safe": "Existing engines load; accuracy and latency hold.",
    "rebuild": "Engines must be rebuilt; rebuilt they hold.",
    "blocked": "Even rebuilt, something breaks.",
    "inconclusive": "Evidence is missing or unstable, so nothing is promised.",
    "not-run": "Nothing of this upgrade could be loaded, checked or timed here.",
}


def mark(state: str) -> Mark:
    """The mark of a state; a state of its own (``crashed``) is a failure with that word."""
    return MARKS.get(state) or Mark("✗", "X", state, "bad")


def gate_mark(gate: GateDecision) -> Mark:
    """The decision with its own words; green only where something was judged and held."""
    passed = "safe" if gate.held else "info"
    state = {"pass": passed, "fail": "blocked", "inconclusive": "inconclusive"}[gate.value]
    return replace(MARKS[state], word=gate.headline)


def rank(shown: Mark) -> int:
    """Position from worst to best, for lists that begin with trouble."""
    return ("bad", "unclear", "change", "notrun", "quiet", "good").index(shown.style)


def milliseconds(seconds: float | None) -> str:
    """Three significant digits in ms."""
    return DASH if seconds is None or isnan(seconds) else significant(seconds * 1e3)


def seconds(value: float | None) -> str:
    """Seconds with two digits."""
    return DASH if value is None or isnan(value) else f"{value:.2f}"


def megabytes(size: float | None) -> str:
    """Decimal megabytes, one digit."""
    return DASH if size is None or isnan(size) else f"{size / 1e6:,.1f}"


def significant(value: float | None) -> str:
    """Three significant digits without an exponent where that is readable."""
    if value is None or isnan(value):
        return DASH
    if isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    if abs(value) < 1e-3 or abs(value) >= 1e7:
        return f"{value:.1e}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def share(value: float | None) -> str:
    """A share in percent."""
    return DASH if value is None or isnan(value) else f"{value * 100:.3g}%"


def points(value: float | None) -> str:
    """A share of right answers or a difference of two, to 0.01 %: one item in 10,000."""
    return DASH if value is None or isnan(value) else f"{value * 100:.2f}%"


def span(low: float | None, high: float | None) -> str:
    """An interval of shares."""
    return DASH if low is None or high is None else f"{points(low)} to {points(high)}"


def cosine(value: float | None) -> str:
    """Six digits, cut and not rounded, so that 0.9999999 never reads as equal."""
    if value is None or isnan(value):
        return DASH
    return "1" if value == 1 else f"{int(value * 1e6) / 1e6:.6f}"


def whole(value: float | None) -> str:
    """A count."""
    return DASH if value is None or isnan(value) else f"{value:,.0f}"


def ratio(value: float | None) -> str:
    """A ratio to the current version."""
    return DASH if value is None or isnan(value) else f"{TIMES}{value:.3f}"


def build_settings(settings: Mapping[str, Any]) -> str:
    """What a builder was told beside TensorRT's own settings; empty where nothing."""
    said = []
    if settings.get("workspace"):
        said.append(f"workspace {mebibytes(settings['workspace'])}")
    if settings.get("optimization-level") is not None:
        said.append(f"optimization level {settings['optimization-level']}")
    if settings.get("timing-cache") is False:
        said.append("no timing cache")
    return ", ".join(said)


def mebibytes(size: float) -> str:
    """Binary megabytes, the unit that a workspace is given in; whole where it is."""
    return f"{size / 2**20:,.4g} MiB"


def ratios(low: float, high: float) -> str:
    """An interval of ratios."""
    return f"{low:.3f} to {high:.3f}"


def plural(count: int, noun: str) -> str:
    """``1 item`` or ``3 items``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
