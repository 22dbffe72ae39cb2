"""What an analysis hands to the report: words, verdicts and one table, all frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from compat.analysis.latency import Interval

ItemVerdict = Literal["pass", "fail", "inconclusive", "not-run", "info"]
UpgradeWord = Literal["safe", "rebuild", "blocked", "inconclusive", "not-run"]
GateWord = Literal["pass", "fail", "inconclusive"]
CostWord = Literal["slower", "holds", "faster", "inconclusive", "not-judged", "not-compared"]
ClaimWord = Literal["confirmed", "refuted", "inconclusive", "not-measured"]
Weight = Literal["blocks", "gap", "rebuild", "note"]

NEEDS_RUN = ("load", "accuracy", "latency")
#: Checks that take part in a verdict; those beyond NEEDS_RUN only where they are planned.
JUDGED = (*NEEDS_RUN, "top1")
#: How many of the parts that were not compared are named in a sentence.
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one item says on its own: a verdict, why, and the kind of news for a load."""

    verdict: ItemVerdict
    reason: str = ""
    news: str = ""
    code: str = ""
    worst: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One cause of a verdict; equal causes are one reason with many items."""

    code: str
    text: str
    items: tuple[str, ...]
    weight: Weight
    worst: float | None = None


@dataclass(frozen=True, slots=True)
class VariantCost:
    """A variant against the plain engine of ``plain``; ratios are variant / plain.

    ``item`` is the planned latency item of the variant. Size and build time are of one build each,
    load time is the median over rounds.
    """

    item: Mapping[str, Any]
    plain: str
    word: CostWord
    reason: str
    interval: Interval | None = None
    size_ratio: float | None = None
    build_ratio: float | None = None
    load_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """One figure beside what people claim, or what is missing to have it.

    ``measured`` and ``interval`` are the figure as it is shown, ``value`` to ``high`` as numbers;
    ``note`` says why a word is what it is, or what is missing.
    """

    id: str
    claim: str
    source: str
    where: str
    word: ClaimWord
    measured: str
    note: str = ""
    interval: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a plan ran. ``moot`` items had no engine left to run (it was refused).

    ``uncompared`` names what an upgrade's verdict does not speak of: no version to compare with.
    """

    ran: int
    planned: int
    moot: int = 0
    uncompared: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Say it as ``ran 96 of 144 planned (48 moot: no engine to run)``."""
        moot = f" ({self.moot} moot: no engine to run)" if self.moot else ""
        return f"ran {self.ran} of {self.planned} planned{moot}{self.gap_text}"

    @property
    def gap_text(self) -> str:
        """Say what was not compared, if anything: ``; not compared: vit-b16 fp16 strong``."""
        more = len(self.uncompared) - _NAMED
        tail = f" and {more} more" if more > 0 else ""
        names = ", ".join(self.uncompared[:_NAMED])
        return f"; not compared: {names}{tail}" if names else ""


@dataclass(frozen=True, slots=True)
class UpgradeVerdict:
    """The answer for one move from ``current`` to ``candidate``; reasons by weight."""

    current: str
    candidate: str
    verdict: UpgradeWord
    reasons: tuple[Reason, ...]
    coverage: Coverage

    @property
    def name(self) -> str:
        """The upgrade as people write it."""
        return f"{self.current} → {self.candidate}"


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The decision for CI; ``allowed`` lists what the configuration let through.

    ``held`` is false for a pass without any upgrade that was judged to its end: nothing failed,
    and that is all there is to say. ``clean`` is false where a single item failed all the same,
    outside of every upgrade or as it did before.
    """

    value: GateWord
    exit_code: Literal[0, 1, 4]
    reasons: tuple[str, ...]
    allowed: tuple[str, ...] = ()
    held: bool = True
    clean: bool = True

    @property
    def because(self) -> tuple[str, ...]:
        """The reasons, without what the headline says already."""
        return tuple(r.removeprefix(f"{self.headline.lower()}; ") for r in self.reasons)

    @property
    def headline(self) -> str:
        """The decision in three words."""
        match self.value:
            case "pass" if self.held:
                return "The gate holds"
            case "pass":
                return "Nothing failed" if self.clean else "No upgrade failed"
            case "fail":
                return "The gate says stop"
            case "inconclusive":
                return "Not enough evidence"


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that the report needs; ``table`` has one row per planned item."""

    plan: Mapping[str, Any]
    table: pd.DataFrame
    upgrades: tuple[UpgradeVerdict, ...]
    counts: Mapping[str, int]
    gate: GateDecision
    environment: Mapping[str, Mapping[str, Any]]
    records: Mapping[str, Mapping[str, Any]] = field(repr=False)
    variants: tuple[VariantCost, ...] = ()
    claims: tuple[Claim, ...] = ()

    @property
    def coverage(self) -> Coverage:
        """Coverage of the whole plan."""
        return Coverage(ran=self.counts["ran"], planned=self.counts["planned"])
