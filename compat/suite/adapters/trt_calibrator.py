"""Implicit int8 by entropy calibration, which exists up to TensorRT 10."""

import os
from typing import Any, List, Optional

import numpy as np

from ..cuda import Cuda
from ..outcome import Unsupported
from .base import Request


def make_calibrator(trt: Any, cuda: Cuda, request: Request) -> Any:
    """Return an entropy calibrator (version 2) over the request's calibration inputs.

    The inputs are an ``.npz`` of arrays by input name, first axis the samples; they are fed in
    batches of the profile's opt batch, which is also the calibration profile. The table is kept
    beside the timing cache and read again, so that a rebuild calibrates nothing.

    Raises:
        Unsupported: this version has no implicit calibration.
    """
    if not hasattr(trt, "IInt8EntropyCalibrator2"):
        raise Unsupported("precision", "TensorRT %s has no int8 calibrator" % trt.__version__)
    with np.load(request.calibration) as archive:
        arrays = {name: archive[name] for name in archive.files}
    batch = next(iter(request.profile.values()))["opt"][0]
    samples = len(next(iter(arrays.values())))
    buffers = {name: cuda.buffer(array[:batch].nbytes) for name, array in arrays.items()}

    class EntropyCalibrator(trt.IInt8EntropyCalibrator2):  # type: ignore[misc]
        """Hand the arrays out batch by batch."""

        def __init__(self) -> None:
            trt.IInt8EntropyCalibrator2.__init__(self)
            self._next = 0

        def get_batch_size(self) -> int:
            """Return the batch of the calibration profile."""
            return int(batch)

        def get_batch(self, names: List[str]) -> Optional[List[int]]:
            """Copy the next batch in; None ends the calibration."""
            if self._next + batch > samples:
                return None
            for name in names:
                buffers[name].fill_from(arrays[name][self._next : self._next + batch])
            self._next += batch
            return [buffers[name].pointer for name in names]

        def read_calibration_cache(self) -> Optional[bytes]:
            """Return the table of an earlier build, if there is one."""
            if not os.path.exists(request.calibration_cache):
                return None
            with open(request.calibration_cache, "rb") as stream:
                return stream.read()

        def write_calibration_cache(self, cache: Any) -> None:
            """Keep the table; whole or not at all, for another GPU's build may read it now."""
            draft = "%s.%d.part" % (request.calibration_cache, os.getpid())
            with open(draft, "wb") as stream:
                stream.write(bytes(cache))
            os.replace(draft, request.calibration_cache)

    return EntropyCalibrator()
