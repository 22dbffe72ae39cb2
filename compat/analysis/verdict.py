"""One verdict per upgrade with its reasons: the worst cell decides, equal causes become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from compat.analysis import damage
from compat.analysis.evidence import Evidence
from compat.analysis.observations import BROKEN, Observation, Pair
from compat.analysis.paths import NOT_COMPARED, Cause, CellWord, judge_cell
from compat.analysis.results import NEEDS_RUN, Coverage, Reason, UpgradeVerdict, UpgradeWord, Weight
from compat.matrix import CROSSCHECKS

_WEIGHTS: Final[tuple[Weight, ...]] = ("blocks", "gap", "rebuild", "note")
_WORST_FIRST: Final[tuple[UpgradeWord, ...]] = ("blocked", "inconclusive", "rebuild", "safe")

# More models than so are counted, not named.
_FEW: Final = 3

Cells = dict[tuple[str, str, str, str], list[Mapping[Pair, Observation]]]


def judge_upgrades(evidence: Evidence) -> tuple[UpgradeVerdict, ...]:
    """Judge every upgrade of the plan, in its order.

    Damaged engines and other tools' times say nothing of any.
    """
    cells: Cells = {}
    for place in evidence.seen.by_place.values():
        any_of = next(iter(place.values()))
        if any_of.check not in (damage.CHECK, *CROSSCHECKS):
            cells.setdefault(any_of.cell, []).append(place)
    return tuple(
        _judge_upgrade(evidence, cells, upgrade["from"], upgrade["to"])
        for upgrade in evidence.plan["upgrades"]
    )


def _judge_upgrade(
    evidence: Evidence, cells: Cells, current: str, candidate: str
) -> UpgradeVerdict:
    pairs = ((current, current), (current, candidate), (candidate, candidate))
    words: set[CellWord] = set()
    causes: list[Cause] = []
    items: list[Observation] = []
    uncompared: list[str] = []
    for cell, places in cells.items():
        scoped = [p for p in places if any(pair in p for pair in pairs)]
        if not scoped:
            continue
        word, found = judge_cell(evidence, scoped, current, candidate)
        words.add(word)
        causes.extend(found)
        if word == "nothing-to-compare":
            uncompared.append(_cell_name(cell))
        items.extend(p[pair] for p in scoped for pair in pairs if pair in p)
    verdict = _word(words, items)
    if not items:
        causes = [Cause("gap", "nothing-planned", "the plan holds no item of this upgrade")]
    elif words == {"nothing-to-compare"}:
        text = f"{current} itself works in no cell, so there is nothing to compare with"
        causes.append(Cause("gap", "no-baseline", text))
    coverage = _coverage(items, tuple(uncompared))
    return UpgradeVerdict(current, candidate, verdict, _reasons(causes), coverage)


def _cell_name(cell: tuple[str, str, str, str]) -> str:
    return " ".join(part for part in cell if part != "plain")


def _word(words: set[CellWord], items: Iterable[Observation]) -> UpgradeWord:
    if "blocked" in words:
        return "blocked"
    if not any(i.ran for i in items if i.check in NEEDS_RUN):
        return "not-run"
    return next((w for w in _WORST_FIRST if w in words), "inconclusive")


def _coverage(items: Iterable[Observation], uncompared: tuple[str, ...]) -> Coverage:
    listed = list(items)
    stopped = {
        (*i.cell, *i.pair) for i in listed if i.check == "load" and i.status in BROKEN | {"refused"}
    }
    moot = sum(1 for i in listed if not i.ran and (*i.cell, *i.pair) in stopped)
    return Coverage(sum(1 for i in listed if i.ran), len(listed), moot, uncompared)


def _reasons(causes: Iterable[Cause]) -> tuple[Reason, ...]:
    """Collapse equal causes, heaviest first, then by how many items they have."""
    groups: dict[tuple[Weight, str, str, str], list[Cause]] = {}
    for cause in causes:
        # One missing driver is one cause, whichever checks it kept from running.
        check = cause.item.check if cause.item and cause.weight != "gap" else ""
        way = "" if cause.item else cause.way  # without an item the text speaks of one way
        groups.setdefault((cause.weight, cause.code, check, way), []).append(cause)
    reasons = [_reason(group) for group in groups.values()]
    return tuple(sorted(reasons, key=_weight))


def _weight(reason: Reason) -> tuple[int, bool, int]:
    """Heaviest first; among notes first what the verdict does not speak of."""
    known = reason.code != NOT_COMPARED
    return _WEIGHTS.index(reason.weight), known, -len(reason.items)


def _reason(group: list[Cause]) -> Reason:
    worst = _worst(group)
    items = tuple(c.item.id for c in group if c.item is not None)
    return Reason(worst.code, _said(worst, group, len(items)), items, worst.weight, worst.worst)


def _said(worst: Cause, group: list[Cause], items: int) -> str:
    """The worst cause in words, led by its place or by how many it stands for."""
    if worst.item is None:
        return worst.text
    place = _place(worst.item)
    if items > 1:
        same = len({c.text for c in group}) == 1
        place = f"{items} items{_whose(group)}" if same else f"{items} items, worst {place}"
    verb = " not run" if worst.item.status == "not-run" else ""
    way = f" ({worst.way})" if worst.way else ""
    return f"{place}{way}{verb}: {worst.text}"


def _place(item: Observation) -> str:
    """Name an item: model, precision, variant and batch point."""
    return " ".join(filter(None, (_name(item), item.item.get("point"))))


def _name(item: Observation) -> str:
    model, precision, variant = (item.item[key] for key in ("model", "precision", "variant"))
    return " ".join((model, precision, *([variant] if variant != "plain" else [])))


def _whose(group: Iterable[Cause]) -> str:
    """Say whose items they are, as far as that is short: one cell, or a few models."""
    items = [c.item for c in group if c.item is not None]
    names = list(dict.fromkeys(map(_name, items)))
    models = list(dict.fromkeys(item.item["model"] for item in items))
    if len(names) == 1:
        return f" of {names[0]}"
    if len(models) > _FEW:
        return f" of {len(models)} models"
    *first, last = models
    return f" of {', '.join(first)} and {last}" if first else f" of {last}"


def _worst(group: list[Cause]) -> Cause:
    """The cause with the worst number; more is worse except for drift metrics with a minimum."""
    numbered = [c for c in group if c.worst is not None]
    if not numbered:
        return group[0]
    less_is_worse = group[0].code in ("drift-cosine", "drift-top1-agreement", "drift-sqnr-db")
    pick = min if less_is_worse else max
    return pick(numbered, key=lambda c: c.worst if c.worst is not None else 0.0)
