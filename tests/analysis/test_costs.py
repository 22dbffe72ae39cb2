"""What a variant costs beside the plain engine, and that no gate looks at it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compat import analysis
from compat.analysis.results import VariantCost
from tests import builders

OWN, OTHER = "trt-8.6", "trt-8.7"
BASE = 0.02


def _target(name: str, version: str = "8.6.0", **build: Any) -> dict[str, Any]:
    return {**builders.target(name), "version": version, "build": build}


def _timed(name: str, variant: str, seed: int, **changes: Any) -> list[tuple[Any, list[Any]]]:
    """One engine's build and latency items with their records."""
    build = builders.item("build", "resnet50", "fp16", name, name, None, variant)
    built = builders.build_record(build, 1)
    built["numbers"] |= {"engine_bytes": changes.pop("size", 100), "build_s": 10.0}
    latency = builders.item("latency", "resnet50", "fp16", name, name, "opt", variant)
    return [(build, [built]), (latency, builders.rounds_of(latency, seed, base=BASE, **changes))]


def _compiled(
    targets: list[dict[str, Any]], engines: list[tuple[Any, list[Any]]], **plan: Any
) -> analysis.Results:
    items = [item for item, _ in engines]
    records = [record for _, found in engines for record in found]
    return analysis.compile(builders.plan(items, targets, [], **plan), records)


def _cost(factor: float = 1.0, **plan: Any) -> VariantCost:
    variant = _timed(OWN, "hc-ampere-plus", 2, size=150)
    for record in variant[1][1]:
        record["numbers"]["median_s"] *= factor
        record["numbers"]["load_s"] = 0.8
    (cost,) = _compiled([_target(OWN)], [*_timed(OWN, "plain", 1), *variant], **plan).variants
    return cost


@pytest.mark.parametrize(
    ("factor", "word"), [(1.0, "holds"), (1.2, "slower"), (0.8, "faster"), (1.05, "inconclusive")]
)
def test_a_variant_is_held_against_its_plain_engine(factor: float, word: str) -> None:
    cost = _cost(factor)

    assert (cost.word, cost.plain) == (word, OWN)
    assert cost.interval is not None
    assert cost.interval.low < cost.interval.ratio < cost.interval.high
    assert cost.interval.ratio == pytest.approx(factor, rel=0.01)
    assert (cost.size_ratio, cost.build_ratio, cost.load_ratio) == (1.5, 1.0, 2.0)


def test_a_slow_variant_stops_no_gate() -> None:
    """It was asked for: its price is information."""
    plain, slow = _timed(OWN, "plain", 1), _timed(OWN, "vc", 2)
    for record in slow[1][1]:
        record["numbers"]["median_s"] *= 3

    results = _compiled([_target(OWN)], [*plain, *slow])

    assert results.variants[0].word == "slower"
    assert "fail" not in set(results.table["verdict"])
    assert results.gate.value != "fail"


def test_a_quick_run_judges_no_variant() -> None:
    cost = _cost(gate={"inconclusive": "stop", "not-run": "stop", "judge-latency": False})

    assert cost.word == "not-judged"
    assert cost.interval is not None


@pytest.mark.parametrize(
    ("other", "plain"),
    [
        (_target(OTHER), OTHER),
        (_target(OTHER, version="8.6.1"), ""),
        (_target(OTHER, workspace=2**26), ""),
    ],
    ids=["same release", "another release", "another workspace"],
)
def test_the_plain_engine_may_be_another_targets_of_the_same_release(
    other: dict[str, Any], plain: str
) -> None:
    """Else the difference would be that of the releases or of the builder's settings."""
    engines = [*_timed(OTHER, "plain", 1), *_timed(OWN, "vc", 2)]

    (cost,) = _compiled([_target(OWN), other], engines).variants

    assert cost.plain == plain
    assert (cost.word == "not-compared") == (plain == "")


def test_the_plain_engine_of_the_same_target_goes_first() -> None:
    engines = [*_timed(OTHER, "plain", 1), *_timed(OWN, "plain", 3), *_timed(OWN, "vc", 2)]

    (cost,) = _compiled([_target(OTHER), _target(OWN)], engines).variants

    assert cost.plain == OWN


def test_rounds_of_different_days_are_no_pairs() -> None:
    plain, variant = _timed(OWN, "plain", 1), _timed(OWN, "vc", 2)
    for record in variant[1][1]:
        record["started"] = (datetime.now(UTC) - timedelta(days=1)).isoformat()

    (cost,) = _compiled([_target(OWN)], [*plain, *variant]).variants

    assert cost.word == "inconclusive"
    assert "not interleaved" in cost.reason


def test_an_unstable_variant_is_called_by_its_name() -> None:
    engines = [*_timed(OWN, "plain", 1), *_timed(OWN, "vc", 2, spread=0.5)]

    (cost,) = _compiled([_target(OWN)], engines).variants

    assert (cost.word, "unstable variant" in cost.reason) == ("inconclusive", True)
