"""How much the harness adds to a run, and how long an unchanged second run takes.

``python benchmarks/harness.py [--quick] [--work DIR]`` runs the default matrix with its models
prepared and its environments made, forgets the records, runs it for real, and runs it again. The
engines' own time is what the records state: parse, build, load, run, and the measured and warm-up
time of the benchmark; everything else of the phases is the harness.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OVERHEAD_LIMIT = 0.10
SECOND_RUN_LIMIT_S = 15.0
HTML_LIMIT_BYTES = 1_000_000


def main() -> int:
    """Measure, print, and return 1 where a limit is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small models")
    parser.add_argument("--work", type=Path, default=ROOT / ".trt-compat")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "latest")
    given = parser.parse_args()
    command = [
        *(sys.executable, "-m", "compat", "run", "--config", str(ROOT / "compat.toml")),
        *("--work", str(given.work), "--out", str(given.out)),
        *(["--quick"] if given.quick else []),
    ]
    first = _timed([*command, "--phase", "build", "--on", "ort-1.31"])
    print(f"models, environments and one target's builds: {first:.0f} s (not counted)")
    (given.work / "records.jsonl").unlink(missing_ok=True)
    run_s = _timed(command)
    own_s = sum(_own_seconds(record) for record in _records(given.out))
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


def _records(out: Path) -> Iterator[dict[str, Any]]:
    with (out / "records.jsonl").open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def _own_seconds(record: Mapping[str, Any]) -> float:
    """Return what the engines themselves took of an item's time."""
    numbers = record["numbers"]
    own = sum(
        numbers.get(name) or 0 for name in ("builder_s", "parse_s", "build_s", "load_s", "run_s")
    )
    if record["check"] == "latency" and record["status"] == "ok":
        own += numbers["warmup_s"] + numbers["n"] * numbers["mean_s"]
    return float(own)


if __name__ == "__main__":
    raise SystemExit(main())
