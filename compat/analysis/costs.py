"""What a variant costs: each one against the plain engine of the same release and settings.

Both were timed in the same interleaved rounds. Information for the reader: no gate looks at it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, Final

from compat.analysis.comparison import LatencyVerdict, Names, compare_all
from compat.analysis.observations import Observation, Observations
from compat.analysis.results import CostWord, VariantCost

PLAIN: Final = "plain"
VARIANT: Final = Names("variant", "plain engine", "the plain engine")


def variant_costs(plan: Mapping[str, Any], seen: Observations) -> tuple[VariantCost, ...]:
    """Compare every variant that was timed where it was built, in the plan's order."""
    timed = [o for o in seen.by_id.values() if o.is_timed_at_home and o.item["variant"] != PLAIN]
    plain = {o.id: plain_beside(plan, seen, o) for o in timed}
    pairs = [(o, reference) for o in timed if (reference := plain[o.id]) is not None]
    verdicts = compare_all(plan, pairs, VARIANT)
    band = float(plan["limits"]["latency"])
    return tuple(_cost(seen, o, plain[o.id], verdicts, band) for o in timed)


def plain_beside(
    plan: Mapping[str, Any], seen: Observations, item: Observation
) -> Observation | None:
    """The plain engine beside a variant: of its own target, else of one that builds alike."""
    targets = {t["name"]: t for t in plan["targets"]}
    own = targets[item.item["builder"]]
    place = (item.check, *item.cell[:3], PLAIN, item.item.get("point") or "")
    beside = seen.by_place.get(place, {})
    found = [o for o in beside.values() if o.is_timed_at_home]
    alike = [o for o in found if _builds(targets[o.item["builder"]]) == _builds(own)]
    return next((o for o in alike if o.pair == item.pair), next(iter(alike), None))


def _builds(target: Mapping[str, Any]) -> tuple[Any, ...]:
    return target["flavour"], target["version"], target.get("build") or {}


def _cost(
    seen: Observations,
    item: Observation,
    plain: Observation | None,
    verdicts: Mapping[tuple[str, str], LatencyVerdict],
    band: float,
) -> VariantCost:
    if plain is None:
        reason = "no plain engine of the same release was timed beside it"
        return VariantCost(item.item, "", "not-compared", reason)
    verdict = verdicts[item.id, plain.id]
    return VariantCost(
        item.item,
        plain.item["builder"],
        _word(verdict, band),
        verdict.reason,
        verdict.interval,
        _quotient(_built(seen, item, "engine_bytes"), _built(seen, plain, "engine_bytes")),
        _quotient(_built(seen, item, "build_s"), _built(seen, plain, "build_s")),
        _quotient(_load_s(item), _load_s(plain)),
    )


def _word(verdict: LatencyVerdict, band: float) -> CostWord:
    """The word of the latency verdict, and ``faster`` where it gains more than the band."""
    gained = verdict.interval is not None and verdict.interval.high < 1 / (1 + band)
    return "faster" if verdict.word == "holds" and gained else verdict.word


def _quotient(above: float | None, below: float | None) -> float | None:
    return above / below if above and below else None


def _built(seen: Observations, item: Observation, number: str) -> float | None:
    """A number of the build that an item's engine comes from."""
    builder = item.item["builder"]
    build = seen.by_place.get(("build", *item.cell, ""), {}).get((builder, builder))
    found = ((build.record if build else None) or {}).get("numbers", {}).get(number)
    return None if found is None else float(found)


def _load_s(item: Observation) -> float | None:
    """Median over rounds: every block of a benchmark loads its engine anew."""
    return median(values) if (values := list(numbers(item, "load_s"))) else None


def numbers(item: Observation, name: str) -> Iterator[float]:
    """Yield one number of each round that has it."""
    for record in item.rounds.values():
        if (value := record["numbers"].get(name)) is not None:
            yield float(value)
