"""How many threads to run ONNX Runtime on."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["threads"]

_CGROUP = Path("/sys/fs/cgroup")


def threads() -> int:
    """The cores we have: by affinity, by the container's quota, and by OMP_NUM_THREADS.

    ONNX Runtime's own default takes every core that the machine reports, which is slower than one
    thread per core we have, and complains where it may not pin a thread to a core.
    """
    allowed = [
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        _quota(),
        _asked(),
    ]
    return max(1, min(one for one in allowed if one is not None))


def _quota() -> int | None:
    """Whole cores of the cgroup's quota (version 2: cpu.max; version 1: cpu.cfs_*)."""
    try:
        if (_CGROUP / "cpu.max").exists():
            quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        else:
            folder = _CGROUP / "cpu"
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii")
        return max(1, int(quota) // int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):  # no cgroup, or no limit: "max"
        return None


def _asked() -> int | None:
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdigit() else None
