"""Where the numbers of a built-in graph come from: a seeded draw, or a trained safetensors file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from compat.models.errors import ModelError

__all__ = [
    "FloatArray",
    "Param",
    "SafetensorsWeights",
    "SeededWeights",
    "Weights",
    "parameter_count",
]

FloatArray = NDArray[np.float32]

_SAFETENSORS_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4"}


@dataclass(frozen=True, slots=True)
class Param:
    """One named array of a network: its shape and how a seeded stand-in is drawn.

    Values are mean + std * N(0, 1), cut at two standard deviations as in "trunc_normal". A
    `centered` filter has zero mean over its inputs: without training this is what keeps the
    common part of all images from drowning the differences (weight standardization, Qiao 2019).
    `draw` chooses among the arrays that one seed gives.
    """

    shape: tuple[int, ...]
    std: float = 0.0
    mean: float = 0.0
    centered: bool = False
    trained: bool = True
    draw: int = 0

    @property
    def size(self) -> int:
        """Numbers in the array."""
        return math.prod(self.shape)


def parameter_count(table: Mapping[str, Param]) -> int:
    """Trained parameters, as model cards count them: BatchNorm's running statistics left out."""
    return sum(param.size for param in table.values() if param.trained)


class Weights(Protocol):
    """A source of the arrays that a parameter table names."""

    def get(self, name: str, param: Param) -> FloatArray:
        """The array `name`, float32, in the shape of `param`."""
        ...


class SeededWeights:
    """Arrays drawn from a seed and the array's own name, so that order does not matter."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def get(self, name: str, param: Param) -> FloatArray:
        """Draw the array."""
        if param.std == 0.0:
            return np.full(param.shape, param.mean, np.float32)
        key = hashlib.sha256(f"{self._seed}/{name}/{param.draw}".encode()).digest()
        rng = np.random.Generator(np.random.PCG64(int.from_bytes(key[:16], "little")))
        values = rng.standard_normal(param.shape, dtype=np.float32)
        np.clip(values, -2.0, 2.0, out=values)
        values *= np.float32(param.std)
        if param.centered:
            values -= values.mean(axis=tuple(range(1, values.ndim)), keepdims=True)
        values += np.float32(param.mean)
        return values


class SafetensorsWeights:
    """Arrays of a .safetensors file, memory-mapped and read one at a time.

    The format is an 8-byte little-endian length, a JSON header of that length with dtype, shape
    and byte offsets per tensor, then the data (github huggingface/safetensors, README).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header, self._start = _read_header(path)
        self._data = np.memmap(path, dtype=np.uint8, mode="r")

    def get(self, name: str, param: Param) -> FloatArray:
        """Read the array; ModelError where it is missing or has another shape."""
        entry = self._header.get(name)
        if entry is None:
            raise ModelError(
                "weights-mismatch",
                f"{self._path}: has no tensor {name!r}; these are weights of another "
                "architecture or of another library's naming.",
            )
        values = self._array(name, entry)
        if values.size != param.size or _squeezed(values.shape) != _squeezed(param.shape):
            raise ModelError(
                "weights-mismatch",
                f"{self._path}: tensor {name!r} has shape {list(values.shape)}, "
                f"this architecture needs {list(param.shape)}.",
            )
        return values.reshape(param.shape)

    def _array(self, name: str, entry: Mapping[str, object]) -> FloatArray:
        dtype, offsets, shape = entry.get("dtype"), entry.get("data_offsets"), entry.get("shape")
        if not isinstance(offsets, list) or not isinstance(shape, list):
            raise ModelError("weights-broken", f"{self._path}: the entry of {name!r} is damaged.")
        raw = self._data[self._start + offsets[0] : self._start + offsets[1]]
        if raw.size != offsets[1] - offsets[0]:
            raise ModelError("truncated", f"{self._path}: is cut off inside tensor {name!r}.")
        if dtype == "BF16":
            wide = raw.view("<u2").astype(np.uint32) << np.uint32(16)
            return wide.view(np.float32).reshape(shape)
        if not isinstance(dtype, str) or dtype not in _SAFETENSORS_DTYPES:
            raise ModelError(
                "weights-mismatch", f"{self._path}: tensor {name!r} has dtype {dtype}."
            )
        return raw.view(_SAFETENSORS_DTYPES[dtype]).astype(np.float32).reshape(shape)


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _read_header(path: Path) -> tuple[dict[str, dict[str, object]], int]:
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 0 < length <= 100_000_000:
                raise ValueError("header length out of range")
            header = json.loads(stream.read(length))
    except FileNotFoundError:
        raise ModelError("missing-file", f"{path}: no such file.") from None
    except ValueError as error:
        raise ModelError("weights-broken", f"{path}: not a safetensors file ({error}).") from None
    if not isinstance(header, dict):
        raise ModelError("weights-broken", f"{path}: not a safetensors file.")
    header.pop("__metadata__", None)
    return header, 8 + length
