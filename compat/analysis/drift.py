"""How far one set of outputs lies from another: pure functions over arrays.

The first axis is the batch. A value per tensor is always that of its *worst row*, because a mean
over the batch hides one broken image among sixteen; the value of an item is the worst tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Metrics = dict[str, float]

MIN_CLASSES: Final = 10
#: Metrics for which more is better; for every other one less is better.
HIGHER_IS_BETTER: Final = frozenset({"cosine", "sqnr_db", "top1_agreement", "top5_agreement"})
NAMES: Final = (
    "cosine",
    "relative_l2",
    "max_abs",
    "sqnr_db",
    "top1_agreement",
    "top5_agreement",
    "nan",
    "inf",
    "constant",
    "mismatch",
)


def compare(outputs: Mapping[str, Array], reference: Mapping[str, Array]) -> Metrics:
    """Worst value over all named outputs; ``mismatch`` counts absent or differently shaped ones."""
    common = [n for n in reference if n in outputs and outputs[n].shape == reference[n].shape]
    worst: Metrics = {"mismatch": float(len(reference.keys() | outputs.keys()) - len(common))}
    for name in common:
        for metric, value in compare_tensor(outputs[name], reference[name]).items():
            worst[metric] = _worse(metric, worst[metric], value) if metric in worst else value
    return worst


def _worse(metric: str, a: float, b: float) -> float:
    if np.isnan(a) or np.isnan(b):
        return float("nan")
    if metric in ("nan", "inf"):
        return a + b
    return min(a, b) if metric in HIGHER_IS_BETTER else max(a, b)


def compare_tensor(tensor: Array, reference: Array) -> Metrics:
    """All metrics of one tensor against a reference of the same shape."""
    a, b = _rows(tensor), _rows(reference)
    metrics: Metrics = {
        "nan": float(np.isnan(a).sum()),
        "inf": float(np.isinf(a).sum()),
        "constant": float(is_constant(a, b)),
    }
    if a.size == 0:
        return metrics
    with np.errstate(all="ignore"):  # NaN and Inf are findings here, not warnings
        metrics |= {
            "cosine": cosine(a, b),
            "relative_l2": relative_l2(a, b),
            "max_abs": float(np.abs(a - b).max()),
            "sqnr_db": sqnr_db(a, b),
        }
    if tensor.ndim == 2 and tensor.shape[1] >= MIN_CLASSES:
        metrics["top1_agreement"] = top_agreement(a, b, 1)
        metrics["top5_agreement"] = top_agreement(a, b, 5)
    return metrics


def _rows(tensor: Array) -> NDArray[np.float64]:
    """Batch x everything else in float64, so that fp16 sums neither overflow nor round."""
    flat = np.asarray(tensor, dtype=np.float64)
    batch = flat.shape[0] if flat.ndim else 1
    return flat.reshape(batch, flat.size // max(batch, 1))


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Smallest cosine similarity of a row; two zero rows are equal, one zero row is opposite."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    values = np.where(norms > 0, (a * b).sum(axis=1) / np.where(norms > 0, norms, 1.0), 0.0)
    values = np.where(both_zero, 1.0, np.where(np.isnan(norms), np.nan, values))
    return float(np.clip(values, -1.0, 1.0).min())


def relative_l2(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Largest ``|a - b| / |b|`` of a row; infinite where only the reference is zero."""
    return float(_ratio(np.linalg.norm(a - b, axis=1), np.linalg.norm(b, axis=1)).max())


def sqnr_db(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Smallest signal to quantisation noise ratio of a row, in dB; infinite when equal."""
    relative = _ratio(np.linalg.norm(a - b, axis=1), np.linalg.norm(b, axis=1))
    with np.errstate(divide="ignore"):
        return float((-20 * np.log10(relative)).min())


def _ratio(noise: NDArray[np.float64], signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Noise by signal: 0 where both are zero, infinite without signal, NaN stays NaN."""
    with np.errstate(all="ignore"):
        return np.where((noise == 0) & (signal == 0), 0.0, noise / signal)


def top_agreement(a: NDArray[np.float64], b: NDArray[np.float64], k: int) -> float:
    """Share of rows whose reference winner is among the k best of the other side.

    Ties go to the lower class on both sides, as ``argmax`` does, so equal tensors always agree.
    """
    winners = b.argmax(axis=1)
    best = np.argsort(-a, axis=1, kind="stable")[:, :k]
    return float((best == winners[:, None]).any(axis=1).mean())


def is_constant(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Whether all rows are equal although those of the reference are not (a dead output)."""
    if len(a) < 2:
        return False
    return bool((a == a[0]).all() and not (b == b[0]).all())
