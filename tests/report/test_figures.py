"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from compat.report import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1.0, "1.00"), (12.34, "12.3"), (0.01234, "0.0123"), (1.5e-6, "1.5e-06"),
     (1234.5, "1,234"), (math.inf, "∞"), (-math.inf, "-∞"), (math.nan, figures.DASH),
     (None, figures.DASH), (99.99, "100")],
)  # fmt: skip
def test_three_significant_digits(value: float | None, text: str) -> None:
    assert figures.significant(value) == text


def test_a_cosine_below_one_never_reads_as_one() -> None:
    assert figures.cosine(0.999999999) == "0.999999"
    assert figures.cosine(1.0) == "1"
    assert figures.cosine(-0.5) == "-0.500000"


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (figures.milliseconds(0.01234), "12.3"),
        (figures.seconds(1.239), "1.24"),
        (figures.megabytes(102_400_000), "102.4"),
        (figures.share(0.0512), "5.12%"),
        (figures.whole(12_345), "12,345"),
        (figures.ratio(1.0301), f"{figures.TIMES}1.030"),
        (figures.plural(1, "item"), "1 item"),
        (figures.plural(1_200, "item"), "1,200 items"),
    ],
)
def test_units(shown: str, text: str) -> None:
    assert shown == text


@pytest.mark.parametrize(
    "show",
    [figures.milliseconds, figures.seconds, figures.megabytes, figures.share, figures.whole,
     figures.ratio, figures.cosine],
)  # fmt: skip
def test_what_was_not_measured_is_a_dash(show: object) -> None:
    assert callable(show)
    assert show(None) == show(math.nan) == figures.DASH
