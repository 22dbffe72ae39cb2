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
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from compat.records import read_records  # noqa: E402 - found from this file, installed or not

OVERHEAD_LIMIT = 0.10
SECOND_RUN_LIMIT_S = 15.0
HTML_LIMIT_BYTES = 1_000_000
_OWN = ("builder_s", "parse_s", "build_s", "load_s", "refusal_s", "ready_s", "run_s")


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

    What is left over are the starts and ends of processes where no record states them, and GPUs
    that waited for the last one.
    """
    machine = json.loads((out / "plan.json").read_text(encoding="utf-8")).get("machine") or {}
    slots = max(1, len(machine.get("gpus") or ()))
    records = [r for r in read_records(out / "records.jsonl") if r["status"] != "not-run"]
    yield f"{slots} GPUs, seconds of all of them together:"
    yield ""
    yield "| phase | items | took | all GPUs | engines' own | items' rest | process starts | left |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for phase in ("build", "check", "bench"):
        mine = [record for record in records if record["phase"] == phase]
        if mine:
            yield _phase(phase, mine, slots)


def _phase(phase: str, records: Sequence[Mapping[str, Any]], slots: int) -> str:
    begun = [datetime.fromisoformat(record["started"]).timestamp() for record in records]
    # What ended without a word has the time of its end.
    spans = [
        (at - record["seconds"], at) if _was_ended(record) else (at, at + record["seconds"])
        for at, record in zip(begun, records, strict=True)
    ]
    took = max(end for _, end in spans) - min(start for start, _ in spans)
    inside = sum(record["seconds"] for record in records)
    own = sum(map(_own_seconds, records))
    starts = [record["facts"].get("process_start_s") for record in records]
    known = [start for start in starts if start is not None]
    left = slots * took - inside - sum(known)
    shown = f"{sum(known):.0f}" if known else "not recorded"
    return (
        f"| {phase} | {len(records)} | {took:.0f} | {slots * took:.0f} | {own:.0f} "
        f"| {inside - own:.0f} | {shown} | {left:.0f} |"
    )


def _was_ended(record: Mapping[str, Any]) -> bool:
    return record["status"] in ("timeout", "crashed")


def _own_seconds(record: Mapping[str, Any]) -> float:
    """Return what the engines themselves took of an item's time.

    A build that did not end had all of its time. Older records have no `refusal_s` (what a runtime
    took to refuse) and no `ready_s` (context, buffers, the first run and its graph).
    """
    numbers = record["numbers"]
    own = sum(numbers.get(name) or 0 for name in _OWN)
    if record["status"] == "timeout":
        own = record["seconds"]
    if record["check"] == "latency" and record["status"] == "ok":
        own += numbers["warmup_s"] + numbers["n"] * numbers["mean_s"]
    return float(own)


if __name__ == "__main__":
    raise SystemExit(main())
