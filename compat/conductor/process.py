"""A suite process, watched from outside: a crash or a hang costs the item it hit, no more."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.conductor.workers import Worker, Workers, may_wait
from compat.records import unanswered
from compat.targets import Container

Result = dict[str, Any]


@dataclass(slots=True)
class Watch:
    """What is known of a suite process and its present job."""

    is_new: bool = True  # it was started for this job
    started: str | None = None  # id of the item in progress
    begun: float = field(default_factory=time.monotonic)
    since: float = field(default_factory=time.monotonic)
    start_s: float | None = None  # from the job's beginning to its first item's; None once told
    finished: set[str] = field(default_factory=set)
    statuses: set[str] = field(default_factory=set)
    end: dict[str, Any] | None = None  # what it said when all was done
    facts: dict[str, Any] = field(default_factory=dict)  # what that item has settled so far
    target: dict[str, Any] = field(default_factory=dict)
    offset: int = 0  # how far its events were taken


@dataclass(frozen=True, slots=True)
class Job:
    """One job for one target: how to start it, where it writes, how long an item may take.

    container: what the argv runs in; its variables are in there then.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    document: Mapping[str, Any]
    path: Path
    events: Path
    log: Path
    timeouts: Mapping[str, float]
    container: Container | None = None

    @property
    def seat(self) -> Hashable:
        """What another job has to have in common with this one to go to the same process."""
        inside: tuple[Hashable, ...] = ()
        if self.container is not None:
            inside = (self.container.mounts, *sorted(self.container.env.items()))
        return tuple(self.argv), tuple(sorted(self.env.items())), inside


def run(
    job: Job, on_result: Callable[[Result], None], workers: Workers | None = None
) -> Generator[Watch]:
    """Run a job to its end; restart the suite after an item that killed or hung it.

    `workers` may hold a process that waits for this job, and gets the one that has done it.

    Yields after every look at the process, and whoever drives it waits between two looks, so that
    one thread can look after several. `on_result` gets one result per item, in the order of the
    job, but for items that a process passed over: they are asked again when it has ended. Closing
    it ends the process first, so that what it finished is kept.
    """
    left = list(job.document["items"])
    while left:
        watch, ended = yield from _run_once(job, left, on_result, workers)
        left = [item for item in left if item["id"] not in watch.finished]
        if not left:
            return
        dead = next((item for item in left if item["id"] == watch.started), None)
        if dead is None and (watch.finished or not watch.is_new):
            continue  # it died between two items, or as it waited: the next one begins there
        if dead is None:
            for item in left:
                on_result(_unanswered(item, watch, job))
            return
        record = _result(dead, watch, **ended, message=_say(ended["reason"], job.log))
        record["facts"] = {**watch.facts, "limit_s": job.timeouts[dead["check"]]}
        on_result(_with_start(record, watch))
        left = [item for item in left if item is not dead]


def _run_once(
    job: Job,
    items: Sequence[Mapping[str, Any]],
    on_result: Callable[[Result], None],
    workers: Workers | None,
) -> Generator[Watch, None, tuple[Watch, dict[str, str]]]:
    """Have one process do the items and return what it finished and how it ended."""
    document = {**job.document, "items": list(items)}
    job.path.write_text(json.dumps(document, default=str), encoding="utf-8")
    job.events.unlink(missing_ok=True)
    checks = {item["id"]: item["check"] for item in items}
    waiting = workers.call(job.path, job.seat) if workers is not None else None
    watch, worker = Watch(is_new=waiting is None), waiting or _start(job)
    timed_out = False
    keeper: Workers | None = None
    try:
        while True:
            running = worker.is_running
            _take(job.events, watch, on_result)
            if not running or watch.end is not None:
                break
            limit = _limit(job, checks, watch)
            if time.monotonic() - watch.since > limit:
                timed_out = True
                worker.end()
            yield watch
        answered = checks.keys() <= watch.finished  # else it could not even start its tests
        if answered and watch.end and worker.is_running and may_wait(watch.statuses, watch.end):
            keeper = workers
    finally:
        if keeper is not None:
            keeper.keep(job.path, job.seat, worker)
        else:
            worker.end()
        _take(job.events, watch, on_result)
        job.events.unlink(missing_ok=True)
    code = watch.end["code"] if watch.end is not None else worker.process.returncode
    if worker.container is not None and watch.end is None:
        code = -worker.container.signal_of(code) or code
    return watch, _how_it_ended(code, timed_out)


