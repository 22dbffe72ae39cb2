"""What identifies this machine in a record's key: a result of another machine is not reused."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from compat.suite.driver import probe


def describe_machine() -> dict[str, Any]:
    """Return CPU, cores that may be used, memory in bytes, and the driver with its GPUs."""
    driver = probe()
    return {
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "arch": platform.machine(),
        "os": _os_name(),
        "kernel": platform.release(),
        "driver_cuda": driver.cuda,
        "gpus": [f"{gpu.name} ({gpu.arch})" for gpu in driver.gpus],
    }


def identity(machine: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a machine's description that a measurement depends on.

    Only GPUs of the first one's kind are used, each by itself, so their number is no part of it: a
    matrix may go on where there are fewer.
    """
    kept = {name: machine[name] for name in ("cpu", "cores", "arch", "driver_cuda")}
    return {**kept, "gpus": machine["gpus"][:1]}


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"
