"""Statistics of right and wrong, against statsmodels and SciPy, and what they mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar as oracle
from statsmodels.stats.proportion import proportion_confint

from compat.analysis.labels import (
    Comparison,
    compare,
    judge,
    mcnemar,
    wilson,
    worse_than_current,
)

NUMBERS = {"n": 10_000, "correct": 9_300}


@pytest.mark.parametrize(("right", "items"), [(0, 20), (19, 20), (9320, 10_000), (5, 5)])
def test_wilson_is_that_of_statsmodels(right: int, items: int) -> None:
    assert wilson(right, items) == pytest.approx(
        proportion_confint(right, items, method="wilson"), abs=1e-12
    )


def test_nothing_measured_may_be_anything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_exact(lost: int, gained: int) -> None:
    expected = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0

    assert mcnemar(lost, gained) == pytest.approx(expected, rel=1e-9)


def test_mcnemar_is_that_of_statsmodels_and_quick_for_large_counts() -> None:
    assert mcnemar(31, 12) == pytest.approx(oracle([[900, 31], [12, 57]], exact=True).pvalue)
    assert 0 < mcnemar(5200, 4800) < 1e-3


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (0.002, 0.002), (0.03, 0.01)])
def test_the_interval_of_the_loss_covers_the_truth(a: float, b: float) -> None:
    """Nominal 95 %, for 500 items and 2,000 draws."""
    draws = np.random.default_rng(1).multinomial(500, [a, b, 1 - a - b], 2_000)
    intervals = [Comparison(500, int(lost), int(gained)).interval for lost, gained, _ in draws]
    inside = np.mean([low <= a - b <= high for low, high in intervals])

    assert inside >= 0.94


def test_predictions_are_compared_by_the_items_that_only_one_has_right() -> None:
    labels = np.array([0, 1, 2, 3])

    assert compare(np.array([0, 0, 2, 0]), np.array([0, 1, 0, 3]), labels) == Comparison(4, 2, 1)
    assert compare(np.array([0]), labels, labels) is None


@pytest.mark.parametrize(
    ("golden", "current", "limit", "verdict", "code"),
    [
        (Comparison(10_000, 20, 15), None, 0.01, "pass", ""),
        (Comparison(10_000, 250, 50), None, 0.01, "fail", "top1-loss"),
        (Comparison(10_000, 20, 15), Comparison(10_000, 250, 50), 0.01, "fail", "top1-loss"),
        (Comparison(20, 1, 0), None, 0.01, "inconclusive", "top1-unclear"),
        (Comparison(500, 12, 5), None, 0.01, "inconclusive", "top1-unclear"),
        (Comparison(10_000, 250, 50), None, None, "info", "no-limit"),
        (None, None, 0.01, "inconclusive", "no-outputs"),
    ],
)
def test_a_loss_is_judged_by_limit_and_significance(
    golden: Comparison | None,
    current: Comparison | None,
    limit: float | None,
    verdict: str,
    code: str,
) -> None:
    found = judge(NUMBERS, limit, golden, current)

    assert (found.verdict, found.code) == (verdict, code)


def test_scores_that_are_no_numbers_fail_whatever_the_limit() -> None:
    found = judge({**NUMBERS, "not_a_number": 1}, None, Comparison(10_000, 0, 0), None)

    assert (found.verdict, found.code) == ("fail", "nan")


def test_a_gain_is_no_loss() -> None:
    assert judge(NUMBERS, 0.0, Comparison(10_000, 10, 300), None).verdict == "pass"


def test_only_a_judged_comparison_can_be_worse() -> None:
    assert worse_than_current(Comparison(10_000, 250, 50), 0.01)
    assert not worse_than_current(Comparison(10_000, 250, 50), None)
    assert not worse_than_current(None, 0.01)
