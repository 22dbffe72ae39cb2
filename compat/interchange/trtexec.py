"""Read what trtexec writes: ``--exportTimes``, ``--exportProfile``, and its log.

The forms are those of github NVIDIA/TensorRT, ``samples/common/sampleReporting.cpp``
(``exportJSONTrace``, ``exportJSONProfile``) and ``logging.h`` (the lines that begin with ``&&&&``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compat.interchange.errors import InterchangeError
from compat.suite.trtexec import DEFAULT_WARMUP_MS, Log, counted, read_banner

__all__ = ["Layer", "Log", "Times", "read_log", "read_profile", "read_times"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each query. compute: between two CUDA events around the enqueue, as ours are.

    warmups: how many queries before them do not count.
    """

    compute: Floats
    enqueue: Floats
    warmups: int


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of the profile: seconds of one run, and its share of all layers."""

    name: str
    average_s: float
    share: float


def read_times(path: Path, warmup_ms: float = DEFAULT_WARMUP_MS) -> Times:
    """Read ``--exportTimes=FILE``; older releases export the warm-up as well, which is taken off.

    Raises:
        InterchangeError: the file is none of trtexec, or holds no query after the warm-up.
    """
    rows = _rows(path, "--exportTimes")
    kept = counted(rows, warmup_ms)
    if not kept:
        raise InterchangeError(
            f"{path}: its {len(rows)} queries all began within the warm-up of {warmup_ms:g} ms; "
            "run trtexec for longer"
        )
    return Times(
        compute=_milliseconds(path, kept, "computeMs"),
        enqueue=_enqueue(kept),
        warmups=len(rows) - len(kept),
    )


def read_profile(path: Path) -> tuple[Layer, ...]:
    """Read ``--exportProfile=FILE``. Raises InterchangeError."""
    layers = []
    for row in _rows(path, "--exportProfile"):
        if "count" in row:
            continue
        try:
            layer = Layer(str(row["name"]), row["averageMs"] / 1e3, row["percentage"] / 100)
        except (KeyError, TypeError) as error:
            raise InterchangeError(f"{path}: is no profile of trtexec ({error})") from None
        layers.append(layer)
    return tuple(layers)


def read_log(path: Path) -> Log:
    """Read what trtexec printed. Raises InterchangeError where it does not name itself."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InterchangeError(f"{path}: cannot be read ({error.strerror})") from None
    log = read_banner(text)
    if log is None:
        raise InterchangeError(f"{path}: no line of it begins with '&&&& RUNNING TensorRT.trtexec'")
    return log


def _rows(path: Path, option: str) -> list[dict[str, Any]]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InterchangeError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InterchangeError(f"{path}: is no JSON ({error}); was trtexec interrupted?") from None
    if not isinstance(raw, list) or not raw or not all(isinstance(row, dict) for row in raw):
        raise InterchangeError(f"{path}: is not what trtexec writes by {option}=FILE")
    return raw


def _milliseconds(path: Path, rows: list[dict[str, Any]], name: str) -> Floats:
    try:
        found = np.array([float(row[name]) for row in rows], dtype=np.float64) / 1e3
    except (KeyError, TypeError, ValueError):
        raise InterchangeError(
            f"{path}: has queries without {name}; is it what --exportTimes=FILE writes?"
        ) from None
    if not np.isfinite(found).all() or (found <= 0).any():
        raise InterchangeError(f"{path}: has a {name} that is no time")
    return found


def _enqueue(rows: list[dict[str, Any]]) -> Floats:
    """Return the host's time to enqueue each query; none where the file does not hold it."""
    if not all("startEnqMs" in row and "endEnqMs" in row for row in rows):
        return np.array([], dtype=np.float64)
    spent = [float(row["endEnqMs"]) - float(row["startEnqMs"]) for row in rows]
    return np.array(spent, dtype=np.float64) / 1e3
