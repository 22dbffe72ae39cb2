"""The two ways through an upgrade, for one cell: keep the engine, or rebuild it.

Each way ends in one state with the reasons for it; ``verdict`` puts the cells together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from compat.analysis.evidence import Evidence
from compat.analysis.observations import BROKEN, Observation, Pair
from compat.analysis.results import JUDGED, NEEDS_RUN, Weight

State = Literal["holds", "broken", "missing"]
CellWord = Literal["safe", "rebuild", "blocked", "inconclusive", "nothing-to-compare"]
Places = Sequence[Mapping[Pair, Observation]]

_REFUSING = BROKEN | {"refused"}
_NOT_BUILT = _REFUSING | {"unsupported"}
#: The code of a cell that gives no verdict, because the current version does not work in it.
NOT_COMPARED: Final = "not-compared"


@dataclass(frozen=True, slots=True)
class Cause:
    """One item's part in a verdict, before equal causes become one reason."""

    weight: Weight
    code: str
    text: str
    item: Observation | None = None
    worst: float | None = None
    way: str = ""


def judge_cell(
    evidence: Evidence, places: Places, current: str, candidate: str
) -> tuple[CellWord, list[Cause]]:
    """Say what the upgrade means for one model x precision x typing x variant."""
    builds = [p for p in places if _check(p) == "build"]
    loads = [p for p in places if _check(p) == "load"]
    built = _build_causes(builds, current, candidate)
    if built is not None:
        return built
    baseline = next((p.get((current, current)) for p in loads), None)
    if baseline is not None and baseline.status in _REFUSING:
        text = f"{current} does not load its own engine, so nothing was compared"
        text = f"{text}: {baseline.message or baseline.status}"
        if baseline.status in BROKEN:
            return "inconclusive", [Cause("gap", "no-baseline", text, baseline)]
        return "nothing-to-compare", [Cause("note", NOT_COMPARED, text, baseline)]
    run = [p for p in places if _check(p) in JUDGED]
    rebuilt, rebuilt_causes = _walk(evidence, run, (candidate, candidate), current, "blocks")
    if _keeps_to_itself(evidence, current, candidate):
        text = f"whether {candidate} loads engines of {current} was not asked (cross = false)"
        return _word("broken", rebuilt), [*rebuilt_causes, Cause("note", "not-crossed", text)]
    kept, kept_causes = _walk(evidence, run, (current, candidate), current, "rebuild")
    return _word(kept, rebuilt), [*rebuilt_causes, *kept_causes]


def _keeps_to_itself(evidence: Evidence, current: str, candidate: str) -> bool:
    pair = (current, candidate)
    return any(not t.get("cross", True) for t in evidence.plan["targets"] if t["name"] in pair)


def _word(kept: State, rebuilt: State) -> CellWord:
    if rebuilt == "broken":
        return "blocked"
    if rebuilt == "missing" or kept == "missing":
        return "inconclusive"
    return "safe" if kept == "holds" else "rebuild"


def _check(place: Mapping[Pair, Observation]) -> str:
    return next(iter(place.values())).check


def _build_causes(
    builds: Places, current: str, candidate: str
) -> tuple[CellWord, list[Cause]] | None:
    """Decide the cell by its builds alone, where one of them failed; else None."""
    before, after = (
        next((p[pair] for p in builds if pair in p), None)
        for pair in ((current, current), (candidate, candidate))
    )
    if before is None and after is not None:
        text = f"planned for {candidate} only, so there is nothing to compare"
        return "nothing-to-compare", [Cause("note", "not-planned", text, after)]
    if before is not None and after is None:
        text = f"planned for {current} only, so there is nothing to compare"
        return "nothing-to-compare", [Cause("note", "not-planned", text, before)]
    if before is None or after is None:
        return None
    said = after.message or after.status
    word: CellWord = "nothing-to-compare"
    lost = next((b for b in (after, before) if b.failed_on_host), None)
    if lost is not None:
        word, cause = "inconclusive", _unprepared(lost)
    elif before.status in _NOT_BUILT and after.status in _NOT_BUILT:
        text = f"builds in neither version, so nothing was compared: {said}"
        cause = Cause("note", NOT_COMPARED, text, after)
    elif before.status in _NOT_BUILT and after.status == "ok":
        text = f"builds in {candidate}, did not in {current}"
        cause = Cause("note", "fixed", text, after)
    elif before.status == "ok" and after.status in _NOT_BUILT:
        word = "blocked"
        text = f"built in {current}, {after.status} in {candidate}: {said}"
        cause = Cause("blocks", f"build-{after.status}", text, after)
    elif after.status in _NOT_BUILT:
        word = "inconclusive"
        text = f"{after.status} in {candidate}, and {current} was not built to compare"
        cause = Cause("gap", "no-baseline", text, after)
    else:
        return None
    return word, [cause]


