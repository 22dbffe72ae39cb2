"""How much the harness adds to a run, and how long an unchanged second run takes.

``python benchmarks/harness.py [--quick] [--work DIR]`` runs the default matrix with its models
prepared and its environments made, forgets the records, runs it for real, and runs it again. The
engines' own time is what the records state: parse, build, load, run, and the measured and warm-up
time of the benchmark; everything else of the phases is the harness.

``python benchmarks/harness.py --of reports/h200-full`` runs nothing: it tells where the time of a
run on record went, phase by phase.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from compat.records import read_records  # noqa: E402 - found from this file, installed or not

OVERHEAD_LIMIT = 0.10
SECOND_RUN_LIMIT_S = 15.0
HTML_LIMIT_BYTES = 1_000_000
_OWN = (
    *("builder_s", "parse_s", "build_s"),
    *("import_s", "read_s", "load_s", "context_s", "refusal_s", "ready_s", "run_s"),
)


def main() -> int:
    """Measure, print, and return 1 where a limit is not met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the small models")
    parser.add_argument("--work", type=Path, default=ROOT / ".trt-compat")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "latest")
    parser.add_argument("--of", type=Path, help="tell of this report's records instead")
    given = parser.parse_args()
    if given.of is not None:
        print("\n".join(_told(given.of)))
        return 0
    command = [
        *(sys.executable, "-m", "compat", "run", "--config", str(ROOT / "compat.toml")),
        *("--work", str(given.work), "--out", str(given.out)),
        *(["--quick"] if given.quick else []),
    ]
    first = _timed([*command, "--phase", "build", "--on", "ort-1.31"])
    print(f"models, environments and one target's builds: {first:.0f} s (not counted)")
    (given.work / "records.jsonl").unlink(missing_ok=True)
    run_s = _timed(command)
    own_s = sum(map(_own_seconds, read_records(given.out / "records.jsonl")))
    again_s = _timed(command)
    html = (given.out / "index.html").stat().st_size
    overhead = (run_s - own_s) / run_s
    print(f"run: {run_s:.1f} s, the engines' own time {own_s:.1f} s, harness {overhead:.1%}")
    print(f"unchanged second run: {again_s:.1f} s; HTML: {html / 1e6:.2f} MB")
    met = overhead <= OVERHEAD_LIMIT and again_s <= SECOND_RUN_LIMIT_S and html <= HTML_LIMIT_BYTES
    return 0 if met else 1


def _timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    return time.perf_counter() - start


def _told(out: Path) -> Iterator[str]:
    """Yield a table: each phase's time on all GPUs, and what of it was whose.

    A GPU waits from the end of its last item of a phase to the end of the phase. What is left over
    are the ends of processes, and their starts in older records.
    """
    machine = json.loads((out / "plan.json").read_text(encoding="utf-8")).get("machine") or {}
    slots = max(1, len(machine.get("gpus") or ()))
    records = [r for r in read_records(out / "records.jsonl") if r["status"] != "not-run"]
    phases = {
        phase: _Spent.of([r for r in records if r["phase"] == phase], slots)
        for phase in ("build", "check", "bench")
    }
    columns = zip(*map(astuple, phases.values()), strict=True)
    phases["all"] = _Spent(*map(sum, columns))
    yield f"{slots} GPUs, seconds of all of them together:"
    yield ""
    yield (
        "| phase | items | took | all GPUs | engines' own | items' rest | starts | handovers "
        "| waited | left | harness |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for name, spent in phases.items():
        if spent.items:
            yield f"| {name} {spent.row()}"
    lost = [record["seconds"] for record in records if record["status"] == "timeout"]
    if lost and (whole := phases["all"]).own > sum(lost):
        share = whole.share(without=sum(lost))
        yield ""
        yield f"Without what had to be stopped ({len(lost)} items, {sum(lost):.0f} s): {share}."


@dataclass(frozen=True)
class _Spent:
    """Where the time of a phase went, in seconds of all GPUs together but for `took`.

    `starts` holds the forks for timed engines as well.
    """

    items: int
    took: float
    all_gpus: float
    own: float
    rest: float
    starts: float
    handovers: float
    waited: float

    @classmethod
    def of(cls, mine: Sequence[Mapping[str, Any]], slots: int) -> _Spent:
        """Add up the records of a phase."""
        if not mine:
            return cls(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        spans = list(map(_span, mine))
        begin, end = min(start for start, _ in spans), max(stop for _, stop in spans)
        ends: dict[str, float] = {}
        for record, (_, stop) in zip(mine, spans, strict=True):
            slot = record["facts"].get("slot", "")
            ends[slot] = max(ends.get(slot, stop), stop)
        own, inside = sum(map(_own_seconds, mine)), sum(record["seconds"] for record in mine)
        starts, handovers = (
            sum(record["facts"].get(name, 0.0) for record in mine)
            for name in ("process_start_s", "handover_s")
        )
        starts += sum(record["facts"].get("fork_s", 0.0) for record in mine)
        ends.pop("CPU", None)  # a lane beside the GPUs
        idle = slots - len(ends) if "" not in ends else 0
        waited = sum(end - one for one in ends.values()) + idle * (end - begin)
        took = end - begin
        return cls(len(mine), took, slots * took, own, inside - own, starts, handovers, waited)

    def row(self) -> str:
        """Return the cells of a table's row.

        The harness's share is of the time that was worked: of GPUs that waited for the last one
        there is a column of its own.
        """
        left = self._worked - self.own - self.rest - self.starts - self.handovers
        numbers = (self.took, self.all_gpus, self.own, self.rest, self.starts, self.handovers)
        cells = [str(round(one)) for one in (*numbers, self.waited, left)]
        return f"| {self.items} | {' | '.join(cells)} | {self.share()} |"

    def share(self, without: float = 0.0) -> str:
        """Return the harness's share of the engines' own time, both `without` so many seconds."""
        own = self.own - without
        return f"{(self._worked - without) / own - 1:.1%}" if own else "-"

    @property
    def _worked(self) -> float:
        return self.all_gpus - self.waited


def _span(record: Mapping[str, Any]) -> tuple[float, float]:
    """Return when an item began and ended; what ended without a word has the time of its end."""
    at, seconds = datetime.fromisoformat(record["started"]).timestamp(), record["seconds"]
    return (at - seconds, at) if _was_ended(record) else (at, at + seconds)


def _was_ended(record: Mapping[str, Any]) -> bool:
    return record["status"] in ("timeout", "crashed")


def _own_seconds(record: Mapping[str, Any]) -> float:
    """Return what the engines themselves took of an item's time.

    A build that did not end had all of its time. A benchmark's measured time is that of the whole
    block, in which the GPU is kept one run ahead, and of the host's enqueues. Older records have no
    `measured_s`, no `refusal_s` (what a runtime took to refuse), no `ready_s` (buffers, the first
    run, its graph) and none of what is beside `load_s`: `import_s` (a model's library), `read_s`
    (the engine's file), `context_s`.
    """
    numbers = record["numbers"]
    own = sum(numbers.get(name) or 0 for name in _OWN)
    if record["status"] == "timeout":
        own = record["seconds"]
    if record["check"] == "latency" and record["status"] == "ok":
        own += numbers["warmup_s"] + numbers.get("measured_s", numbers["n"] * numbers["mean_s"])
    return float(own)


if __name__ == "__main__":
    raise SystemExit(main())
