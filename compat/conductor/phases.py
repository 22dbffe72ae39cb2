"""The three phases over all targets: do what has no record yet, and record what could not be."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from compat.conductor import engines, jobs, process, units
from compat.conductor.durations import Durations
from compat.conductor.jobs import Kitchen
from compat.conductor.places import bytecode, mounts
from compat.conductor.progress import Progress
from compat.conductor.slots import WHOLE_MACHINE, Slot, share
from compat.conductor.units import Block, Unit
from compat.conductor.workers import Workers
from compat.matrix import Item
from compat.records import RecordStore, unanswered
from compat.suite.manifest import verify
from compat.suite.outcome import Failed
from compat.targets import Unavailable, command

SUITE = Path(__file__).resolve().parents[1] / "suite" / "run.py"

# A result of these kinds stands until what determines it changes, or the user asks for another
# try; what was not run is tried again, for it is the machine's trouble. A missing driver alone
# stands: the machine with its driver is part of the key.
_REPEATED_ON_REQUEST = ("crashed", "timeout", "failed")
_STANDING_NOT_RUN = ("no-cuda-driver",)
_DAMAGED = ("integrity", "engine-missing", "onnx-missing")
# Blocks of one round are compared with each other, so they have to be of one time.
ONE_TIME_S = 900.0
# These compute on the CPU with all its cores: timed side by side they would time each other.
_ON_THE_CPU = ("onnxruntime",)


Answer = Mapping[str, Any]


@dataclass(slots=True)
class Conductor:
    """Runs the phases of one plan; every result is on disk before the next item starts.

    `answers` holds the record of each planned item and round, from this run or an earlier one.
    `chosen` are items to run again; then only they run, and what they need. `slots` are the GPUs:
    builds and checks run side by side on them, a benchmark holds its own alone. After `build_limit`
    seconds no further builds are begun: what is built is then checked and timed.
    """

    kitchen: Kitchen
    store: RecordStore
    progress: Progress
    unavailable: Mapping[str, Unavailable]
    retry: bool = False
    chosen: frozenset[str] = frozenset()
    slots: Sequence[Slot] = WHOLE_MACHINE
    build_limit: float | None = None
    answers: dict[tuple[str, int | None], Answer] = field(default_factory=dict)
    _out_of_turn: set[tuple[str, int | None]] = field(default_factory=set)
    _needed: frozenset[str] = frozenset()
    _logs: set[Path] = field(default_factory=set)
    _workers: Workers = field(default_factory=Workers)
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        items = self.kitchen.plan.items
        timed = {self._comparison(i) for i in items if i.id in self.chosen and i.phase == "bench"}
        beside = {i.id for i in items if i.phase == "bench" and self._comparison(i) in timed}
        self.chosen = self.chosen | beside
        self._needed = frozenset(item.build_id for item in items if item.id in self.chosen)

    def _comparison(self, item: Item) -> tuple[str, ...]:
        """Return what benchmark items have in common that are compared with each other."""
        flavour = self.kitchen.config.targets[item.builder].flavour
        cell = (item.model, item.precision, item.typing, item.variant, item.point or "")
        return (flavour, *cell)

    def run_phase(self, phase: str, *, only: str | None = None, look_only: bool = False) -> None:
        """Run one phase for every target; bench takes turns, one block each.

        Args:
            phase: build, check or bench.
            only: the one target to run; for the others the records on disk are looked up.
            look_only: run nothing at all.
        """
        try:
            self._run_phase(phase, only, look_only)
        finally:
            self._workers.dismiss()

    def _run_phase(self, phase: str, only: str | None, look_only: bool) -> None:
        items = [item for item in self.kitchen.plan.items if item.phase == phase]
        targets = [str(target["name"]) for target in self.kitchen.plan.targets]
        asked = frozenset(t for t in targets if not look_only and only in (None, t))
        rounds = self.kitchen.config.bench.rounds if phase == "bench" else 0
        if len(self.slots) > 1 or (phase == "build" and self.build_limit is not None):
            together, items = self._divide(phase, items)
            durations = Durations(self.kitchen.work)
            weigh = durations.weigher(together, partial(self._size, phase))
            found = units.side_by_side(together, targets, rounds, weigh, len(self.slots))
            ordered = units.in_order(found, self._place, weigh)
            if asked and ordered and len(self.slots) > 1:
                self.progress.begin_side_by_side(phase, min(len(self.slots), len(ordered)))
            work = [partial(self._run_unit, unit, asked, False) for unit in ordered]
            share(work, self.slots, self.progress.wait)
            if not self.kitchen.plan.quick:
                ids = {item.id for item in together}
                durations.learn(one for (name, _), one in self.answers.items() if name in ids)
        alone = units.one_after_the_other(items, targets, rounds)
        share([partial(self._run_unit, alone, asked, True)], self.slots[:1], self.progress.wait)

    def _divide(self, phase: str, items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
        """Return what may run side by side with its likes, and what needs the machine alone."""
        if phase != "bench":
            return list(items), []
        together = [item for item in items if not self._is_on_the_cpu(item.runtime)]
        return together, [item for item in items if self._is_on_the_cpu(item.runtime)]

    def _is_on_the_cpu(self, target: str) -> bool:
        return self.kitchen.config.targets[target].flavour in _ON_THE_CPU

    def _place(self, item: Item) -> tuple[int, bool]:
        """Return when an item's turn comes: what has to be before others, whatever it takes.

        Where time may run out, a model's precisions go in the order of their list: what was listed
        first is whole then. Targets that only build otherwise come behind their twins, whose
        timing cache they can use.
        """
        if item.phase != "build":
            return 0, False
        config, turn = self.kitchen.config, 0
        if self.build_limit is not None:
            listed = config.models[item.model].precisions or config.precisions
            turn = list(map(str, listed)).index(item.precision)
        return turn, not config.targets[item.builder].cross

    def _size(self, phase: str, item: Item) -> float:
        """Return bytes of ONNX: what takes longest to build or to run is among the largest.

        A benchmark takes the time that it is given.
        """
        if phase == "bench":
            return 1.0
        path = self.kitchen.typed(item).path
        return float(path.stat().st_size) if path is not None and path.is_file() else 0.0

    def _run_unit(
        self, unit: Unit, asked: frozenset[str], alone: bool, slot: Slot
    ) -> Generator[process.Watch]:
        """Do a unit's blocks in their order on one slot; for targets not asked for, look up."""
        self._out_of_turn |= self._find_out_of_turn(unit.items)
        for block in unit.blocks:
            execute = block.target in asked
            lane = "CPU" if self._is_on_the_cpu(block.target) else slot.label
            if alone:
                lane = ""
                self.progress.begin(block.phase, block.target, block.round, execute)
            elif execute and block.round is not None:
                self.progress.begin_turn(lane, unit.title, block.round)
            wanted = [self._todo(item, block.round, execute) for item in block.items]
            todo = list(chain.from_iterable(wanted))
            if todo and execute and block.phase == "build" and self._is_out_of_time():
                self._leave_out(block)
            elif todo and execute:
                keep, job = partial(self._keep, lane=lane), self._job(block, slot, todo)
                yield from process.run(job, keep, self._workers_for(block))

    def _workers_for(self, block: Block) -> Workers | None:
        """Return what keeps the block's process for the next one; None if nothing may.

        All forks of a process share its memory layout, which matters to code on the CPU: were it
        the same in every round, it would look like a difference between targets.
        """
        is_timed_there = block.phase == "bench" and self._is_on_the_cpu(block.target)
        return None if is_timed_there else self._workers

    def _is_out_of_time(self) -> bool:
        limit = self.build_limit
        return limit is not None and time.monotonic() - self._began > limit

    def _leave_out(self, block: Block) -> None:
        """Answer builds that the time limit left no room for; another run makes them."""
        message = f"the {self.build_limit:g} s that builds may take were over (--build-limit)"
        for item in block.items:
            if (item.id, None) not in self.answers:
                record = _stopped(item, None, "not-run", "no-time-left", message)
                self.answers[item.id, None] = record
                self.progress.finished(record)

    def _todo(self, item: Item, round_: int | None, execute: bool) -> Iterator[dict[str, Any]]:
        """Yield the job entry of an item that can and must run; answer it otherwise.

        What gave no block in the first round is not tried in the later ones.
        """
        if round_ and self.answers.get((item.id, 0), {}).get("status") != "ok":
            self.progress.passed_over(item)
            return
        if (stopped := self._cannot_run(item)) is not None:
            record = _stopped(item, round_, *stopped)
            self.answers[item.id, round_] = record
            self.progress.finished(record)
            return
        build = None if item.phase == "build" else self.answers[item.build_id, None]
        entry = jobs.entry(item, self.kitchen, build, round_)
        old = self.store.find(item.id, round_, entry["key"])
        again = execute and (item.id in self.chosen or (item.id, round_) in self._out_of_turn)
        if old is not None and not again and self._stands(old, entry):
            self.answers[item.id, round_] = old
            self.progress.reused(old)
        elif self._is_wanted(item):
            yield entry

    def _is_wanted(self, item: Item) -> bool:
        """Tell whether an item may be run: all of them, or the chosen ones and their builds."""
        return not self.chosen or item.id in self.chosen or item.id in self._needed

    def _find_out_of_turn(self, items: Sequence[Item]) -> set[tuple[str, int | None]]:
        """Return the recorded blocks that have to be measured again beside their counterparts.

        Targets take turns so that both sides of a comparison saw the same machine at the same
        time. A block on record from last week is worth nothing beside one of today.
        """
        groups: dict[tuple[str, ...], list[Item]] = defaultdict(list)
        for item in items:
            if item.phase == "bench" and self._cannot_run(item) is None:
                # Variants and baselines are compared across a model, and that on one GPU.
                alike = (item.model,) if len(self.slots) > 1 else self._comparison(item)
                groups[alike].append(item)
        stale: set[tuple[str, int | None]] = set()
        for group in groups.values():
            for round_ in range(self.kitchen.config.bench.rounds):
                tried = [item for item in group if not round_ or self._can_be_timed(item)]
                known = {item.id: self._on_record(item, round_) for item in tried}
                blocks = list(known.values())
                # An interrupted round may go on upon another GPU than it began on.
                is_torn = len(self.slots) > 1 and None in blocks and any(blocks)
                if is_torn or not _is_of_one_time(blocks):
                    stale |= {(name, round_) for name in known}
        return stale

    def _can_be_timed(self, item: Item) -> bool:
        first = self._on_record(item, 0)
        return first is None or first["status"] == "ok"

    def _on_record(self, item: Item, round_: int) -> Answer | None:
        build = self.answers[item.build_id, None]
        key = jobs.entry(item, self.kitchen, build, round_)["key"]
        return self.store.find(item.id, round_, key)

    def _cannot_run(self, item: Item) -> tuple[str, str, str] | None:
        """Return status, reason and message where an item cannot be started."""
        for target in dict.fromkeys((item.runtime, item.builder)):
            if (lost := self.unavailable.get(target)) is not None:
                return "not-run", lost.reason, f"{target}: {lost.message}"
        typed = self.kitchen.typed(item)
        if typed.status != "ok" and item.check == "build":
            return typed.status, typed.reason, typed.message
        return None if item.check == "build" else self._lacks_engine(item)

    def _lacks_engine(self, item: Item) -> tuple[str, str, str] | None:
        if item.check == "rebuild" and (item.build_id, None) not in self.answers:
            return None  # its build stands before it in the same job
        build = self.answers.get((item.build_id, None))
        if build is None:
            return "not-run", "no-engine", f"{item.builder}: its engine was not built yet"
        if build["status"] != "ok":
            why = f"{build['reason']}: {str(build['message']).partition(chr(10))[0]}"
            return "not-run", "no-engine", f"{item.builder} has no engine to try ({why})"
        return None

    def _stands(self, old: Answer, entry: Mapping[str, Any]) -> bool:
        """Tell whether an earlier record still answers its item."""
        if old["status"] == "not-run" and old["reason"] not in _STANDING_NOT_RUN:
            return False
        if old["reason"] in _DAMAGED or (self.retry and old["status"] in _REPEATED_ON_REQUEST):
            return False
        limits = self.kitchen.config.timeouts.by_check()
        if old["status"] == "timeout" and limits[entry["check"]] > old["facts"]["limit_s"]:
            return False
        files = [self.kitchen.work / path for path in old["files"].values()]
        return all(path.is_file() for path in files) and self._is_whole(old)

    def _is_whole(self, old: Answer) -> bool:
        """Tell whether the engine of a build's record is still the one that was built."""
        if "engine" not in old["files"]:
            return True
        path = self.kitchen.work / old["files"]["engine"]
        try:
            verify(str(path), old["facts"]["engine_sha256"], trust_stamp=True)
        except Failed:
            return False
        return True

    def _keep(self, record: Answer, lane: str) -> None:
        if record["check"] == "build" and record["status"] == "ok":
            record["facts"].update(engines.stated(self.kitchen.work / record["files"]["engine"]))
        if lane:  # which of several GPUs it was: a time is compared with others of the same one
            record["facts"]["slot"] = lane
        self.store.append(record)
        self.answers[record["item"], record["round"]] = record
        self.progress.finished(record, lane)

    def _job(self, block: Block, slot: Slot, entries: Sequence[Mapping[str, Any]]) -> process.Job:
        target = block.target
        work, environment = self.kitchen.work, self.kitchen.environments[target]
        name = f"{target}.{block.phase}{slot.suffix}"
        for folder in ("jobs", "logs"):
            (work / folder).mkdir(exist_ok=True)
        path, events = work / "jobs" / f"{name}.json", work / "jobs" / f"{name}.events.jsonl"
        spec = {"name": target, **self.kitchen.config.targets[target].model_dump(mode="json")}
        log = work / "logs" / f"{name}.suite.log"
        if log not in self._logs:  # what an earlier run left there
            log.unlink(missing_ok=True)
            self._logs.add(log)
        env = {**bytecode(environment, work), "PYTHONUNBUFFERED": "1"}
        if slot.visible is not None:
            env["CUDA_VISIBLE_DEVICES"] = slot.visible
        document = jobs.job_document(spec, block.phase, entries, self.kitchen, events)
        seen = mounts(work, block.phase, entries, environment.deps)
        start = command(environment, [str(SUITE), str(path), "--stay"], env, seen)
        return process.Job(
            argv=start.argv,
            env=start.env,
            container=start.container,
            document=document,
            path=path,
            events=events,
            log=log,
            timeouts=self.kitchen.config.timeouts.by_check(),
        )


