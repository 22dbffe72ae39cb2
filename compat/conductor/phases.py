"""The three phases over all targets: do what has no record yet, and record what could not be."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compat.conductor import jobs, process
from compat.conductor.jobs import Kitchen
from compat.conductor.progress import Progress
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


Answer = Mapping[str, Any]


@dataclass(slots=True)
class Conductor:
    """Runs the phases of one plan; every result is on disk before the next item starts.

    `answers` holds the record of each planned item and round, from this run or an earlier one.
    `chosen` are items to run again; then only they run, and what they need.
    """

    kitchen: Kitchen
    store: RecordStore
    progress: Progress
    unavailable: Mapping[str, Unavailable]
    retry: bool = False
    chosen: frozenset[str] = frozenset()
    answers: dict[tuple[str, int | None], Answer] = field(default_factory=dict)
    _out_of_turn: frozenset[tuple[str, int | None]] = frozenset()
    _needed: frozenset[str] = frozenset()

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
        targets = [str(target["name"]) for target in self.kitchen.plan.targets]
        rounds = range(self.kitchen.config.bench.rounds) if phase == "bench" else (None,)
        if phase == "bench":
            self._out_of_turn = self._find_out_of_turn()
        for round_ in rounds:
            for target in targets:
                self._run_target(phase, target, round_, not look_only and only in (None, target))

    def _run_target(self, phase: str, target: str, round_: int | None, execute: bool) -> None:
        items = [i for i in self.kitchen.plan.items if i.phase == phase and i.runtime == target]
        if not items:
            return
        self.progress.begin(phase, target, round_, execute)
        todo = [entry for item in items for entry in self._todo(item, round_, execute)]
        if todo and execute:
            process.run(self._job(phase, target, round_, todo), self._keep, self.progress.wait)

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

    def _find_out_of_turn(self) -> frozenset[tuple[str, int | None]]:
        """Return the recorded blocks that have to be measured again beside their counterparts.

        Targets take turns so that both sides of a comparison saw the same machine at the same
        time. A block on record from last week is worth nothing beside one of today.
        """
        groups: dict[tuple[str, ...], list[Item]] = defaultdict(list)
        for item in self.kitchen.plan.items:
            if item.phase == "bench" and self._cannot_run(item) is None:
                groups[self._comparison(item)].append(item)
        stale: set[tuple[str, int | None]] = set()
        for items in groups.values():
            for round_ in range(self.kitchen.config.bench.rounds):
                tried = [item for item in items if not round_ or self._can_be_timed(item)]
                known = {item.id: self._on_record(item, round_) for item in tried}
                if not _is_of_one_time(list(known.values())):
                    stale |= {(name, round_) for name in known}
        return frozenset(stale)

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

    def _keep(self, record: Answer) -> None:
        self.store.append(record)
        self.answers[record["item"], record["round"]] = record
        self.progress.finished(record)

    def _job(
        self, phase: str, target: str, round_: int | None, entries: Sequence[Mapping[str, Any]]
    ) -> process.Job:
        work, environment = self.kitchen.work, self.kitchen.environments[target]
        name = f"{target}.{phase}"
        for folder in ("jobs", "logs"):
            (work / folder).mkdir(exist_ok=True)
        path, events = work / "jobs" / f"{name}.json", work / "jobs" / f"{name}.events.jsonl"
        spec = {"name": target, **self.kitchen.config.targets[target].model_dump(mode="json")}
        log = work / "logs" / f"{name}.suite.log"
        if not round_:
            log.unlink(missing_ok=True)
        return process.Job(
            argv=command(environment, [str(SUITE), str(path)]),
            env={**environment.env, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
            document=jobs.job_document(spec, phase, entries, self.kitchen, events),
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
