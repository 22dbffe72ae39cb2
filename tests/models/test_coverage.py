"""A calibration set of the wrong distribution is told before anything is quantized."""

from __future__ import annotations

import numpy as np
import pytest

from compat.models.coverage import compare, problems

RNG = np.random.default_rng(0)


def _images(low: float = 0.0, high: float = 1.0, count: int = 64) -> dict[str, np.ndarray]:
    return {"x": RNG.uniform(low, high, (count, 3, 16, 16)).astype(np.float32)}


def test_a_set_of_the_same_distribution_covers_it() -> None:
    found = compare([_images()], [_images()])

    assert found["x"]["overlap"] > 0.9
    assert problems(found) == []


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        ({"x": RNG.standard_normal((64, 3, 16, 16)).astype(np.float32)}, "times as wide"),
        (_images(0.0, 0.5), "outside its range"),
        (_images(0.0, 0.01), "histograms share only"),
    ],
    ids=["noise", "dark", "black"],
)
def test_a_set_of_another_distribution_is_told(
    calibration: dict[str, np.ndarray], words: str
) -> None:
    (said,) = problems(compare([calibration], [_images()]))

    assert words in said
    assert "'x'" in said


def test_the_worst_channel_counts() -> None:
    shifted = _images()
    shifted["x"][:, 2] += 5

    assert problems(compare([shifted], [_images()]))


def test_constant_inputs_are_equal_and_whole_numbers_are_not_compared() -> None:
    zeros = {"x": np.zeros((2, 3), np.float32), "ids": np.zeros((2, 3), np.int64)}

    assert compare([zeros], [zeros])["x"]["overlap"] == 1.0
    assert list(compare([zeros], [zeros])) == ["x"]
