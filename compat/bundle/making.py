"""Models that the far machine makes itself: which can be, and what it needs for that."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compat.models import BUILTINS, ModelSpec
from compat.models.inputs import input_source
from compat.models.profile import resolve_axes
from compat.models.source import resolve, tensors_from

# What `compat.models.prepare` imports, beside what the conductor itself needs.
PACKAGES = (
    *("flatbuffers", "ml-dtypes", "numpy", "onnx", "onnxconverter-common", "onnxruntime"),
    *("pillow", "protobuf", "scikit-image"),
)
# Of scikit-image only the pictures are opened, of onnx not the test data: 12 MB less to carry.
UNOPENED = ("skimage/[!d]*/*", "skimage/draw/*", "onnx/backend/*")

_OWN_INPUTS = ("", "photographs", "text", "noise")


def can_make(spec: ModelSpec) -> bool:
    """Say whether a model comes from seeds alone: no weights, inputs or labels out of files."""
    name = spec.source.removeprefix("builtin:")
    seeded = name != spec.source and name in BUILTINS
    return seeded and not spec.labels and {spec.inputs, spec.calibration} <= {*_OWN_INPUTS}


def check(spec: ModelSpec, opsets: Sequence[int]) -> None:
    """Raise what the far machine would, by the small form of the same architecture. ModelError."""
    source = resolve(replace(spec, size="quick"), Path())
    with tempfile.TemporaryDirectory() as folder:
        facts = source.write(Path(folder, "model.onnx"), source.opsets(opsets)[0])
    inputs = tensors_from(facts["inputs"])
    resolve_axes(spec.name, inputs, spec.axes)
    for words in {spec.inputs or source.inputs, spec.calibration or source.inputs}:
        input_source(spec.name, words, inputs, source.recipe)
