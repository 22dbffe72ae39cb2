"""Drift metrics: known values, bad values, and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial import distance

from compat.analysis import drift

FINITE = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=12),
    elements=st.floats(-1e3, 1e3, width=32),
)


@settings(deadline=None)
@given(FINITE)
def test_a_tensor_does_not_drift_from_itself(tensor: drift.Array) -> None:
    found = drift.compare_tensor(tensor, tensor)
    assert found["cosine"] == pytest.approx(1.0)
    assert found["relative_l2"] == 0.0
    assert found["max_abs"] == 0.0
    assert found["sqnr_db"] == math.inf
    assert found["constant"] == 0.0
    assert found.get("top1_agreement", 1.0) == 1.0


@settings(deadline=None)
@given(FINITE, st.floats(0.5, 4))
def test_cosine_does_not_see_scale_but_relative_l2_does(tensor: drift.Array, factor: float) -> None:
    scaled = tensor.astype(np.float64) * factor
    found = drift.compare_tensor(scaled, tensor)
    assert found["cosine"] == pytest.approx(1.0)
    if (np.linalg.norm(tensor.reshape(len(tensor), -1), axis=1) > 1e-3).any():
        assert found["relative_l2"] == pytest.approx(abs(factor - 1), abs=1e-6)


def test_metrics_are_those_of_scipy_and_of_the_definition() -> None:
    draw = np.random.default_rng(0)
    b = draw.normal(size=(1, 50))
    a = b + draw.normal(0, 0.1, size=(1, 50))
    found = drift.compare_tensor(a, b)
    noise = np.linalg.norm(a - b) / np.linalg.norm(b)
    assert found["cosine"] == pytest.approx(1 - distance.cosine(a[0], b[0]))
    assert found["relative_l2"] == pytest.approx(noise)
    assert found["sqnr_db"] == pytest.approx(10 * np.log10((b**2).sum() / ((a - b) ** 2).sum()))
    assert found["max_abs"] == pytest.approx(np.abs(a - b).max())


def test_one_broken_row_of_sixteen_is_the_value() -> None:
    b = np.random.default_rng(0).normal(size=(16, 40))
    a = b.copy()
    a[7] = -b[7]
    found = drift.compare_tensor(a, b)
    assert found["cosine"] == pytest.approx(-1.0)
    assert found["relative_l2"] == pytest.approx(2.0)


def test_nan_is_counted_and_makes_the_metrics_nan() -> None:
    b = np.ones((2, 12))
    a = b.copy()
    a[1, 3] = np.nan
    found = drift.compare_tensor(a, b)
    assert found["nan"] == 1
    assert math.isnan(found["cosine"])
    assert math.isnan(found["relative_l2"])


def test_infinities_are_counted() -> None:
    b = np.ones((1, 4))
    a = np.array([[np.inf, -np.inf, 1, 1]])
    assert drift.compare_tensor(a, b)["inf"] == 2


def test_half_precision_sums_do_not_overflow() -> None:
    tensor = np.full((1, 1000), 60_000, dtype=np.float16)
    assert drift.compare_tensor(tensor, tensor)["cosine"] == pytest.approx(1.0)


def test_a_zero_row_against_a_signal_is_no_agreement() -> None:
    found = drift.compare_tensor(np.zeros((1, 4)), np.ones((1, 4)))
    assert found["cosine"] == 0.0
    assert found["relative_l2"] == 1.0
    assert drift.compare_tensor(np.ones((1, 4)), np.zeros((1, 4)))["relative_l2"] == math.inf


def test_equal_rows_for_different_inputs_are_a_constant_output() -> None:
    b = np.arange(24.0).reshape(2, 12)
    assert drift.compare_tensor(np.ones((2, 12)), b)["constant"] == 1.0
    assert drift.compare_tensor(np.ones((1, 12)), b[:1])["constant"] == 0.0
    assert drift.compare_tensor(np.ones((2, 12)), np.ones((2, 12)) * 2)["constant"] == 0.0


def test_top_agreement_is_for_classes_only() -> None:
    assert "top1_agreement" not in drift.compare_tensor(np.ones((2, 9)), np.ones((2, 9)))
    assert "top1_agreement" not in drift.compare_tensor(np.ones((2, 3, 20)), np.ones((2, 3, 20)))


def test_top_agreement_counts_rows_whose_winner_is_among_the_best() -> None:
    b = np.tile(np.arange(12.0), (4, 1))
    a = b.copy()
    a[0, 11] = 10.5  # still first
    a[1, 11] = 9.5  # third
    a[2, 11] = 1.5  # not among five
    found = drift.compare_tensor(a, b)
    assert found["top1_agreement"] == 0.5
    assert found["top5_agreement"] == 0.75


def test_the_worst_output_is_the_value() -> None:
    good, bad = np.ones((1, 4)), np.array([[1.0, 1.0, 1.0, -1.0]])
    found = drift.compare({"a": good, "b": bad}, {"a": good, "b": good})
    assert found["cosine"] == pytest.approx(0.5)
    assert found["mismatch"] == 0


def test_absent_and_reshaped_outputs_are_mismatches() -> None:
    a = {"x": np.ones((1, 4)), "extra": np.ones(1)}
    b = {"x": np.ones((2, 4)), "gone": np.ones(1)}
    assert drift.compare(a, b)["mismatch"] == 3


def test_integer_outputs_and_empty_outputs_are_compared() -> None:
    tokens = np.array([[1, 2], [3, 4]], dtype=np.int64)
    assert drift.compare_tensor(tokens, tokens)["max_abs"] == 0
    assert "cosine" not in drift.compare_tensor(np.ones((0, 4)), np.ones((0, 4)))


def test_nan_in_one_output_is_the_worst() -> None:
    a = {"x": np.array([[np.nan, 1.0]]), "y": np.ones((1, 2))}
    b = {"x": np.ones((1, 2)), "y": np.ones((1, 2))}
    found = drift.compare(a, b)
    assert math.isnan(found["cosine"])
    assert found["nan"] == 1


def test_ties_go_to_the_lower_class_on_both_sides() -> None:
    tied = np.zeros((2, 20))
    assert drift.top_agreement(tied, tied, 1) == 1.0
    assert drift.top_agreement(tied, tied, 5) == 1.0