def _is_of_one_time(blocks: Sequence[Answer | None]) -> bool:
    """Tell whether the blocks of one round, those still to come included, are of one time."""
    times = [datetime.fromisoformat(block["started"]) for block in blocks if block is not None]
    if not times:
        return True
    last = max(times) if len(times) == len(blocks) else datetime.now(UTC)
    return (last - min(times)).total_seconds() <= ONE_TIME_S


def _stopped(item: Item, round_: int | None, status: str, reason: str, message: str) -> Answer:
    """Make the record of an item that could not be started."""
    cell = {name: getattr(item, name) for name in jobs.CELL}
    return unanswered(item.id, round_, cell, status=status, reason=reason, message=message)


def take_leftovers(work: Path, store: RecordStore) -> int:
    """Record what a killed run had finished but not yet recorded; return how many items."""
    count = 0
    for path in sorted((work / "jobs").glob("*.events.jsonl")):
        target: dict[str, Any] = {}
        for event, _ in process.read_events(path):
            if event["event"] == "session":
                target = event["target"]
            elif event["event"] == "result":
                record = process.as_result(event, target)
                known = store.find(record["item"], record["round"], record["key"])
                if known is None or known["started"] != record["started"]:
                    store.append(record)
                    count += 1
        path.unlink()
    return count
