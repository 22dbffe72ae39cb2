"""Everything measured, ready to be judged: observations, drift and latency comparisons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compat.analysis import outputs, predictions
from compat.analysis.comparison import LatencyVerdict, compare_all
from compat.analysis.drift import Metrics
from compat.analysis.judgement import beyond_current, judge, label_limit
from compat.analysis.labels import worse_than_current
from compat.analysis.observations import Observation, Observations, Record, observe
from compat.analysis.predictions import Labelled
from compat.analysis.results import Judgement


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen, and each item compared with the same place in its current version."""

    plan: Mapping[str, Any]
    seen: Observations
    drift: outputs.Drift
    latency: Mapping[tuple[str, str], LatencyVerdict]
    references: Mapping[str, tuple[Observation, ...]]
    labelled: Labelled

    def judge(self, item: Observation, reference: Observation | None) -> Judgement:
        """Judge an item against one current item (or, with None, on its own)."""
        pair = (item.id, reference.id) if reference else ("", "")
        return judge(
            self.plan,
            item,
            self.drift.golden.get(item.id),
            self.drift.current.get(pair),
            self.latency.get(pair),
            (self.labelled.golden.get(item.id), self.labelled.current.get(pair)),
        )

    def for_table(self, item: Observation) -> Judgement:
        """Judge an item against the first upgrade's current item.

        Where nothing is documented a refused load is no failure, and then neither is what the same
        refusal kept from running: it is told once, by the load.
        """
        found = self.judge(item, self.primary(item))
        if found.verdict != "fail" or item.status != "refused":
            return found
        load = self.seen.by_place.get(("load", *item.cell, ""), {}).get(item.pair)
        if load is None or load.status != "refused" or self.judge(load, None).verdict != "info":
            return found
        return Judgement("info", item.message, code=item.reason)

    def primary(self, item: Observation) -> Observation | None:
        """The current item that the table compares with: that of the first upgrade in the plan."""
        found = self.references.get(item.id, ())
        return found[0] if found else None

    def worsened(self, item: Observation, reference: Observation) -> bool:
        """Whether an item is beyond its limits from the current version, whatever golden says."""
        pair = (item.id, reference.id)
        if item.check == predictions.CHECK:
            limit = label_limit(self.plan, item)
            return worse_than_current(self.labelled.current.get(pair), limit)
        moved = self.drift.current.get(pair)
        return moved is not None and beyond_current(self.plan, item, moved)

    def moved(self, item: Observation, reference: Observation) -> Metrics | None:
        """Metrics of an item against that of the current version."""
        return self.drift.current.get((item.id, reference.id))


def gather(
    plan: Mapping[str, Any],
    records: Iterable[Record],
    *,
    work: Path | None,
    cache: Path | None,
) -> Evidence:
    """Read the records, compare outputs and rounds of every upgrade in the plan."""
    seen = observe(plan, records)
    references = _references(plan, seen)
    drift = outputs.measure(plan, seen, references, work=work, cache=cache)
    pairs = [
        (seen.by_id[item], reference)
        for item, found in references.items()
        if seen.by_id[item].check == "latency"
        for reference in found
    ]
    labelled = predictions.measure(plan, seen, references, work=work)
    return Evidence(plan, seen, drift, compare_all(plan, pairs), references, labelled)


def _references(plan: Mapping[str, Any], seen: Observations) -> dict[str, tuple[Observation, ...]]:
    """For an upgrade A to B: [A, A] for the items of [A, B] and of [B, B]."""
    found: dict[str, tuple[Observation, ...]] = {}
    for upgrade in plan["upgrades"]:
        current, candidate = upgrade["from"], upgrade["to"]
        for pairs in seen.by_place.values():
            reference = pairs.get((current, current))
            for pair in ((current, candidate), (candidate, candidate)):
                item = pairs.get(pair)
                if item is not None and reference is not None:
                    found[item.id] = (*found.get(item.id, ()), reference)
    return found
