"""How many threads to run ONNX Runtime on: as many as the targets get."""

from __future__ import annotations

from pathlib import Path

from compat.suite import cores

__all__ = ["threads"]

_CGROUP = Path("/sys/fs/cgroup")


def threads() -> int:
    """The cores we have: by affinity, by the container's quota, and by OMP_NUM_THREADS."""
    return cores.threads(str(_CGROUP))
