"""Does it matter where an engine lies in the GPU's memory? The same engine, loaded many times.

``python benchmarks/placement.py ENGINE FEEDS.npz [--loads 8] [--path DEPS]`` runs inside a target
environment. It times the engine with the independent loop of ``event_loop.py``, one process after
the other: as it is loaded first ("fresh"), behind so many MiB of other memory ("padded"), and again
and again in one process ("reloaded"; the loop keeps stream, graph, inputs and outputs of the
loads before). One JSON line for each way: the medians in ms, and by how much the largest is above
the smallest. What is equal in "fresh" and unequal in the others is no noise of the clock.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import event_loop

# Odd sizes, so that what comes behind them begins at ever other places.
PADS_MIB = (2, 6, 14, 34, 70, 130, 258, 514, 1030, 2050, 4098, 8194)


def main(argv: Sequence[str]) -> int:
    """Measure and print each way; return 0, or 2 where it cannot be measured here."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engine")
    parser.add_argument("feeds", help=".npz, one array per input")
    parser.add_argument("--loads", type=int, default=8, help="of each way")
    parser.add_argument("--seconds", type=float, default=0.4, help="time of one loop")
    parser.add_argument("--path", action="append", default=[], help="a folder that holds numpy")
    parser.add_argument("--once", type=int, nargs=2, metavar=("LOADS", "MIB"), help="one process")
    asked = parser.parse_args(argv)
    sys.path.extend(asked.path)
    if asked.once:
        for median in reloaded(asked, *asked.once):
            print(json.dumps(median), flush=True)
        return 0
    for way, runs in (
        ("fresh", [(1, 0)] * asked.loads),
        ("padded", [(1, pad) for pad in PADS_MIB[: asked.loads]]),
        ("reloaded", [(asked.loads, 0)]),
    ):
        medians: list[float] = []
        for loads, pad in runs:
            command = [sys.executable, __file__, *argv, "--once", str(loads), str(pad)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                return 2
            medians += map(float, done.stdout.split())
        spread = max(medians) / min(medians) - 1
        shown = {"way": way, "medians_ms": [round(one, 4) for one in medians]}
        print(json.dumps({**shown, "spread": round(spread, 4)}), flush=True)
    return 0


def reloaded(asked: argparse.Namespace, loads: int, pad: int) -> Iterator[float]:
    """Load and time the engine so often in this process, behind `pad` MiB of other memory."""
    runtime = event_loop.Runtime(event_loop.find_cudart(sys.path))
    if pad:
        runtime.memory(pad << 20)
    options = ["--seconds", str(asked.seconds), "--warmup", "0.3"]
    one = event_loop.arguments([asked.engine, asked.feeds, *options])
    for _ in range(loads):
        yield float(event_loop.measure(one)["median_ms"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
