"""The three phases over all targets: do what has no record yet, and record what could not be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compat.conductor import jobs, process
from compat.conductor.jobs import Kitchen
from compat.conductor.progress import Progress
from compat.matrix import Item
from compat.records import RecordStore
from compat.targets import Unavailable, command

SUITE = Path(__file__).resolve().parents[1] / "suite" / "run.py"

# A result of these kinds stands until what determines it changes; a crash or a timeout too,
# unless the user asks for another try.
_REPEATED_ON_REQUEST = ("crashed", "timeout", "failed")


Answer = Mapping[str, Any]


@dataclass(slots=True)
class Conductor:
    """Runs the phases of one plan; every result is on disk before the next item starts.

    `answers` holds the record of each planned item and round, from this run or an earlier one.
    """

    kitchen: Kitchen
    store: RecordStore
    progress: Progress
    unavailable: Mapping[str, Unavailable]
    retry: bool = False
    again: frozenset[str] = frozenset()
    answers: dict[tuple[str, int | None], Answer] = field(default_factory=dict)

    def run_phase(self, phase: str, *, only: str | None = None, look_only: bool = False) -> None:
        """Run one phase for every target; bench takes turns, one block each.

        Args:
            phase: build, check or bench.
            only: the one target to run; for the others the records on disk are looked up.
            look_only: run nothing at all.
        """
        targets = [str(target["name"]) for target in self.kitchen.plan.targets]
        rounds = range(self.kitchen.config.bench.rounds) if phase == "bench" else (None,)
        for round_ in rounds:
            for target in targets:
                self._run_target(phase, target, round_, not look_only and only in (None, target))

    def _run_target(self, phase: str, target: str, round_: int | None, execute: bool) -> None:
        items = [i for i in self.kitchen.plan.items if i.phase == phase and i.runtime == target]
        if not items:
            return
        self.progress.begin(phase, target, round_, execute)
        todo = [entry for item in items for entry in self._todo(item, round_)]
        if todo and execute:
            process.run(self._job(phase, target, round_, todo), self._keep, self.progress.wait)

    def _todo(self, item: Item, round_: int | None) -> Iterator[dict[str, Any]]:
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
        if old is not None and self._stands(old):
            self.answers[item.id, round_] = old
            self.progress.reused(old)
            return
        yield entry

    def _cannot_run(self, item: Item) -> tuple[str, str, str] | None:
        """Return status, reason and message where an item cannot be started."""
        for target in dict.fromkeys((item.runtime, item.builder)):
            if (lost := self.unavailable.get(target)) is not None:
                return "not-run", lost.reason, f"{target}: {lost.message}"
        typed = self.kitchen.typed(item)
        if typed.status != "ok":
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

    def _stands(self, old: Answer) -> bool:
        """Tell whether an earlier record still answers its item."""
        if old["item"] in self.again or old["reason"] == "suite-did-not-run":
            return False
        if self.retry and old["status"] in _REPEATED_ON_REQUEST:
            return False
        return all((self.kitchen.work / path).is_file() for path in old["files"].values())

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


def _stopped(item: Item, round_: int | None, status: str, reason: str, message: str) -> Answer:
    """Make the record of an item that could not be started."""
    return {
        "item": item.id,
        "key": "",
        "round": round_,
        "status": status,
        "reason": reason,
        "message": message,
        "numbers": {},
        "facts": {},
        "files": {},
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "seconds": 0.0,
        **{name: getattr(item, name) for name in jobs.CELL},
        "target": {},
    }


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
