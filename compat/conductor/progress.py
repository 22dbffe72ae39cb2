"""What a person sees while it runs: a line per finding, the time left, a sign of life."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from compat.conductor.process import Watch
from compat.conductor.slots import Slot
from compat.matrix import CROSSCHECKS, Item
from compat.records import RecordStore, is_broken

Kind = tuple[str, str, str, str]  # check, model, precision, family of the runtime

HEARTBEAT_S = 60.0
# Seconds an item takes before this run or an earlier one has shown what it takes here.
_FIRST_GUESS = {
    "build": 5.0,
    "rebuild": 5.0,
    "load": 0.5,
    "accuracy": 2.0,
    "top1": 20.0,
    "damaged": 1.0,
    "latency": 2.0,
    "trtexec_load": 8.0,
    "trtexec_build": 15.0,
}
_GLYPHS = {"ok": "✓", "refused": "✗", "failed": "✗", "crashed": "☠", "timeout": "⏱"}
_ASCII = {"ok": "+", "refused": "x", "failed": "X", "crashed": "!", "timeout": "T"}


class Progress:
    """Progress of one run over the planned items; latency counts once a round.

    Where several GPUs are at work (`slots`), each has a lane: a line then says which one it is of.
    """

    def __init__(
        self,
        console: Console,
        items: Sequence[Item],
        store: RecordStore,
        rounds: int,
        slots: int = 1,
    ) -> None:
        self._console = console
        self._slots = slots
        self._ascii = not console.encoding.lower().startswith("utf")
        self._left: Counter[Kind] = Counter()
        for item in items:
            self._left[_kind(item)] += rounds if item.phase == "bench" else 1
        self._total = sum(self._left.values())
        self._position = 0
        self._seconds: dict[Kind | str, list[float]] = defaultdict(list)
        for record in store:
            self._learn(record)
        self._quiet: Counter[tuple[str, str]] = Counter()
        self._titles: dict[str, str] = {}  # of each lane
        self._reused = 0
        self._blocks: Counter[str] = Counter()  # of each lane, measured but not told yet
        self._rounds = rounds
        self._last_line = time.monotonic()
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("starting", total=self._total, left="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        self._bar.stop()

    def say(self, text: str) -> None:
        """Print one plain line."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._last_line = time.monotonic()

    def begin(self, phase: str, target: str, round_: int | None, execute: bool) -> None:
        """Announce a phase of a target; benchmark rounds share one announcement."""
        self._flush()
        if not execute:
            return
        self._titles[""] = f"{phase} {target}{self._turn(round_)}"
        self._bar.update(self._task, description=self._titles[""])
        if not round_:
            self.say(f"{phase} {target}")

    def begin_side_by_side(self, phase: str, gpus: int) -> None:
        """Announce a phase that runs on several GPUs at once."""
        self._flush()
        self._bar.update(self._task, description=f"{phase} on {gpus} GPUs")
        self.say(f"{phase} on {gpus} GPUs")

    def begin_turn(self, lane: str, title: str, round_: int | None) -> None:
        """Note what a lane does now; its benchmark blocks are told once a round."""
        title = f"{lane}: {title}{self._turn(round_)}"
        if self._titles.get(lane) != title:
            self._tell_blocks(lane)
            self._titles[lane] = title

    def reused(self, record: Mapping[str, Any]) -> None:
        """Count an item whose record stands from an earlier run."""
        self._reused += 1
        self._advance(_kind_of(record))

    def passed_over(self, item: Item) -> None:
        """Count a benchmark block that is not tried because the first one could not be run."""
        self._advance(_kind(item))

    def finished(self, record: Mapping[str, Any], lane: str = "") -> None:
        """Print what was found; what could not run is counted and told in one line."""
        self._advance(_kind_of(record))
        self._learn(record)
        if record["status"] in ("not-run", "unsupported"):
            self._quiet[record["check"], record["message"]] += 1
            return
        if record["round"] is not None and record["round"] + 1 < self._rounds:
            self._blocks[lane] += 1
            if record["status"] == "ok":
                return
        self.say(self._line(record, lane))

    def wait(self, running: Mapping[Slot, Watch]) -> None:
        """Show a sign of life of silent jobs."""
        now = time.monotonic()
        if not running or not self._bar.disable or now - self._last_line < HEARTBEAT_S:
            return
        doing = [
            f"{f'{slot.label}: ' if slot.label else ''}"
            f"{watch.started or 'starting the target'}: {now - watch.since:.0f} s so far"
            for slot, watch in running.items()
        ]
        self.say("\n".join(f"  … {one}" for one in doing) + self._time_left())

    def _turn(self, round_: int | None) -> str:
        return f", round {round_ + 1} of {self._rounds}" if round_ is not None else ""

    def _line(self, record: Mapping[str, Any], lane: str) -> str:
        glyph = (_ASCII if self._ascii else _GLYPHS)[record["status"]]
        if record["check"] == "damaged" and not is_broken(record):
            glyph = "-" if self._ascii else "·"  # whatever it is, it is an answer
        engine = f"{record['model']} {record['precision']}"
        where = record["runtime"]
        if record["builder"] != where:
            where = f"{record['builder']} in {where}"
        batch = "" if record["batch"] is None else f" batch {record['batch']}"
        found = _found_damaged(record) if record["check"] == "damaged" else _found(record)
        lane = f"{lane:<5} " if lane else ""
        return (
            f"  [{self._position:>{len(str(self._total))}}/{self._total}] {glyph} "
            f"{lane}{record['check']:<8} {engine:<26} {where}{batch}: {found}"
        )

    def _learn(self, record: Mapping[str, Any]) -> None:
        """Note what an item took, for its kind and for its check."""
        seconds = float(record["seconds"])
        self._seconds[_kind_of(record)].append(seconds)
        if record["status"] == "ok":
            self._seconds[record["check"]].append(seconds)

    def _advance(self, kind: Kind) -> None:
        self._position += 1
        self._left[kind] -= 1
        self._bar.update(self._task, advance=1, left=self._time_left())

    def _time_left(self) -> str:
        seconds = sum(count * self._expected(kind) for kind, count in self._left.items())
        seconds /= self._slots
        return f", about {_clock(seconds)} left" if seconds >= 1 else ""

    def _expected(self, kind: Kind) -> float:
        """Return the seconds an item of a kind takes here: as its like, else as its check."""
        seen = self._seconds.get(kind) or self._seconds.get(kind[0])
        return sum(seen) / len(seen) if seen else _FIRST_GUESS[kind[0]]

    def _flush(self) -> None:
        """Tell what was counted since the last announcement."""
        for (check, message), count in sorted(self._quiet.items()):
            first = message.splitlines()[0] if message else ""
            self.say(f"  {'-' if self._ascii else '·'} {count} {check} not run: {first}")
        self._quiet.clear()
        for lane in list(self._blocks):
            self._tell_blocks(lane)
        if self._reused:
            self.say(f"  = {self._reused} already on record")
        self._reused = 0

    def _tell_blocks(self, lane: str) -> None:
        """Tell how many blocks a lane has measured since the last time."""
        if count := self._blocks.pop(lane, 0):
            self.say(f"  {self._titles[lane]}: {count} blocks measured{self._time_left()}")


