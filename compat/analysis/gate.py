"""The decision for CI: blocked stops, missing evidence stops unless the plan allows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from compat.analysis.results import GateDecision, Judgement, UpgradeVerdict


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
        return _without_upgrades(judgements)
    blocked = [u for u in upgrades if u.verdict == "blocked"]
    if blocked:
        return GateDecision("fail", 1, tuple(map(_said, blocked)), _allowed(plan, upgrades))
    if all(u.verdict == "not-run" for u in upgrades):
        return GateDecision("inconclusive", 4, ("no upgrade could be run",))
    stopped = [u for u in upgrades if _policy(plan, u) == "stop"]
    if stopped:
        return GateDecision("inconclusive", 4, tuple(map(_said, stopped)), _allowed(plan, upgrades))
    held = [u for u in upgrades if u.verdict in ("safe", "rebuild")]
    return GateDecision("pass", 0, tuple(map(_passed, held)), _allowed(plan, upgrades))


def _without_upgrades(judgements: Mapping[str, Judgement]) -> GateDecision:
    failed = sorted(i for i, j in judgements.items() if j.verdict == "fail")
    if failed:
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        return GateDecision("fail", 1, (f"{failed[0]}{more} failed",))
    return GateDecision("pass", 0, ("the plan has no upgrade; no item failed",))


def _policy(plan: Mapping[str, Any], upgrade: UpgradeVerdict) -> str:
    if upgrade.verdict not in ("inconclusive", "not-run"):
        return ""
    return str(plan["gate"].get(upgrade.verdict, "stop"))


def _allowed(plan: Mapping[str, Any], upgrades: Iterable[UpgradeVerdict]) -> tuple[str, ...]:
    return tuple(_said(u) for u in upgrades if _policy(plan, u) == "allow")


def _said(upgrade: UpgradeVerdict) -> str:
    first = f": {upgrade.reasons[0].text}" if upgrade.reasons else ""
    return f"{upgrade.name} is {upgrade.verdict}{first}"


def _passed(upgrade: UpgradeVerdict) -> str:
    if upgrade.verdict == "rebuild":
        return f"{upgrade.name} is rebuild: engines must be rebuilt, and rebuilt they hold"
    return f"{upgrade.name} is safe: existing engines load, accuracy and latency hold"
