"""What an upgrade breaks in the user's own code, for page and summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compat.analysis.results import Results
from compat.api.moves import counts
from compat.report.figures import plural


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the code."""

    where: str
    rule: str
    mark: str
    style: str
    message: str
    instead: str
    confidence: str


@dataclass(frozen=True, slots=True)
class YourCode:
    """One upgrade's places, and a sentence about them."""

    current: str
    candidate: str
    sentence: str
    places: tuple[Place, ...]


def your_code(results: Results) -> list[YourCode]:
    """Return an entry per upgrade whose code was scanned; none without ``[code]``."""
    entries: Sequence[Mapping[str, Any]] = results.plan.get("code") or ()
    return [
        YourCode(entry["from"], entry["to"], sentence(entry), tuple(map(_place, _sorted(entry))))
        for entry in entries
    ]


def sentence(entry: Mapping[str, Any]) -> str:
    """Say what the scan of an upgrade came to."""
    if entry["problem"]:
        return f"Your code was not looked at: {entry['problem']}."
    breaks, warnings = counts(entry)
    if not breaks and not warnings:
        return "Nothing was found that breaks in your code."
    more = f", {plural(warnings, 'place')} to look at" if warnings else ""
    verb = "breaks" if breaks == 1 else "break"
    # What the old release lacks, too, is nothing that the upgrade does.
    old = sum(one["level"] == "error" and not one["breaks_at"] for one in entry["findings"])
    before = f" ({old} before the upgrade too)" if old else ""
    return f"{plural(breaks, 'place')} in your code {verb}{before}{more}."


def of_upgrade(results: Results, current: str, candidate: str) -> str:
    """Return the sentence for one upgrade; "" where no code was scanned for it."""
    for entry in results.plan.get("code") or ():
        if (entry["from"], entry["to"]) == (current, candidate):
            return sentence(entry)
    return ""


def _sorted(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Put what breaks first, in the order of the files."""
    return sorted(entry["findings"], key=lambda one: (one["level"] != "error",))


def _place(one: Mapping[str, Any]) -> Place:
    # A colour alone says nothing on paper, or to one who does not see it.
    mark, style = ("✗", "bad") if one["level"] == "error" else ("?", "unclear")
    where, said = f"{one['file']}:{one['line']}", (one["message"], one["replacement"])
    return Place(where, one["rule"], mark, style, *said, one["confidence"])
