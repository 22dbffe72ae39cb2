"""Student's t against SciPy."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from compat.analysis import student


@settings(deadline=None)
@given(st.floats(-60, 60), st.integers(1, 200))
def test_upper_tail_is_that_of_scipy(t: float, freedom: int) -> None:
    assert student.upper_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), rel=1e-8)


@pytest.mark.parametrize("probability", [0.6, 0.9, 0.975, 0.9999])
@pytest.mark.parametrize("freedom", [1, 2, 3, 5, 11, 100])
def test_quantile_is_that_of_scipy(probability: float, freedom: int) -> None:
    expected = stats.t.ppf(probability, freedom)
    assert student.quantile(probability, freedom) == pytest.approx(expected, rel=1e-9)


def test_infinite_t_has_no_tail() -> None:
    assert student.upper_tail(float("inf"), 3) == 0.0
    assert student.upper_tail(float("-inf"), 3) == 1.0