def _found(record: Mapping[str, Any]) -> str:
    """Say in a few words what an item found."""
    if record["status"] != "ok":
        lines = str(record["message"]).splitlines()
        return f"{record['status']} ({record['reason']}) {lines[0] if lines else ''}"
    numbers, check = record["numbers"], record["check"]
    if check == "build":
        types = record["facts"].get("layer_types") or {}
        layers = "".join(f", {count} {name}" for name, count in sorted(types.items()))
        return f"{numbers['build_s']:.2f} s, {numbers['engine_bytes'] / 1e6:.1f} MB{layers}"
    if check == "rebuild":
        return (
            "same bytes" if numbers["identical"] else f"{numbers['bytes_differing']} bytes differ"
        )
    if check == "load":
        return f"loaded in {numbers['load_s'] * 1e3:.0f} ms"
    if check in ("latency", *CROSSCHECKS):
        return f"median {numbers['median_s'] * 1e3:.3f} ms, n = {numbers['n']}"
    return f"ran in {numbers['run_s'] * 1e3:.0f} ms"


def _found_damaged(record: Mapping[str, Any]) -> str:
    """Say what a runtime did with a damaged engine that the digest had stopped before."""
    status, facts = record["status"], record["facts"]
    told = f"{status} ({record['reason']})"
    if is_broken(record):
        told = f"{told} {str(record['message']).partition(chr(10))[0]}"
    elif record["damage"] == "host-code-denied":
        told = "loads" if status == "ok" else told
    elif facts.get("loaded_silently"):
        told = "digest only: loads without a word" + ("" if status == "ok" else f", then {told}")
    elif status == "refused":
        told = f"digest + {told}"
    else:
        stopped = "digest" if facts.get("stopped_by_digest") else "digest unknown"
        told = f"{stopped}; the runtime: {told}"
    return f"{record['damage']}: {told}"


def _kind(item: Item) -> Kind:
    return item.check, item.model, item.precision, _family(item.runtime)


def _kind_of(record: Mapping[str, Any]) -> Kind:
    runtime = _family(str(record["runtime"]))
    return record["check"], record["model"], record["precision"], runtime


def _family(target: str) -> str:
    """Return a target's name up to its first dash: its likes take about as long."""
    return target.partition("-")[0]


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
