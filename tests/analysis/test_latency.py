"""The latency statistics against oracles, and their error rates by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from compat.analysis import latency
from compat.analysis.latency import Floats

PAIRS = 2_000


def simulated_medians(
    draw: np.random.Generator, cells: int, blocks: int, noise: float
) -> tuple[Floats, Floats]:
    """Block medians of two equal versions: 50 autocorrelated enqueues a block, 10 % of the
    blocks disturbed by something else on the machine, and a slow drift that both share.
    """
    shape = (2, cells, blocks, 50)
    enqueues = draw.normal(0, noise, shape)
    for i in range(1, shape[-1]):
        enqueues[..., i] = 0.9 * enqueues[..., i - 1] + enqueues[..., i] * np.sqrt(1 - 0.81)
    levels = draw.normal(0, noise, shape[:-1])
    disturbed = draw.random(shape[:-1]) < 0.1
    levels += disturbed * draw.exponential(3 * noise, shape[:-1])
    drift = np.cumsum(draw.normal(0, noise, (cells, blocks)), axis=1)
    medians = np.exp(np.median(enqueues, axis=-1) + levels + drift)
    return medians[0], medians[1]


@pytest.mark.parametrize("blocks", [4, 5, 8, 12])
def test_equal_versions_are_called_slower_less_than_nominal(blocks: int) -> None:
    """With a band of zero the lower limit may exceed 1 in 2.5 % of cells; 5 % is the bar."""
    draw = np.random.default_rng(blocks)
    current, candidate = simulated_medians(draw, PAIRS, blocks, 0.02)
    logs = list(np.log(candidate / current))
    found = latency.intervals(logs, band=0.0)
    wrong = sum(1 for i in found if i is not None and i.low > 1.0)
    assert wrong / PAIRS <= 0.03
    misses = sum(1 for i in found if i is not None and not i.low <= 1.0 <= i.high)
    assert misses / PAIRS <= 0.055


def test_the_bootstrap_alone_would_be_too_narrow() -> None:
    """Why the interval is a hull: percentile limits over 5 blocks miss twice as often."""
    draw = np.random.default_rng(5)
    current, candidate = simulated_medians(draw, PAIRS, 5, 0.02)
    logs = np.log(candidate / current)
    picks = draw.integers(0, 5, (1_000, 5))
    low, high = np.quantile(logs[:, picks].mean(axis=2), [0.025, 0.975], axis=1)
    assert np.mean((low > 0) | (high < 0)) > 0.1


def test_a_regression_well_beyond_the_band_is_found() -> None:
    draw = np.random.default_rng(1)
    current, candidate = simulated_medians(draw, 200, 8, 0.005)
    found = latency.intervals(list(np.log(candidate * 1.15 / current)), band=0.05)
    assert np.mean([i is not None and i.low > 1.05 for i in found]) > 0.95


def test_the_interval_is_never_narrower_than_that_of_t() -> None:
    logs = np.log(np.array([1.02, 0.99, 1.01, 1.05, 1.0]))
    (found,) = latency.intervals([logs], band=0.05)
    assert found is not None
    low, high = stats.t.interval(0.95, 4, loc=logs.mean(), scale=stats.sem(logs))
    assert found.low <= np.exp(low) + 1e-12
    assert found.high >= np.exp(high) - 1e-12
    assert found.ratio == pytest.approx(stats.gmean(np.exp(logs)))


def test_p_is_at_least_that_of_a_one_sided_t_test() -> None:
    logs = np.log(np.array([1.12, 1.09, 1.11, 1.15, 1.10]))
    (found,) = latency.intervals([logs], band=0.05)
    expected = stats.ttest_1samp(logs, np.log(1.05), alternative="greater").pvalue
    assert found is not None
    assert found.p == pytest.approx(expected)


def test_the_same_rounds_give_the_same_interval() -> None:
    logs = [np.log(np.array([1.0, 1.1, 0.9, 1.2]))]
    assert latency.intervals(logs, 0.05) == latency.intervals(logs, 0.05)


def test_equal_rounds_give_a_point() -> None:
    (found,) = latency.intervals([np.zeros(5)], band=0.05)
    assert found == latency.Interval(5, 1.0, 1.0, 1.0, 1.0)


def test_a_single_round_gives_no_interval() -> None:
    assert latency.intervals([np.zeros(1), np.zeros(0)], band=0.05) == [None, None]


def test_only_rounds_of_both_sides_are_paired() -> None:
    logs = latency.paired_log_ratios({1: 1.0, 2: 2.0, 4: 1.0}, {2: 4.0, 1: 1.0, 3: 9.0})
    assert logs.tolist() == pytest.approx([0.0, np.log(2)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    expected = multipletests(p, method="holm")[1]
    assert latency.holm(p) == pytest.approx(expected)


def test_holm_of_nothing_is_nothing() -> None:
    assert latency.holm([]).tolist() == []


def test_the_noise_floor_grows_with_the_noise_and_not_with_a_slow_drift() -> None:
    draw = np.random.default_rng(3)
    noise = draw.normal(0, 0.01, 12)
    calm = latency.noise_floor(dict(enumerate(np.exp(noise))))
    loud = latency.noise_floor(dict(enumerate(np.exp(4 * noise))))
    drifting = latency.noise_floor(dict(enumerate(np.exp(noise + np.linspace(0, 0.02, 12)))))
    assert calm is not None
    assert loud is not None
    assert drifting is not None
    assert 3.5 * calm < loud
    assert drifting < 1.5 * calm


@pytest.mark.parametrize("rounds", [4, 5, 6, 8, 12])
def test_the_noise_floor_holds_95_of_100_equal_comparisons(rounds: int) -> None:
    """The floor promises how far a comparison of a version with itself may lie from 1."""
    draw = np.random.default_rng(rounds)
    noise = draw.normal(0, 0.01, (PAIRS, 3, rounds))
    inside = 0
    for own, current, candidate in noise:
        floor = latency.noise_floor(dict(enumerate(np.exp(own))))
        assert floor is not None
        inside += bool(abs((candidate - current).mean()) <= np.log1p(floor))
    assert inside / PAIRS == pytest.approx(0.95, abs=0.015)


def test_the_percentiles_are_those_of_numpy() -> None:
    rows = np.random.default_rng(6).normal(0, 1, (7, 10_000))
    expected = np.quantile(rows, [0.025, 0.975], axis=1)
    assert np.array(latency._percentiles(rows, 0.025)) == pytest.approx(expected)


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_few_rounds_have_no_noise_floor(rounds: int) -> None:
    assert latency.noise_floor(dict.fromkeys(range(rounds), 1.0)) is None


def test_variation_is_the_median_share_over_rounds() -> None:
    assert latency.variation([1.0, 2.0, 1.0], [0.1, 0.1, 0.5]) == pytest.approx(0.1)
    assert latency.variation([], []) is None
