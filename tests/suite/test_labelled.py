"""A labelled set through an engine: batches as the profile allows, one answer per item."""

from __future__ import annotations

import numpy as np
import pytest

from compat.suite.labelled import Arrays, classify, tally
from compat.suite.outcome import Failed

LABELS = np.arange(10) % 4


class Engine:
    """Gives item i the class i % 4; remembers the batches that it was fed."""

    def __init__(self, classes: int = 6) -> None:
        self.fed: list[Arrays] = []
        self.classes = classes

    def __call__(self, feeds: Arrays) -> Arrays:
        self.fed.append(feeds)
        x = np.asarray(feeds["x"], np.float32)
        scores = -np.abs(np.arange(self.classes) - x % 4)
        return {"features": x, "scores": scores.astype(np.float32)}


def _set(**more: np.ndarray) -> Arrays:
    return {"x": np.arange(10, dtype=np.float32)[:, None], "labels": LABELS, **more}


def test_the_last_batch_is_as_small_as_it_may_be() -> None:
    """Items that only fill a batch up are cut off again."""
    engine = Engine()
    found = classify(engine, _set(), 3, 4)

    assert [len(feeds["x"]) for feeds in engine.fed] == [4, 4, 3]
    assert found["top5"].shape == (10, 5)
    assert tally(found["top5"], LABELS) == {
        "n": 10,
        "correct": 10,
        "top1": 1.0,
        "top5": 1.0,
        "not_a_number": 0,
    }
    assert (found["margin"] == 1).all()


def test_an_engine_with_a_fixed_batch_is_always_filled() -> None:
    engine = Engine()
    classify(engine, _set(), 16, 16)

    assert [len(feeds["x"]) for feeds in engine.fed] == [16]


def test_whole_numbers_are_divided_in_the_divisors_type() -> None:
    """Exactly as the golden run does it: a product with 1 / 255 rounds otherwise."""
    engine = Engine()
    pixels = np.arange(10, dtype=np.uint8)[:, None]
    classify(engine, {"x": pixels, "labels": LABELS, "divisor": np.array(255, np.float32)}, 1, 10)

    assert engine.fed[0]["x"].dtype == np.float32
    assert (engine.fed[0]["x"] == pixels.astype(np.float32) / np.float32(255)).all()


def test_a_score_that_is_no_number_is_wrong_and_counted() -> None:
    arrays = _set()
    arrays["x"][2] = np.nan
    found = classify(Engine(), arrays, 1, 4)

    assert tally(found["top5"], LABELS)["not_a_number"] == 1
    assert tally(found["top5"], LABELS)["correct"] == 9


def test_a_network_without_scores_is_told() -> None:
    """Three scores cannot name class 3."""
    with pytest.raises(Failed, match="scores \\[10, 3\\]"):
        classify(Engine(classes=3), _set(), 1, 16)
