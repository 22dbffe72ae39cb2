"""How many threads to compute on where there is no GPU."""

import os
from typing import Optional

_CGROUP = "/sys/fs/cgroup"  # where the kernel shows this process's control group


def threads() -> int:
    """Return the cores we have: by affinity, by the container's quota, and by OMP_NUM_THREADS.

    The default of ONNX Runtime takes every core that the machine reports, which is slower than one
    thread per core we have, and complains where it may not pin a thread to a core.
    """
    by_affinity = getattr(os, "sched_getaffinity", None)
    allowed = [
        len(by_affinity(0)) if by_affinity else os.cpu_count() or 1,
        _quota(),
        _asked(),
    ]
    return max(1, min(one for one in allowed if one is not None))


def _quota() -> Optional[int]:
    """Return the whole cores of the quota (version 2: cpu.max; version 1: cpu.cfs_*)."""
    try:
        if os.path.exists(os.path.join(_CGROUP, "cpu.max")):
            quota, period = _read("cpu.max").split()
        else:
            quota = _read("cpu", "cpu.cfs_quota_us")
            period = _read("cpu", "cpu.cfs_period_us")
        return max(1, int(quota) // int(period)) if int(quota) > 0 else None
    except (OSError, ValueError):  # no cgroup, or no limit: "max"
        return None


def _read(*parts: str) -> str:
    with open(os.path.join(_CGROUP, *parts), encoding="ascii") as stream:
        return stream.read()


def _asked() -> Optional[int]:
    value = os.environ.get("OMP_NUM_THREADS", "")
    return int(value) if value.isdigit() else None
