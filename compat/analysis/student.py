"""Student's t distribution: the two functions that an interval over a few blocks needs.

The host side has no SciPy (it is an oracle of the tests only), so the tail comes from the
regularised incomplete beta function by Lentz's continued fraction (Numerical Recipes, 3rd ed.,
section 6.4) and the quantile from bisection on that tail.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, isinf, lgamma, log

_TINY = 1e-300
_PRECISION = 1e-15


def upper_tail(t: float, freedom: int) -> float:
    """Probability that a t variable with ``freedom`` degrees of freedom exceeds ``t``."""
    if isinf(t):
        return 0.0 if t > 0 else 1.0
    square = t * t
    if square < freedom:  # near the middle the share around zero is the accurate one
        half = 0.5 - 0.5 * _incomplete_beta(square / (freedom + square), 0.5, freedom / 2)
    else:
        half = 0.5 * _incomplete_beta(freedom / (freedom + square), freedom / 2, 0.5)
    return half if t >= 0 else 1.0 - half


@lru_cache(maxsize=512)
def quantile(probability: float, freedom: int) -> float:
    """The t that is exceeded with ``1 - probability``; ``probability`` must be above one half."""
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > 1 - probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if upper_tail(middle, freedom) > 1 - probability:
            low = middle
        else:
            high = middle
    return high


def _incomplete_beta(x: float, a: float, b: float) -> float:
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log(1 - x))
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(x, a, b) / a
    return 1.0 - front * _continued_fraction(1 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    c = 1.0
    d = 1.0 / _nonzero(1.0 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 400):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1.0 / _nonzero(1.0 + step * d)
            c = _nonzero(1.0 + step / c)
            value *= d * c
        if abs(d * c - 1.0) < _PRECISION:
            break
    return value


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
