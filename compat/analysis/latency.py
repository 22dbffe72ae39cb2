"""Latency statistics over blocks: pure functions, seeded, no input or output.

A round measures every version once, so round *r* of two versions is a pair that shared the same
minute of the machine. Enqueues inside a block are autocorrelated, hence the unit is the block:
the statistic is the mean over rounds of ``log(median of candidate / median of current)``.

Interval: the hull of the percentile bootstrap over blocks and Student's t with n - 1 degrees of
freedom. The percentile bootstrap alone is too narrow for few blocks, by about
``sqrt((n - 1) / n) * z / t`` (Hesterberg, "What Teachers Should Know About the Bootstrap",
The American Statistician 69(4), 2015, section 5.1: 4 to 6 blocks are 20 to 40 % too narrow). In
``tests/analysis/test_latency.py`` 2,000 simulated A/A pairs measure it; the hull keeps false
alarms under the nominal 5 %, and t alone would trust normality where the blocks are skewed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import expm1, log1p, sqrt
from statistics import median

import numpy as np
from numpy.typing import NDArray

from compat.analysis import student

Floats = NDArray[np.float64]

RESAMPLES = 10_000
SEED = 20_261_120
CONFIDENCE = 0.95
MIN_BLOCKS = 4
_CELLS_AT_ONCE = 128  # 128 x 10,000 doubles are 10 MB: fits the memory budget of 100,000 records


@dataclass(frozen=True, slots=True)
class Interval:
    """Ratio of candidate to current (1.0 is equal) with its 95 % limits.

    ``p`` is the one-sided probability that the ratio lies within the allowed band.
    """

    blocks: int
    ratio: float
    low: float
    high: float
    p: float


def paired_log_ratios(current: Mapping[int, float], candidate: Mapping[int, float]) -> Floats:
    """Log ratios of block medians for the rounds that both sides have, in round order."""
    rounds = sorted(current.keys() & candidate.keys())
    below = np.array([current[r] for r in rounds], dtype=np.float64)
    above = np.array([candidate[r] for r in rounds], dtype=np.float64)
    usable = (below > 0) & (above > 0)
    logs: Floats = np.log(above[usable] / below[usable])
    return logs


def intervals(
    series: Sequence[Floats], band: float, *, resamples: int = RESAMPLES, seed: int = SEED
) -> list[Interval | None]:
    """Judge many comparisons at once; None where there are fewer than two blocks.

    Comparisons with the same number of blocks share one set of resamples, so a bootstrap is one
    matrix product and 10,000 resamples of 1,000 comparisons take well under a second.
    """
    result: list[Interval | None] = [None] * len(series)
    for blocks in sorted({len(s) for s in series if len(s) >= 2}):
        where = [i for i, s in enumerate(series) if len(s) == blocks]
        weights = _resample_weights(blocks, resamples, seed)
        for start in range(0, len(where), _CELLS_AT_ONCE):
            chunk = where[start : start + _CELLS_AT_ONCE]
            logs = np.stack([series[i] for i in chunk])
            for i, interval in zip(chunk, _chunk_intervals(logs, weights, band), strict=True):
                result[i] = interval
    return result


def _resample_weights(blocks: int, resamples: int, seed: int) -> Floats:
    """How often each block is drawn in each resample, as shares: (resamples, blocks)."""
    draws = np.random.default_rng(seed).multinomial(
        blocks, np.full(blocks, 1 / blocks), size=resamples
    )
    return draws / blocks


def _chunk_intervals(logs: Floats, weights: Floats, band: float) -> Iterable[Interval]:
    cells, blocks = logs.shape
    allowed = log1p(band)
    means = logs.mean(axis=1)
    errors = logs.std(axis=1, ddof=1) / sqrt(blocks)
    resampled = logs @ weights.T
    tail = (1 - CONFIDENCE) / 2
    low, high = _percentiles(resampled, tail)
    within = (resampled <= allowed).mean(axis=1)
    reach = student.quantile(1 - tail, blocks - 1) * errors
    low, high = np.minimum(low, means - reach), np.maximum(high, means + reach)
    for cell in range(cells):
        beyond = _standardised(float(means[cell] - allowed), float(errors[cell]))
        # The bootstrap share cannot go below 1 / resamples: once it is zero, t alone decides,
        # otherwise no cell of a matrix with more than 500 comparisons could survive Holm.
        p = max(float(within[cell]), student.upper_tail(beyond, blocks - 1))
        yield Interval(
            blocks,
            float(np.exp(means[cell])),
            float(np.exp(low[cell])),
            float(np.exp(high[cell])),
            p,
        )


def _standardised(distance: float, error: float) -> float:
    if error > 0:
        return distance / error
    return float("inf") if distance > 0 else float("-inf")


def _percentiles(rows: Floats, tail: float) -> tuple[Floats, Floats]:
    """The lower and upper percentile of each row, as numpy.quantile does in six times as long."""
    last = rows.shape[1] - 1
    places = [(tail * last, int(tail * last)), ((1 - tail) * last, int((1 - tail) * last))]
    parted = np.partition(rows, [k for _, below in places for k in (below, below + 1)], axis=1)
    low, high = (
        parted[:, below] + (at - below) * (parted[:, below + 1] - parted[:, below])
        for at, below in places
    )
    return low, high


def noise_floor(medians: Mapping[int, float]) -> float | None:
    """Half width of the 95 % interval that a version shows against itself, as a share.

    Odd rounds against the even rounds that follow them are A/A pairs that cost no extra run.
    Their mean square is the noise of one pair, from which comes the reach of a comparison with as
    many rounds as were measured. Their mean is known to be zero, so t has one degree of freedom
    for each of them: a simulation in ``tests/analysis/test_latency.py`` finds 95 % of equal
    comparisons inside the floor. None with fewer than two A/A pairs.
    """
    values = [medians[r] for r in sorted(medians)]
    pairs = len(values) // 2
    if pairs < 2 or min(values) <= 0:
        return None
    logs = np.log(np.array(values[: 2 * pairs], dtype=np.float64))
    differences = logs[0::2] - logs[1::2]
    error = sqrt(float(np.mean(differences**2)) / len(values))
    return expm1(student.quantile((1 + CONFIDENCE) / 2, pairs) * error)


def variation(means: Sequence[float], deviations: Sequence[float]) -> float | None:
    """Median over rounds of standard deviation / mean inside the round; None without rounds."""
    shares = [s / m for m, s in zip(means, deviations, strict=True) if m > 0]
    return median(shares) if shares else None


def holm(p: Sequence[float]) -> Floats:
    """Holm's step-down adjusted p values, in the order given (Holm, 1979)."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return adjusted
