"""Weights that TensorFlow.js wrote: `model.json` with a manifest, the numbers in shards beside it.

github tensorflow/tfjs, tfjs-core/src/io/types.ts: the shards of a group, one after the other, hold
the arrays of `weights` in their order.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np

from compat.models.errors import ModelError
from compat.models.weights import FloatArray, Param

__all__ = ["KerasResNetWeights", "read_shards"]

# Keras adds 1e-3 to the variance, our ResNet 1e-5; the rest goes into the variance itself.
_EPS_MORE = 1e-3 - 1e-5
_BLOCK = re.compile(r"layer(\d)\.(\d)\.(conv|bn|downsample\.)(\d)\.(\w+)")
_BN = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def read_shards(path: Path) -> dict[str, FloatArray]:
    """Every float32 array of a model.json by name."""
    try:
        groups = json.loads(path.read_text(encoding="utf-8"))["weightsManifest"]
        arrays: dict[str, FloatArray] = {}
        for group in groups:
            data = b"".join((path.parent / name).read_bytes() for name in group["paths"])
            start = 0
            for entry in group["weights"]:
                if entry["dtype"] != "float32":
                    raise ValueError(f"{entry['name']} is {entry['dtype']}")
                count = math.prod(entry["shape"])
                values = np.frombuffer(data, "<f4", count, start)
                arrays[entry["name"]] = values.reshape(entry["shape"])
                start += 4 * count
    except FileNotFoundError as error:
        raise ModelError("missing-file", f"{error.filename}: no such file.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            "weights-broken", f"{path}: is no readable TensorFlow.js model ({error})."
        ) from None
    return arrays


class KerasResNetWeights:
    """Keras' ResNet-50 v1 under the names and in the layout of torchvision's.

    Its convolutions have a bias, which goes into the BatchNorm's mean; its images are BGR, so the
    first filters are turned to read RGB.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._arrays = read_shards(path)

    def get(self, name: str, param: Param) -> FloatArray:
        """The array; ModelError where it is missing or has another shape."""
        try:
            values = self._array(name)
        except KeyError as error:
            raise ModelError("weights-mismatch", f"{self._path}: has no array {error}.") from None
        if values.shape != param.shape:
            raise ModelError(
                "weights-mismatch",
                f"{self._path}: {name!r} has shape {list(values.shape)}, this architecture needs "
                f"{list(param.shape)}.",
            )
        return np.ascontiguousarray(values, dtype=np.float32)

    def _array(self, name: str) -> FloatArray:
        if name.startswith("fc."):
            return self._arrays["fc1000/kernel"].T if "weight" in name else self._arrays[_FC_BIAS]
        conv, norm, part = _keras_names(name)
        if norm is None:
            kernel = self._arrays[f"{conv}/kernel"].transpose(3, 2, 0, 1)
            return kernel[:, ::-1] if name == "conv1.weight" else kernel
        values = self._arrays[f"{norm}/{_BN[part]}"]
        if part == "running_mean":
            values = values - self._arrays[f"{conv}/bias"]
        return values + np.float32(_EPS_MORE) if part == "running_var" else values


_FC_BIAS = "fc1000/bias"


def _keras_names(name: str) -> tuple[str, str | None, str]:
    """Convolution, its BatchNorm (None where the convolution itself is meant), and the part."""
    if name in {"conv1.weight"} or name.startswith("bn1."):
        return "conv1", None if name == "conv1.weight" else "bn_conv1", name.partition(".")[2]
    match = _BLOCK.fullmatch(name)
    if match is None:
        raise KeyError(name)
    stage, block, kind, number, part = match.groups()
    branch = "1" if kind == "downsample." else "2" + "_abc"[int(number)]
    where = f"{int(stage) + 1}{'abcdef'[int(block)]}_branch{branch}"
    is_conv = kind == "conv" or (kind == "downsample." and number == "0")
    return f"res{where}", None if is_conv else f"bn{where}", part
