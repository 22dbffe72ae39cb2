"""How often the same answer comes back: one long benchmark, cut into groups and judged again.

``python benchmarks/repeats.py --out DIR [--rounds 4]`` takes the output folder of a run with many
rounds (``examples/build-settings.toml`` has 80), cuts them into groups of consecutive rounds, and
lets the product judge each group as if it were a run of its own. A version against itself must
never be slower; a build that is slower must be found every time. Nothing is run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compat import analysis
from compat.analysis.latency import MIN_BLOCKS
from compat.records import read_records

Json = Mapping[str, Any]
_WORDS = ("holds", "slower", "faster", "inconclusive")


@dataclass
class Comparison:
    """One comparison over all groups: the words that were said, and the ratios."""

    kind: str
    name: str
    words: Counter[str] = field(default_factory=Counter)
    ratios: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it for machines; ratios are candidate / current, or variant / plain."""
        found = {"kind": self.kind, "name": self.name, "words": dict(self.words)}
        return found | {"ratios": self.ratios}


def repeats(plan: Json, records: Sequence[Json], size: int) -> tuple[list[Comparison], int, int]:
    """Judge every group of ``size`` consecutive rounds; return comparisons, groups, rounds left."""
    rounds = sorted({r["round"] for r in records if r.get("round") is not None})
    groups = [rounds[n : n + size] for n in range(0, len(rounds) - size + 1, size)]
    by_round: dict[int | None, list[Json]] = defaultdict(list)
    for record in records:
        by_round[record.get("round")].append(record)
    found: dict[tuple[str, str], Comparison] = {}
    for group in groups:
        own = [{**r, "round": at} for at, number in enumerate(group) for r in by_round[number]]
        for kind, name, word, ratio in _judged(analysis.compile(plan, [*by_round[None], *own])):
            comparison = found.setdefault((kind, name), Comparison(kind, name))
            comparison.words[word] += 1
            if ratio is not None:
                comparison.ratios.append(ratio)
    return list(found.values()), len(groups), len(rounds) - len(groups) * size


def _judged(results: analysis.Results) -> Iterator[tuple[str, str, str, float | None]]:
    """Yield what was said of each candidate's latency and of each variant, with its ratio."""
    table = results.table
    upgrades = table[(table["check"] == "latency") & (table["reference"] != "") & table["ran"]]
    for row in upgrades.to_dict("records"):
        word = {"pass": "holds", "fail": row["verdict_code"]}.get(row["verdict"], row["verdict"])
        ratio = None if row["ratio"] != row["ratio"] else row["ratio"]
        yield "upgrade", row["item"].removeprefix("latency/"), word, ratio
    for cost in results.variants:
        ratio = cost.interval.ratio if cost.interval else None
        yield "variant", cost.item["id"].removeprefix("latency/"), cost.word, ratio


def _table(comparisons: Sequence[Comparison]) -> Iterator[str]:
    width = max(len(c.name) for c in comparisons)
    others = sorted({w for c in comparisons for w in c.words} - set(_WORDS))
    words = (*_WORDS, *others)
    yield " ".join(["kind   ", "item".ljust(width), *words, "ratio: min, median, max"])
    for c in comparisons:
        counts = [str(c.words[word]).rjust(len(word)) for word in words]
        ratios = (min(c.ratios), median(c.ratios), max(c.ratios)) if c.ratios else ()
        spread = ", ".join(f"{ratio:.4f}" for ratio in ratios) or "none"
        yield " ".join([c.kind, c.name.ljust(width), *counts, spread])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print how many of the groups said what of each comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="a run's output folder")
    parser.add_argument("--rounds", type=int, default=MIN_BLOCKS, help="rounds of a group")
    parser.add_argument("--json", action="store_true", help="for machines")
    given = parser.parse_args(arguments)
    if given.rounds < MIN_BLOCKS:
        parser.error(f"fewer than {MIN_BLOCKS} rounds cannot be judged")
    plan = json.loads((given.out / "plan.json").read_text(encoding="utf-8"))
    records = list(read_records(given.out / "records.jsonl"))
    comparisons, groups, left = repeats(plan, records, given.rounds)
    if given.json:
        listed = [c.as_dict() for c in comparisons]
        print(json.dumps({"groups": groups, "left": left, "comparisons": listed}, indent=1))
        return 0
    print(f"{groups} groups of {given.rounds} consecutive rounds; {left} rounds left over")
    if comparisons:
        print("\n".join(_table(comparisons)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
