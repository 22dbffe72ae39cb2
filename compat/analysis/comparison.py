"""Latency of a candidate against the current version: which items, and what their rounds say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from compat.analysis import latency
from compat.analysis.latency import Interval
from compat.analysis.observations import Observation

ALPHA = 0.05
#: How far apart in time the two sides of a round may begin. A pair cancels only what both sides
#: shared; clocks, temperature and neighbours of a machine settle within minutes, so a quarter of
#: an hour is a round that was interrupted, or one of another day.
CLOSE_S: Final = 15 * 60

LatencyWord = Literal["holds", "slower", "inconclusive", "not-judged"]
_CLOCKS = {"cuda-event": "gpu", "host": "host"}


@dataclass(frozen=True, slots=True)
class LatencyVerdict:
    """The paired comparison of one item with its current item."""

    word: LatencyWord
    reason: str
    interval: Interval | None
    floor: float | None


@dataclass(frozen=True, slots=True)
class Names:
    """What the two sides of a comparison are called in a sentence."""

    item: str
    reference: str
    whole: str


CURRENT: Final = Names("candidate", "current", "the current version")


@dataclass(frozen=True, slots=True)
class Paired:
    """The ratio of two items over their rounds; ``unclear`` says why it is no evidence, if so.

    ``ratio`` stands where there is one round at least, the interval from two on. ``p`` is adjusted
    by Holm over all pairs that were measured together.
    """

    ratio: float | None
    interval: Interval | None
    floor: float | None
    p: float
    unclear: str


@dataclass(frozen=True, slots=True)
class _Side:
    medians: Mapping[int, float]
    started: Mapping[int, str]
    variation: float | None
    clock: str
    paced_by: str
    throttled: bool
    machines: frozenset[str]


def compare_all(
    plan: Mapping[str, Any],
    pairs: Iterable[tuple[Observation, Observation]],
    names: Names = CURRENT,
) -> dict[tuple[str, str], LatencyVerdict]:
    """Judge (item, reference item) pairs together, since Holm looks at all of them."""
    ran = [(a, b) for a, b in pairs if a.status == "ok" and b.status == "ok"]
    band = float(plan["limits"]["latency"])
    result: dict[tuple[str, str], LatencyVerdict] = {}
    for (item, reference), found in zip(ran, pair_up(plan, ran, names), strict=True):
        word, reason = _word(plan, found, band, names)
        verdict = LatencyVerdict(word, reason, found.interval, found.floor)
        result[item.id, reference.id] = verdict
    return result


def pair_up(
    plan: Mapping[str, Any], pairs: Sequence[tuple[Observation, Observation]], names: Names
) -> list[Paired]:
    """Measure the ratio of each pair of items that ran, and say where it is no evidence."""
    sides = {item.id: _side(item) for pair in pairs for item in pair}
    logs = [latency.paired_log_ratios(sides[b.id].medians, sides[a.id].medians) for a, b in pairs]
    found = latency.intervals(logs, float(plan["limits"]["latency"]))
    adjusted = latency.holm([1.0 if i is None else i.p for i in found])
    return [
        Paired(
            math.exp(ratios.mean()) if len(ratios) else None,
            interval,
            latency.noise_floor(sides[b.id].medians),
            float(p),
            _apart((sides[a.id], sides[b.id]))
            or _unstable(plan, (sides[a.id], sides[b.id]), names)
            or _too_few(len(ratios)),
        )
        for (a, b), ratios, interval, p in zip(pairs, logs, found, adjusted, strict=True)
    ]


def _side(item: Observation) -> _Side:
    rounds = {n: r for n, r in item.rounds.items() if r["numbers"].get("median_s")}
    numbers = [r["numbers"] for r in rounds.values()]
    facts = [r.get("facts") or {} for r in rounds.values()]
    return _Side(
        {n: float(r["numbers"]["median_s"]) for n, r in rounds.items()},
        {n: str(r.get("started", "")) for n, r in rounds.items()},
        latency.variation(
            [float(n.get("mean_s") or 0) for n in numbers],
            [float(n.get("std_s") or 0) for n in numbers],
        ),
        clock := next((str(f["clock"]) for f in facts if "clock" in f), "host"),
        # Where the GPU waits for the host, its times vary as the host's do.
        "host" if any(f.get("enqueue_bound") for f in facts) else _CLOCKS.get(clock, "host"),
        any(f.get("throttled") for f in facts),
        frozenset(str(r.get("machine", "")) for r in rounds.values()),
    )


def _word(
    plan: Mapping[str, Any], found: Paired, band: float, names: Names
) -> tuple[LatencyWord, str]:
    if not plan["gate"].get("judge-latency", True):
        return "not-judged", "latency is not judged in a quick run"
    interval, unclear = found.interval, found.unclear or _too_noisy(found.floor, band)
    if unclear or interval is None:
        return "inconclusive", unclear
    ratio = f"\N{MULTIPLICATION SIGN}{interval.ratio:.3f} of {names.whole}"
    said = f"{ratio}, 95% interval {interval.low:.3f} to {interval.high:.3f}"
    if interval.high < 1 + band:
        return "holds", f"{said}, inside the {percent(band)} allowed"
    if interval.low <= 1 + band:
        return "inconclusive", f"{said}, reaches across the {percent(band)} allowed"
    if found.p > ALPHA:
        return "inconclusive", f"{said}, but not significant over all cells (Holm p {found.p:.2g})"
    return "slower", f"{said}, beyond the {percent(band)} allowed"


def percent(share: float) -> str:
    """A share as a person writes it: ``5%``, ``2.5%``."""
    return f"{share * 100:.3g}%"


def _too_few(rounds: int) -> str:
    if rounds >= latency.MIN_BLOCKS:
        return ""
    return f"{rounds} paired round{'' if rounds == 1 else 's'}; {latency.MIN_BLOCKS} are needed"


def _too_noisy(floor: float | None, band: float) -> str:
    if floor is None or floor > band:
        shown = "unknown" if floor is None else percent(floor)
        return f"noise floor {shown} is wider than the {percent(band)} allowed"
    return ""


def _apart(sides: tuple[_Side, _Side]) -> str:
    """Rounds that were not measured side by side are no pairs, whatever their numbers say."""
    candidate, current = sides
    if candidate.machines and current.machines and candidate.machines != current.machines:
        return "measured on different machines"
    for number in candidate.started.keys() & current.started.keys():
        a, b = candidate.started[number], current.started[number]
        if not _close(a, b):
            return "measured at different times (not interleaved)"
    return ""


def _close(a: str, b: str) -> bool:
    """Whether two rounds began close enough; without both times nothing shows it."""
    if a == b:
        return bool(a)
    try:
        one, other = (datetime.fromisoformat(text) for text in (a, b))
    except ValueError:
        return False
    one, other = (t if t.tzinfo else t.replace(tzinfo=UTC) for t in (one, other))
    return abs((one - other).total_seconds()) <= CLOSE_S


def _unstable(plan: Mapping[str, Any], sides: tuple[_Side, _Side], names: Names) -> str:
    for name, side in zip((names.item, names.reference), sides, strict=True):
        limit = plan["limits"]["max-cv"].get(side.paced_by)
        if side.throttled:
            return f"the {name} was throttled"
        if limit is not None and side.variation is not None and side.variation > limit:
            return f"unstable {name}: variation {percent(side.variation)} above {percent(limit)}"
    if sides[0].clock != sides[1].clock:
        return f"clocks differ: {sides[1].clock} and {sides[0].clock}"
    return ""
