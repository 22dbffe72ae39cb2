"""Does the suite's latency agree with an independent loop (`event_loop.py`) on the same engine?

``python benchmarks/agreement.py --work W [--config F] [--quick]`` looks up the latency records
that hold for the present plan, runs the loop in the same target environments on the same engines
and inputs, and prints both. Without ``--config``, W is the work folder of a bundle:
``PYTHONPATH=W/source W/host/bin/python agreement.py --work W``, with event_loop.py beside it.

Exit code 0: every pair of medians differs by at most 2 % and the suite's coefficient of variation
is at most 1 %; 1: not so; 2: there is nothing to compare, or the loop did not run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from compat.conductor import jobs
from compat.conductor.jobs import Kitchen
from compat.errors import UserError
from compat.matrix import Item
from compat.records import RecordStore
from compat.targets import Mounts, command

DIFFERENCE_LIMIT = 0.02
CV_LIMIT = 0.01
LOOP = Path(__file__).with_name("event_loop.py")
LOOP_LIMIT_S = 300.0


class LoopError(UserError):
    """The loop gave no figure."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One latency item as the suite measured it, and what the loop needs to repeat it.

    Times in ms; `median` and `cv` are medians over the rounds. `graphs` holds what the rounds say
    of their launches: as a CUDA graph, one by one, or (None) nothing.
    """

    item: Item
    rounds: int
    median: float
    cv: float
    engine: Path
    feeds: Path
    graphs: frozenset[bool | None]


@dataclass(frozen=True, slots=True)
class Pair:
    """One item, measured by both. `median` and `cv` are the loop's; times in ms."""

    suite: Measured
    median: float
    cv: float
    graph: bool

    @property
    def difference(self) -> float:
        """How much longer the suite's median is, as a share of the loop's."""
        return self.suite.median / self.median - 1

    @property
    def holds(self) -> bool:
        """Whether it is within the limits."""
        return abs(self.difference) <= DIFFERENCE_LIMIT and self.suite.cv <= CV_LIMIT


def main(argv: Sequence[str]) -> int:
    """Compare and print; return the exit code."""
    asked = arguments(argv)
    console = Console(stderr=True, highlight=False)
    try:
        kitchen = kitchen_of(asked, console)
        found = list(measured(kitchen, RecordStore(kitchen.work / "records.jsonl"), asked))
        if not found:
            raise LoopError(
                "no latency record holds for the present plan, machine and suite: "
                "run the matrix first, or choose others with --model, --precision, --target"
            )
        pairs = [repeat(one, kitchen, asked) for one in found]
    except UserError as error:
        print(f"agreement: {error}", file=sys.stderr)
        return 2
    for pair in pairs:
        print(json.dumps(as_json(pair)) if asked.json else line(pair))
    return 0 if all(pair.holds for pair in pairs) else 1


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="the suite's latency against an independent loop")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--config", type=Path, help="of an ordinary run; a bundle needs none")
    parser.add_argument("--quick", action="store_true", help="the run was a quick one")
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--precision", default="fp16")
    parser.add_argument("--variant", default="plain")
    parser.add_argument("--point", default="opt", choices=["min", "opt", "max"])
    parser.add_argument("--target", action="append", help="only this one (may be repeated)")
    parser.add_argument("--seconds", type=float, default=3.0, help="time of one loop")
    parser.add_argument("--loops", type=int, default=3, help="the median of so many loops counts")
    parser.add_argument("--no-graph", action="store_true", help="the loop enqueues, no CUDA graph")
    parser.add_argument("--json", action="store_true", help="one JSON object per item")
    return parser.parse_args(argv)


def kitchen_of(asked: argparse.Namespace, console: Console) -> Kitchen:
    """Return models, environments and plan of the run, from its work folder."""
    work = asked.work.resolve()
    if asked.config is None:
        from compat.bundle import far, layout  # noqa: PLC0415  # an ordinary run needs no bundle

        if not (work / "far.json").is_file():
            raise LoopError(f"{work} is no bundle's work folder (no far.json): give --config, too")
        return far.kitchen_of(work, layout.read(str(work)), console)[0]
    from compat import workflow  # noqa: PLC0415  # a bundle's host has no pandas for its report

    options = workflow.Options(asked.config, work, work / "agreement", quick=asked.quick)
    config, planned = workflow.lay_out(options)
    say = partial(console.print, markup=False)
    return workflow.set_up(options, config, planned, say)[0]


