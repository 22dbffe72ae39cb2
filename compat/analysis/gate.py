"""The decision for CI: blocked stops, missing evidence stops unless the plan allows it.

Whatever the plan allows, the gate holds only over something that was judged: with no upgrade
``safe`` or ``rebuild`` there is not enough evidence. A quick run is the one exception. Its plan
does not judge latency, so an upgrade of which all else held passes where an inconclusive upgrade
may pass, and the words say that nothing failed, not that the gate holds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from compat.analysis.results import GateDecision, Judgement, UpgradeVerdict

NOT_JUDGED: Final = "latency-not-judged"


def decide(
    plan: Mapping[str, Any],
    upgrades: Sequence[UpgradeVerdict],
    judgements: Mapping[str, Judgement],
    *,
    ran: int,
) -> GateDecision:
    """Decide over all upgrades; without any, over the items that failed."""
    if ran == 0:
        return GateDecision("inconclusive", 4, ("nothing ran",))
    if not upgrades:
        return _without_upgrades(plan, judgements)
    allowed = tuple(_said(u) for u in upgrades if _policy(plan, u.verdict) == "allow")
    blocked = [u for u in upgrades if u.verdict == "blocked"]
    if blocked:
        return GateDecision("fail", 1, tuple(map(_said, blocked)), allowed)
    stopped = [u for u in upgrades if _policy(plan, u.verdict) == "stop"]
    if stopped:
        return GateDecision("inconclusive", 4, tuple(map(_said, stopped)), allowed)
    clean = not any(j.verdict == "fail" for j in judgements.values())
    return _passing(plan, upgrades, allowed, clean=clean)


def _passing(
    plan: Mapping[str, Any],
    upgrades: Sequence[UpgradeVerdict],
    allowed: tuple[str, ...],
    *,
    clean: bool,
) -> GateDecision:
    """Nothing stops: pass only over something that was judged."""
    held = [u for u in upgrades if u.verdict in ("safe", "rebuild")]
    if held:
        return GateDecision("pass", 0, tuple(map(_passed, held)), allowed)
    if any(_held_but_latency(plan, u) for u in upgrades):
        failed = "nothing failed" if clean else "no upgrade failed"
        reason = f"{failed}; latency was not judged (quick run)"
        return GateDecision("pass", 0, (reason,), allowed, held=False, clean=clean)
    reasons = ("no upgrade could be judged", *map(_said, upgrades))
    return GateDecision("inconclusive", 4, reasons)


def _held_but_latency(plan: Mapping[str, Any], upgrade: UpgradeVerdict) -> bool:
    """Whether everything that a quick run judges was judged, and held."""
    if plan["gate"].get("judge-latency", True) or upgrade.verdict != "inconclusive":
        return False
    return {r.code for r in upgrade.reasons if r.weight in ("blocks", "gap")} == {NOT_JUDGED}


def _without_upgrades(plan: Mapping[str, Any], judgements: Mapping[str, Judgement]) -> GateDecision:
    """Nothing to upgrade: single items decide, by the same policy."""
    failed = sorted(i for i, j in judgements.items() if j.verdict == "fail")
    if failed:
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return GateDecision("fail", 1, (f"{failed[0]}{more} failed",))
    counts = Counter(j.verdict for j in judgements.values())
    open_ = [(word, counts[word]) for word in ("inconclusive", "not-run") if counts[word]]
    allowed = tuple(_counted(w, n) for w, n in open_ if _policy(plan, w) == "allow")
    if not counts["pass"]:
        return GateDecision("inconclusive", 4, ("no upgrade to judge, and no item held",), allowed)
    stopped = tuple(_counted(w, n) for w, n in open_ if _policy(plan, w) == "stop")
    if stopped:
        return GateDecision("inconclusive", 4, stopped, allowed)
    reason = "the plan has no upgrade to judge; no item failed"
    return GateDecision("pass", 0, (reason,), allowed, held=False)


def _counted(word: str, count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'} {word}"


def _policy(plan: Mapping[str, Any], verdict: str) -> str:
    if verdict not in ("inconclusive", "not-run"):
        return ""
    return str(plan["gate"].get(verdict, "stop"))


def _said(upgrade: UpgradeVerdict) -> str:
    first = f": {upgrade.reasons[0].text}" if upgrade.reasons else ""
    return f"{upgrade.name} is {upgrade.verdict}{first}"


def _passed(upgrade: UpgradeVerdict) -> str:
    if upgrade.verdict == "rebuild":
        said = "engines must be rebuilt, and rebuilt they hold"
    else:
        said = "existing engines load, accuracy and latency hold"
    return f"{upgrade.name} is {upgrade.verdict}: {said}{upgrade.coverage.gap_text}"
