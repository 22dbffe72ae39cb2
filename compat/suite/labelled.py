"""Classify a labelled set: what a network says of every image, and how often it is right."""

from typing import Any, Callable, Dict, Mapping

import numpy as np

from .outcome import Failed

Arrays = Dict[str, Any]
Run = Callable[[Arrays], Mapping[str, Any]]

KEPT_CLASSES = 5
_NOT_INPUTS = ("labels", "divisor")


def classify(run: Run, arrays: Mapping[str, Any], smallest: int, largest: int) -> Arrays:
    """Run every item of a labelled set, `largest` at a time.

    The last batch is as small as the profile allows; what is missing to `smallest` repeats the
    last item and is cut off again. Where the set has a `divisor`, its arrays are whole numbers
    that are fed divided by it, in its type.

    Returns:
        `top5`: the best classes per item, best first, -1 where a score is not a number;
        `margin`: score of the best class minus that of the second.

    Raises:
        Failed: no output has one score per class.
    """
    labels = np.asarray(arrays["labels"])
    count, best, margins = len(labels), [], []
    for start in range(0, count, largest):
        stop = min(count, start + largest)
        rows = np.minimum(np.arange(start, max(stop, start + smallest)), count - 1)
        outputs = run(_feeds(arrays, rows))
        top, margin = _rank(_scores(outputs, int(labels.max()), len(rows))[: stop - start])
        best.append(top)
        margins.append(margin)
    return {"top5": np.concatenate(best), "margin": np.concatenate(margins)}


def _feeds(arrays: Mapping[str, Any], rows: np.ndarray) -> Arrays:
    feeds = {name: array[rows] for name, array in arrays.items() if name not in _NOT_INPUTS}
    if "divisor" not in arrays:
        return feeds
    divisor = arrays["divisor"]
    return {name: array.astype(divisor.dtype) / divisor for name, array in feeds.items()}


def _scores(outputs: Mapping[str, Any], last_class: int, rows: int) -> np.ndarray:
    """Return the first output of shape [items, classes] that has a score for every label."""
    for array in outputs.values():
        if array.ndim == 2 and array.shape[0] == rows and array.shape[1] > max(last_class, 1):
            return np.asarray(array, dtype=np.float32)
    shapes = ", ".join("%s %s" % (name, list(array.shape)) for name, array in outputs.items())
    raise Failed(
        "no-scores",
        "no output is [%d items, more than %d classes] to compare with the labels (there are: %s)"
        % (rows, last_class, shapes),
    )


def _rank(scores: np.ndarray) -> Any:
    """Return the best classes (the lower one first where they are equal) and the margin."""
    top = np.argsort(-scores, axis=1, kind="stable")[:, :KEPT_CLASSES].astype(np.int32)
    rows = np.arange(len(scores))
    with np.errstate(invalid="ignore"):  # infinite scores are a finding, not a warning
        margin = scores[rows, top[:, 0]] - scores[rows, top[:, 1]]
    top[np.isnan(scores).any(axis=1)] = -1
    return top, margin.astype(np.float32)


def tally(top5: np.ndarray, labels: np.ndarray) -> Dict[str, float]:
    """Return how many items there are, how many are right, and how many gave no number."""
    right = top5[:, 0] == labels
    return {
        "n": len(labels),
        "correct": int(right.sum()),
        "top1": float(right.mean()),
        "top5": float((top5 == labels[:, None]).any(axis=1).mean()),
        "not_a_number": int((top5[:, 0] < 0).sum()),
    }
