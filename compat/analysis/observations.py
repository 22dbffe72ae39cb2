"""Plan and records brought together: what was seen of every planned item.

A later record of the same item (and round) replaces an earlier one; an item without a record is
``not-run`` with the reason ``no-record``, never a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any

Record = Mapping[str, Any]
Pair = tuple[str, str]
Place = tuple[str, str, str, str, str, str]

#: Statuses that say that something was really tried inside the target.
RAN = frozenset({"ok", "refused", "failed", "crashed", "timeout"})
BROKEN = frozenset({"failed", "crashed", "timeout"})
_WORST_FIRST = ("crashed", "timeout", "failed", "refused", "unsupported", "not-run")


@dataclass(frozen=True, slots=True)
class Observation:
    """One planned item with its newest record, or the newest record of each round."""

    item: Mapping[str, Any]
    status: str
    reason: str
    message: str
    record: Record | None
    rounds: Mapping[int, Record]
    id: str = field(init=False)
    check: str = field(init=False)

    def __post_init__(self) -> None:
        """Take the two names that are asked for again and again out of the item."""
        object.__setattr__(self, "id", self.item["id"])
        object.__setattr__(self, "check", self.item["check"])

    @property
    def pair(self) -> Pair:
        """Builder and runtime."""
        return self.item["builder"], self.item["runtime"]

    @property
    def cell(self) -> tuple[str, str, str, str]:
        """What is built, whoever builds or runs it: model, precision, typing, variant."""
        i = self.item
        return i["model"], i["precision"], i["typing"], i["variant"]

    @property
    def place(self) -> Place:
        """What is measured, whoever builds or runs it."""
        return self.check, *self.cell, self.item.get("point") or self.item.get("damage") or ""

    @property
    def ran(self) -> bool:
        """Whether the item was tried inside its target; ``unsupported`` was not."""
        return self.status in RAN and self.seen_in_target

    @property
    def seen_in_target(self) -> bool:
        """Whether a process of the target said it; the host alone knows no target facts."""
        record = self.record or {}
        return bool(record.get("target") or record.get("numbers"))

    @property
    def is_timed_at_home(self) -> bool:
        """Whether its latency was measured in the runtime that built the engine."""
        return self.check == "latency" and self.status == "ok" and self.pair[0] == self.pair[1]

    @property
    def failed_on_host(self) -> bool:
        """Whether its preparation failed before any target saw it: no version is to blame."""
        return self.status == "failed" and not self.seen_in_target


@dataclass(frozen=True, slots=True)
class Observations:
    """All observations by id, and the same place in every builder x runtime pair."""

    by_id: Mapping[str, Observation]
    by_place: Mapping[Place, Mapping[Pair, Observation]] = field(repr=False)

    def reference(self, item: Observation, current: str) -> Observation | None:
        """The same place, built by ``current`` and run in ``current``."""
        return self.by_place[item.place].get((current, current))


#: What the analysis and the report read of a record; the rest is what its item says already.
_KEPT = (
    *("key", "round", "status", "reason", "message", "numbers", "facts", "files"),
    *("started", "seconds", "target", "machine"),
)


#: A log excerpt may hold escape sequences: they would act on the reader's terminal, and neither
#: HTML nor XML can hold them.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def _slim(record: Record, targets: dict[str, Any]) -> Record:
    """Keep what is read, with shared names and target facts.

    Every parsed JSON line brings its own copies of all strings: for 100,000 records those are
    half of the memory.
    """
    kept = {name: v for name in _KEPT if (v := record.get(name)) or v == 0}
    if "numbers" in kept:
        kept["numbers"] = {intern(name): value for name, value in kept["numbers"].items()}
    if "target" in kept:
        kept["target"] = targets.setdefault(repr(kept["target"]), kept["target"])
    if "machine" in kept:
        kept["machine"] = intern(kept["machine"])
    kept["status"] = intern(record["status"])
    if not kept.get("message", "").isprintable():
        kept["message"] = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", kept["message"])
    kept.setdefault("numbers", {})
    return kept


def observe(plan: Mapping[str, Any], records: Iterable[Record]) -> Observations:
    """Give every planned item its newest record; records of unplanned items are left out."""
    single: dict[str, Record] = {}
    rounds: dict[str, dict[int, Record]] = {}
    targets: dict[str, Any] = {}
    for record in records:
        if record.get("round") is None:
            single[record["item"]] = _slim(record, targets)
        else:
            rounds.setdefault(record["item"], {})[int(record["round"])] = _slim(record, targets)
    by_id: dict[str, Observation] = {}
    by_place: dict[Place, dict[Pair, Observation]] = {}
    for item in plan["items"]:
        seen = _observation(item, single.get(item["id"]), rounds.get(item["id"], {}))
        by_id[seen.id] = seen
        by_place.setdefault(seen.place, {})[seen.pair] = seen
    return Observations(by_id, by_place)


def _observation(
    item: Mapping[str, Any], single: Record | None, rounds: Mapping[int, Record]
) -> Observation:
    if rounds:
        # A latency item also gets a record without a round when its process died or never began;
        # the newer of the two kinds of evidence counts.
        newest = max(rounds.values(), key=lambda r: str(r.get("started", "")))
        if single is None or str(single.get("started", "")) <= str(newest.get("started", "")):
            return _from_rounds(item, rounds)
    if single is None:
        return Observation(item, "not-run", "no-record", "No record of this item.", None, {})
    return Observation(
        item, single["status"], single.get("reason", ""), single.get("message", ""), single, rounds
    )


def _from_rounds(item: Mapping[str, Any], rounds: Mapping[int, Record]) -> Observation:
    """One status for many rounds: the worst, so that a crash in round 3 is not averaged away."""
    by_status = {r["status"]: r for r in rounds.values()}
    worst = next((s for s in _WORST_FIRST if s in by_status), "ok")
    record = by_status.get(worst) or next(iter(rounds.values()))
    good = {n: r for n, r in sorted(rounds.items()) if r["status"] == "ok"}
    return Observation(
        item, worst, record.get("reason", ""), record.get("message", ""), record, good
    )
