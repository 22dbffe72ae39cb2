"""Read ``polygraphy run --save-outputs FILE.json``: each runner's outputs and times.

The form is that of Polygraphy's own ``RunResults`` and ``IterationResult`` (comparator/struct.py
and json/serde.py of 0.53): arrays are ``.npy`` files in base64, times are seconds by the host's
clock.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compat.interchange.errors import InterchangeError

_MARK = "polygraphy_class"
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Runner:
    """One runner: `runtimes` in seconds, one for each iteration that states it.

    outputs: each output over all iterations, one behind the other.
    """

    name: str
    runtimes: tuple[float, ...]
    outputs: Mapping[str, Array]


def read_results(path: Path) -> tuple[Runner, ...]:
    """Read the file. Raises InterchangeError where it is none of Polygraphy's."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except IsADirectoryError:
        raise InterchangeError(
            f"{path}: is a folder; save the results to a name that ends in .json"
        ) from None
    except OSError as error:
        raise InterchangeError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise InterchangeError(f"{path}: is no JSON ({error})") from None
    if not isinstance(raw, dict) or raw.get(_MARK) != "RunResults":
        raise InterchangeError(
            f"{path}: is not what `polygraphy run --save-outputs FILE.json` writes (no RunResults)"
        )
    try:
        return tuple(_runner(path, str(name), rows) for name, rows in raw["lst"])
    except (KeyError, TypeError, AttributeError) as error:
        raise InterchangeError(
            f"{path}: has another form than Polygraphy 0.53's ({error})"
        ) from None


def _runner(path: Path, name: str, rows: list[Mapping[str, Any]]) -> Runner:
    runtimes = tuple(float(row["runtime"]) for row in rows if row.get("runtime") is not None)
    names = dict.fromkeys(output for row in rows for output in row["outputs"])
    outputs = {
        output: _joined(path, [_array(path, row["outputs"][output]) for row in rows])
        for output in names
    }
    return Runner(name, runtimes, outputs)


def _joined(path: Path, arrays: list[Array]) -> Array:
    if len({array.shape[1:] for array in arrays}) != 1:
        raise InterchangeError(f"{path}: an output has another shape in another iteration")
    return np.concatenate([np.atleast_1d(array) for array in arrays])


def _array(path: Path, raw: Mapping[str, Any]) -> Array:
    inner = raw.get("values", raw)
    if inner.get(_MARK) != "ndarray":
        raise InterchangeError(
            f"{path}: holds a {inner.get(_MARK, 'value')!r}; only numpy arrays can be read"
        )
    try:
        content = io.BytesIO(base64.b64decode(inner["array"], validate=True))
        array: Array = np.load(content, allow_pickle=False)
    except (binascii.Error, ValueError, EOFError) as error:
        raise InterchangeError(f"{path}: an array of it is damaged ({error})") from None
    return array
