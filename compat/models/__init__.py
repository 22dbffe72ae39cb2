"""Models: where they come from, their typed forms, inputs and reference outputs.

Runs on the host, without TensorRT. Of the other packages of `compat` it imports only the errors
and `compat.prepared`.
"""

from __future__ import annotations

from compat.models.builtins import BUILTINS
from compat.models.description import Description, describe
from compat.models.errors import ModelError
from compat.models.prepare import prepare
from compat.models.spec import ModelSpec, PreparedModel, TensorInfo, TypedModel
from compat.models.trained import TRAINED

__all__ = [
    "BUILTINS",
    "TRAINED",
    "Description",
    "ModelError",
    "ModelSpec",
    "PreparedModel",
    "TensorInfo",
    "TypedModel",
    "describe",
    "prepare",
]