def _start(job: Job) -> Worker:
    with job.log.open("ab") as log:
        process = subprocess.Popen(
            job.argv if job.container is None else job.container.prefixed(job.argv),
            env={**os.environ, **job.env},
            # Where memory runs out, podman's monitor leaves a file `oom` in the present folder.
            cwd=None if job.container is None else job.path.parent,
            stdin=subprocess.PIPE,
            bufsize=0,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Worker(process, job.container)


def _limit(job: Job, checks: Mapping[str, str], watch: Watch) -> float:
    """Return how many seconds the present item, or the start of the next one, may take."""
    return job.timeouts[checks[watch.started] if watch.started else "start"]


def _take(events: Path, watch: Watch, on_result: Callable[[Result], None]) -> None:
    """Read the whole lines that are new. Ctrl-C waits for them, or one could be recorded twice."""
    with _uninterrupted():
        for event, end in read_events(events, watch.offset):
            watch.offset = end
            if event["event"] == "progress":  # the item goes on, and so does its time limit
                if event["item"] == watch.started:
                    watch.facts.update(event["facts"])
                continue
            watch.since = time.monotonic()
            if event["event"] == "session":
                watch.target = event["target"]
            elif event["event"] == "started":
                if watch.started is None and not watch.finished:
                    watch.start_s = watch.since - watch.begun
                watch.started, watch.facts = event["item"], {}
            elif event["event"] == "result":
                watch.started = None
                watch.finished.add(event["item"])
                watch.statuses.add(event["status"])
                on_result(_with_start(as_result(event, watch.target), watch))
            elif event["event"] == "end":
                watch.end = event


def _with_start(record: Result, watch: Watch) -> Result:
    """Let the first result of a job say what the way to it took: no item's time holds it.

    `process_start_s` is a process's start, `handover_s` a further job for one that waited. They
    hold `fork_s`, what the first item's own fork of that process took.
    """
    if watch.start_s is not None:
        name = "process_start_s" if watch.is_new else "handover_s"
        facts = {key: fact for key, fact in record["facts"].items() if key != "fork_s"}
        record["facts"] = {**facts, name: round(watch.start_s, 3)}
        watch.start_s = None
    return record


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C until the block has ended.

    Blocking the signal in this thread would only send it through another one, such as numpy's.
    """
    put_off: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: put_off.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if put_off:
            signal.raise_signal(signal.SIGINT)


def read_events(path: Path, offset: int = 0) -> Iterator[tuple[dict[str, Any], int]]:
    """Yield each whole event line after `offset` with the offset behind it."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        stream.seek(offset)
        for line in stream:
            if not line.endswith(b"\n"):
                return  # half-written: the rest comes with the next look, or never
            offset += len(line)
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a power cut leaves blocks of zeros
            yield event, offset


def as_result(event: Mapping[str, Any], target: Mapping[str, Any]) -> Result:
    """Turn a result event into a record."""
    kept = ("item", "key", "round", "status", "reason", "message", "numbers", "facts", "files")
    record = {name: event[name] for name in (*kept, "started", "seconds")}
    return {**record, **event["cell"], "target": dict(target)}


def _result(
    item: Mapping[str, Any], watch: Watch, *, status: str, reason: str, message: str
) -> Result:
    """Make the record of an item that the suite could not write itself."""
    return unanswered(
        item["id"],
        item["round"],
        item["cell"],
        key=item["key"],
        status=status,
        reason=reason,
        message=message,
        seconds=round(time.monotonic() - watch.since, 3),
        target=watch.target,
    )


def _unanswered(item: Mapping[str, Any], watch: Watch, job: Job) -> Result:
    """An item that no process ever started: the environment is broken, not the engine."""
    message = f"the suite ended before this item: {_last_line(job.log)} (all of it: {job.log})"
    return _result(item, watch, status="not-run", reason="suite-did-not-run", message=message)


def _how_it_ended(code: int, timed_out: bool) -> dict[str, str]:
    if timed_out:
        return {"status": "timeout", "reason": "timeout"}
    if code < 0:
        return {"status": "crashed", "reason": f"signal-{signal.Signals(-code).name}"}
    return {"status": "crashed", "reason": f"exit-{code}"}


def _say(reason: str, log: Path) -> str:
    if reason == "timeout":
        return "it did not end within its time limit ([timeouts] in compat.toml)"
    if reason == "signal-SIGKILL":
        return "the process was killed; where memory is short the kernel does that"
    return f"the process died ({reason}); its last words: {_last_line(log)} (all of it: {log})"


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "(none)")
