"""Compile and render 100,000 synthetic records; print seconds, peak memory, and HTML bytes.

    python benchmarks/compile_records.py [--records N] [--out DIR]

The records are synthetic: they are drawn from a seeded generator and say nothing about any
TensorRT. Budget: 10 s and 1 GB. Exits with 1 beyond it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

import builders  # noqa: E402 - run as a script, so the path comes first

from compat import analysis, report  # noqa: E402

SECONDS, BYTES = 10.0, 1_000_000_000
ROUNDS = 6
TARGETS = [builders.target(f"ort-1.{n}") for n in range(22, 32)]


def synthetic(count: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A plan with as many models as it takes to hold ``count`` records."""
    names = [t["name"] for t in TARGETS]
    items: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    models: list[str] = []
    while len(records) < count:
        models.append(f"synthetic-{len(models):03}")
        for builder, runtime in product(names, names):
            for precision, _ in builders.PRECISIONS:
                for item in builders.cell_items(models[-1], precision, builder, runtime):
                    items.append(item)
                    records.extend(_records(item, len(items)))
    plan = builders.plan(items, TARGETS, list(pairwise(names)), models)
    return plan, records[:count]


def _records(item: dict[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    match item["check"]:
        case "build":
            yield builders.build_record(item, seed)
        case "accuracy":
            yield builders.accuracy_record(item, seed)
        case "latency":
            yield from builders.rounds_of(item, seed, rounds=ROUNDS)
        case _:
            yield builders.record(item)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--out", type=Path, help="keep the report here")
    parser.add_argument("--make", type=Path, help="only write the plan and the records here")
    options = parser.parse_args()
    if options.make:
        return make(options.make, options.records)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        command = [sys.executable, __file__, "--make", scratch, "--records", str(options.records)]
        subprocess.run(command, check=True)  # a process of its own: the peak is ours alone
        return measure(folder, options.out or folder / "report")


def make(folder: Path, count: int) -> int:
    plan, records = synthetic(count)
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    with (folder / "records.jsonl").open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(r) + "\n" for r in records)
    return 0


def measure(folder: Path, out: Path) -> int:
    """Read, compile, write; the time includes reading the files from disk."""
    records = folder / "records.jsonl"
    began, used = time.perf_counter(), time.process_time()
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    with records.open(encoding="utf-8") as lines:
        results = analysis.compile(plan, map(json.loads, lines))
    compiled = time.perf_counter()
    report.write(results, out, records_path=records)
    ended, spent = time.perf_counter(), time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    pages = sorted(out.glob("*.html"), key=lambda p: p.stat().st_size)
    count = sum(1 for _ in records.open(encoding="utf-8"))
    print(
        f"{count:,} synthetic records, {len(results.table):,} items, "
        f"{len(results.upgrades)} upgrades"
    )
    print(f"compile {compiled - began:.2f} s, write {ended - compiled:.2f} s")
    print(f"total   {ended - began:.2f} s of {SECONDS:.0f} s", end=", ")
    print(f"of these {spent:.2f} s on the processor")
    print(f"peak    {peak / 1e6:,.0f} MB of {BYTES / 1e6:,.0f} MB")
    print(f"HTML    {sum(p.stat().st_size for p in pages):,} bytes in {len(pages)} pages, ", end="")
    print(f"largest {pages[-1].name} {pages[-1].stat().st_size:,} bytes")
    return int(ended - began > SECONDS or peak > BYTES)


if __name__ == "__main__":
    sys.exit(main())
