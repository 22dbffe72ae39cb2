"""Reference outputs: ONNX Runtime on the CPU, fp32."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compat.models.errors import ModelError
from compat.suite import cores, labelled
from compat.suite.outcome import Outcome

__all__ = ["classify", "golden_runtime", "run"]

Feed = Mapping[str, NDArray[np.generic]]


def golden_runtime() -> str:
    """For example "onnxruntime 1.31.1 CPU fp32"."""
    return f"onnxruntime {version('onnxruntime')} CPU fp32"


def run(model: Path, name: str, feed: Feed) -> dict[str, NDArray[np.generic]]:
    """Outputs by name; a graph that ONNX Runtime refuses is a ModelError."""
    with _told(name):
        return _opened(model)(feed)


def classify(
    model: Path, name: str, arrays: Feed, smallest: int, largest: int
) -> dict[str, NDArray[np.generic]]:
    """What the model says of every item of a labelled set, with the labels beside it."""
    try:
        with _told(name):
            found = labelled.classify(_opened(model), arrays, smallest, largest)
    except Outcome as outcome:
        raise ModelError(outcome.reason, f"model {name!r}: {outcome.message}.") from None
    return {**found, "labels": arrays["labels"]}


def _opened(model: Path) -> Callable[[Feed], dict[str, NDArray[np.generic]]]:
    import onnxruntime  # noqa: PLC0415  # slow to import, and not needed where all is cached

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = cores.threads()
    session = onnxruntime.InferenceSession(
        os.fspath(model), options, providers=["CPUExecutionProvider"]
    )
    outputs = [output.name for output in session.get_outputs()]
    return lambda feed: dict(zip(outputs, session.run(outputs, dict(feed)), strict=True))


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Name the model where ONNX Runtime fails."""
    try:
        yield
    except Outcome:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class of their own
        text = str(error).strip().splitlines()
        raise ModelError(
            "golden-failed",
            f"model {name!r}: ONNX Runtime cannot run it on the CPU, so there is no reference "
            f"output: {text[0] if text else type(error).__name__}",
        ) from error
