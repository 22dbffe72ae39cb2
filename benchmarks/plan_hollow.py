"""Keep of real plans only the bytes that ``trt-compat inspect`` reads, for its tests.

``python benchmarks/plan_hollow.py OUT/* --into tests/engine/data/variations.json.gz`` takes the
folders that ``plan_variations.py`` wrote. Each plan becomes its length, what was asked of it and
the pieces that were read, as they are; the tests write them back to their places, with holes
between. Where the reader learns to read more, this has to run again over the plans.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compat.engine.bounded import Bounded
from compat.engine.plan_file import layout_at, read_plan


class _Recorder(Bounded):
    """A file that remembers which of its bytes were asked for."""

    def __init__(self, path: Path) -> None:
        """Open it; the first bytes, which are always read, do not count."""
        self.asked: set[tuple[int, int]] = set()
        super().__init__(path)
        self.asked.clear()

    def at(self, place: int, count: int) -> bytes:
        """Return the bytes and remember the place."""
        data = super().at(place, count)
        self.asked.add((place, place + count))
        return data


def main() -> int:
    """Write the pieces of every plan into one file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--into", required=True, type=Path)
    asked = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(one for folder in asked.folders for one in folder.glob("*.engine")):
        version, plan = _hollow(path)
        found.setdefault(version, {})[path.stem] = plan
    text = json.dumps(found, indent=0, sort_keys=True)
    asked.into.write_bytes(gzip.compress(text.encode("ascii"), 9, mtime=0))
    print(f"{sum(map(len, found.values()))} plans, {asked.into.stat().st_size:,} bytes")
    return 0


def _hollow(path: Path) -> tuple[str, dict[str, Any]]:
    with _Recorder(path) as source:
        layout = layout_at(source, 0)
        if layout is None:
            raise SystemExit(f"{path} is no plan")
        plan = read_plan(source, layout, 0, source.size)
        if plan.problems:
            raise SystemExit(f"{path}: {plan.problems[0]}")
        spans = _joined(source.asked)
    data = path.read_bytes()
    pieces = [[at, base64.b64encode(data[at:end]).decode("ascii")] for at, end in spans]
    claims = json.loads(path.with_name(path.name + ".json").read_text(encoding="utf-8"))
    return plan.version, {"asked": claims["variation"], "bytes": len(data), "pieces": pieces}


def _joined(spans: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans without their overlaps."""
    joined: list[tuple[int, int]] = []
    for at, end in sorted(spans):
        if joined and at <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > at:
            joined.append((at, end))
    return joined


if __name__ == "__main__":
    raise SystemExit(main())