def measured(kitchen: Kitchen, store: RecordStore, asked: argparse.Namespace) -> Iterator[Measured]:
    """Yield the chosen items with the records that hold for them."""
    items = {item.id: item for item in kitchen.plan.items}
    for item in items.values():
        if not is_chosen(item, kitchen, asked):
            continue
        key = jobs.entry(items[item.build_id], kitchen, None, None)["key"]
        build = store.find(item.build_id, None, key)
        if build is None or build["status"] != "ok":
            continue
        entries = [jobs.entry(item, kitchen, build, n) for n in range(kitchen.config.bench.rounds)]
        blocks = [store.find(item.id, entry["round"], entry["key"]) for entry in entries]
        held = [block for block in blocks if block and block["status"] == "ok"]
        if held:
            numbers = [block["numbers"] for block in held]
            yield Measured(
                item=item,
                rounds=len(numbers),
                median=1e3 * statistics.median(n["median_s"] for n in numbers),
                cv=statistics.median(n["std_s"] / n["mean_s"] for n in numbers),
                engine=kitchen.work / entries[0]["engine"],
                feeds=kitchen.work / entries[0]["feeds"],
                graphs=frozenset(block["facts"].get("cuda_graph") for block in held),
            )


def is_chosen(item: Item, kitchen: Kitchen, asked: argparse.Namespace) -> bool:
    """Tell whether an item is a latency that was asked for and can be repeated here."""
    wanted = (asked.model, asked.precision, asked.variant, asked.point)
    return (
        item.check == "latency"
        and item.builder == item.runtime
        and (item.model, item.precision, item.variant, item.point) == wanted
        and kitchen.config.targets[item.runtime].flavour == "tensorrt"
        and (asked.target is None or item.runtime in asked.target)
        and {item.runtime, item.builder} <= set(kitchen.environments)
    )


def repeat(suite: Measured, kitchen: Kitchen, asked: argparse.Namespace) -> Pair:
    """Run the loop where the suite ran. Raises LoopError, also where the two launch unlike."""
    environment = kitchen.environments[suite.item.runtime]
    options = ["--seconds", str(asked.seconds), "--path", str(environment.deps)]
    options += ["--no-graph"] if asked.no_graph else []
    arguments = [str(LOOP), str(suite.engine), str(suite.feeds), *options]
    argv = command(environment, arguments, {}, Mounts()).argv
    said = [loop(argv, environment.env, suite.item.id) for _ in range(asked.loops)]
    graphs = {one["graph"] for one in said}
    if suite.graphs != graphs:
        raise LoopError(
            f"{suite.item.id}: the suite launched {launched(suite.graphs)}, the loop "
            f"{launched(graphs)}: the times of unlike launches are not compared"
        )
    return Pair(
        suite,
        median=statistics.median(one["median_ms"] for one in said),
        cv=statistics.median(one["cv"] for one in said),
        graph=all(one["graph"] for one in said),
    )


def launched(graphs: Iterable[bool | None]) -> str:
    """Return in words how runs were launched."""
    words = {True: "as a CUDA graph", False: "without a CUDA graph", None: "in a way not on record"}
    return " and ".join(sorted(words[one] for one in graphs))


def loop(argv: Sequence[str], env: Mapping[str, str], name: str) -> dict[str, Any]:
    """Run the loop once and return what it printed. Raises LoopError."""
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=LOOP_LIMIT_S,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (OSError, ValueError, IndexError, subprocess.TimeoutExpired) as error:
        said = "" if isinstance(error, OSError | subprocess.TimeoutExpired) else done.stderr[-2000:]
        raise LoopError(f"{name}: the loop gave no figure: {said or error}") from None
    return found


def line(pair: Pair) -> str:
    """Return a pair as a line of text."""
    suite = pair.suite
    return (
        f"{suite.item.id}: suite {suite.median:.4f} ms (cv {suite.cv:.2%}, {suite.rounds} rounds), "
        f"loop {pair.median:.4f} ms (cv {pair.cv:.2%}, {'graph' if pair.graph else 'no graph'}), "
        f"difference {pair.difference:+.2%}: {'agrees' if pair.holds else 'DOES NOT AGREE'}"
    )


def as_json(pair: Pair) -> dict[str, Any]:
    """Return a pair as a machine reads it; times in ms, shares as fractions."""
    return {
        "item": pair.suite.item.id,
        "suite_median_ms": pair.suite.median,
        "suite_cv": pair.suite.cv,
        "suite_rounds": pair.suite.rounds,
        "loop_median_ms": pair.median,
        "loop_cv": pair.cv,
        "loop_graph": pair.graph,
        "difference": pair.difference,
        "holds": pair.holds,
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
