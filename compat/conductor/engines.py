"""What an engine's file says of itself, beside what its builder said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compat.engine.inspection import inspect_file
from compat.engine.telling import built_for

_BUILD = ("lean_runtime", "refittable")


def stated(path: Path) -> dict[str, Any]:
    """Return the facts that a plan's own bytes tell; nothing for what is no plan of TensorRT.

    `problems` holds what contradicts itself in the file, or its manifest beside it.
    """
    found = inspect_file(path)
    if found.plan is None:
        return {}
    told = {"version": found.plan.version, "built_for": built_for(found.plan)}
    told |= {name: one.value for name, one in found.plan.stated.items() if name in _BUILD}
    return {"file": {**told, "problems": list(found.problems)}}