def _unprepared(item: Observation, way: str = "") -> Cause:
    """What went wrong before any version saw it says nothing about either."""
    text = f"could not be prepared on the host, so nothing was compared: {item.message}"
    return Cause("gap", "not-prepared", text, item, way=way)


def _walk(
    evidence: Evidence, places: Places, pair: Pair, current: str, weight: Weight
) -> tuple[State, list[Cause]]:
    """Follow one way: load, accuracy at each point, latency."""
    items = [p[pair] for p in places if pair in p]
    load = next((i for i in items if i.check == "load"), None)
    way = "kept engine" if weight == "rebuild" else "rebuilt engine"
    if load is not None and load.status in _REFUSING:
        code = "engine-refused" if load.status == "refused" else f"load-{load.status}"
        news = evidence.judge(load, None).news
        told = f" ({news})" if news else ""
        text = f"{load.status} in {pair[1]}{told}: {load.message or load.reason}"
        return "broken", [Cause(weight, code, text, load, way=way)]
    causes = [c for i in items if (c := _cause(evidence, i, current, weight, way)) is not None]
    for check in NEEDS_RUN:
        # A load that was foretold to be refused has no further checks; one that loads lacks them.
        loaded = load is None or load.status == "ok"
        if loaded and not any(i.check == check for i in items):
            text = f"no {check} check of the {way} is in the plan"
            causes.append(Cause("gap", f"{check}-not-planned", text, way=way))
    if any(c.weight == weight for c in causes):
        return "broken", causes
    return ("missing" if any(c.weight == "gap" for c in causes) else "holds"), causes


def _cause(
    evidence: Evidence, item: Observation, current: str, weight: Weight, way: str
) -> Cause | None:
    """Why an item does not simply hold; None if it does."""
    reference = evidence.seen.reference(item, current)
    found = evidence.judge(item, reference)
    said = Cause("note", found.code, found.reason or found.code, item, found.worst, way)
    if item.failed_on_host:
        return _unprepared(item, way)
    if found.verdict == "fail":
        return _failure(evidence, item, reference, replace(said, weight=weight))
    if found.verdict in ("not-run", "inconclusive") or found.code == "latency-not-judged":
        # One missing driver is one reason, whichever way it closed.
        return replace(said, weight="gap", way=way if found.verdict == "inconclusive" else "")
    if item.status == "unsupported":
        before = reference is not None and reference.status == "unsupported"
        return _unmeasured(said) if before else replace(said, weight=weight)
    if item.check == "latency" and found.verdict == "info":
        return replace(said, weight="gap", code="no-baseline", text=f"no latency of {current}")
    return said if found.news == "bonus" else None


def _failure(
    evidence: Evidence, item: Observation, reference: Observation | None, cause: Cause
) -> Cause:
    """A failure counts only where the current version held, and excuses only what was measured."""
    if reference is None or not (reference.ran or reference.status == "unsupported"):
        text = f"{cause.text} (the current version was not run to compare)"
        return replace(cause, weight="gap", code="no-baseline", text=text)
    if evidence.judge(reference, None).verdict != "fail":
        return cause
    if reference.status != "ok":
        return _unmeasured(cause) if item.status != "ok" else _unequalled(cause, reference)
    if item.status != "ok" or evidence.worsened(item, reference):
        return cause
    text = f"{cause.text} (already so in the current version)"
    return replace(cause, weight="note", code="already-so", text=text)


def _unequalled(cause: Cause, reference: Observation) -> Cause:
    """What was measured to fail has no equal where the current version broke."""
    text = f"{cause.text} (the current version {reference.status} there: nothing to compare)"
    return replace(cause, weight="gap", code="no-baseline", text=text)


def _unmeasured(cause: Cause) -> Cause:
    """A place that broke in both versions was measured in none: no news, and no pass."""
    text = f"{cause.text} (could not be measured in either version)"
    return replace(cause, weight="gap", code="not-measured", text=text)
