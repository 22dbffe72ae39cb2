"""Does a calibration set cover what the model will really read?

int8 gets its ranges from the calibration inputs. Inputs of another distribution give ranges that
are too wide, which wastes steps, or too narrow, which clips; either costs accuracy, and no later
error says why. So the inputs of both sets are compared per channel before anything is quantized.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compat.models.inputs import Feed

__all__ = ["compare", "problems"]

Channels = NDArray[np.float64]

_BINS: Final = 32
_SAMPLES: Final = 100_000  # values per channel: the shape of a histogram needs no more
#: Two halves of one set overlap by 0.9 and more; N(0, 1) noise and images / 255 by 0.4.
MIN_OVERLAP: Final = 0.6
MAX_CLIPPED: Final = 0.01
MAX_WIDER: Final = 2.0


def compare(calibration: Sequence[Feed], evaluation: Sequence[Feed]) -> dict[str, dict[str, Any]]:
    """Per floating-point input: both distributions by channel, and how they lie to each other.

    `overlap`: shared area of the two histograms, of the worst channel; `clipped`: share of the
    evaluation values outside the calibrated range; `wider`: calibrated range by evaluated range.
    """
    found = {}
    for name, array in evaluation[0].items():
        if array.dtype.kind == "f" and array.ndim:
            ours = _channels([feed[name] for feed in calibration])
            theirs = _channels([feed[name] for feed in evaluation])
            found[name] = _compare_input(ours, theirs)
    return found


def problems(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with a calibration set, in words; nothing where it covers the inputs."""
    said = []
    for name, numbers in found.items():
        causes = []
        if numbers["overlap"] < MIN_OVERLAP:
            causes.append(f"the histograms share only {numbers['overlap']:.0%}")
        if numbers["clipped"] > MAX_CLIPPED:
            causes.append(f"{numbers['clipped']:.1%} of the inputs lie outside its range")
        if numbers["wider"] > MAX_WIDER:
            causes.append(f"its range is {numbers['wider']:.1f} times as wide")
        if causes:
            said.append(
                f"the calibration set does not cover input {name!r}: {', '.join(causes)}; int8 "
                "will lose accuracy. Calibrate on inputs as the model meets them in production."
            )
    return said


def _channels(arrays: Sequence[NDArray[np.generic]]) -> Channels:
    """[channel, values]; without a channel axis all values are one channel."""
    rows = []
    for array in arrays:
        channelled = array.ndim >= 3
        moved = np.moveaxis(array, 1, 0) if channelled else array[None]
        rows.append(np.asarray(moved, np.float64).reshape(len(moved), -1))
    values = np.concatenate(rows, axis=1)
    return values[:, :: max(1, values.shape[1] // _SAMPLES)]


def _compare_input(ours: Channels, theirs: Channels) -> dict[str, Any]:
    low, high = ours.min(axis=1), ours.max(axis=1)
    outside = (theirs < low[:, None]) | (theirs > high[:, None])
    spans = np.maximum(np.ptp(theirs, axis=1), np.finfo(np.float32).tiny)
    return {
        "overlap": round(min(map(_overlap, ours, theirs)), 4),
        "clipped": round(float(outside.mean(axis=1).max()), 5),
        "wider": round(float((np.ptp(ours, axis=1) / spans).max()), 3),
        "calibration": _described(ours),
        "evaluation": _described(theirs),
    }


def _overlap(ours: Channels, theirs: Channels) -> float:
    limits = (float(min(ours.min(), theirs.min())), float(max(ours.max(), theirs.max())))
    if limits[0] == limits[1]:
        return 1.0
    a, b = (np.histogram(values, _BINS, limits)[0] / values.size for values in (ours, theirs))
    return float(np.minimum(a, b).sum())


def _described(values: Channels) -> dict[str, list[float]]:
    """Mean, standard deviation, smallest and largest value of the first channels."""
    shown = values[:4]
    numbers = {
        "mean": shown.mean(axis=1),
        "std": shown.std(axis=1),
        "min": shown.min(axis=1),
        "max": shown.max(axis=1),
    }
    return {name: [round(float(v), 4) for v in row] for name, row in numbers.items()}
