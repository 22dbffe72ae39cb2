"""Reference outputs: ONNX Runtime on the CPU, fp32."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compat.models.errors import ModelError

__all__ = ["golden_runtime", "run"]


def golden_runtime() -> str:
    """For example "onnxruntime 1.31.1 CPU fp32"."""
    return f"onnxruntime {version('onnxruntime')} CPU fp32"


def run(
    model: Path, name: str, feed: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """Outputs by name; a graph that ONNX Runtime refuses is a ModelError."""
    import onnxruntime  # noqa: PLC0415  # slow to import, and not needed where all is cached

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # The default takes every core that the machine reports, also those a cgroup or affinity mask
    # denies us, which is slower than one thread per core we have.
    options.intra_op_num_threads = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    )
    try:
        session = onnxruntime.InferenceSession(
            os.fspath(model), options, providers=["CPUExecutionProvider"]
        )
        outputs = [output.name for output in session.get_outputs()]
        return dict(zip(outputs, session.run(outputs, dict(feed)), strict=True))
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        text = str(error).strip().splitlines()
        raise ModelError(
            "golden-failed",
            f"model {name!r}: ONNX Runtime cannot run it on the CPU, so there is no reference "
            f"output: {text[0] if text else type(error).__name__}",
        ) from error
