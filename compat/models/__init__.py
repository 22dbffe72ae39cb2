"""Models: where they come from, their typed forms, inputs and reference outputs.

Runs on the host, without TensorRT. Imports nothing of the other packages of `compat`.
"""

from __future__ import annotations

from compat.models.builtins import BUILTINS
from compat.models.description import Description, describe
from compat.models.errors import ModelError
from compat.models.prepare import prepare
from compat.models.spec import ModelSpec, PreparedModel, TensorInfo, TypedModel

__all__ = [
    "BUILTINS",
    "Description",
    "ModelError",
    "ModelSpec",
    "PreparedModel",
    "TensorInfo",
    "TypedModel",
    "describe",
    "prepare",
]
