"""What a target needs of the NVIDIA driver and the GPUs, and whether this machine has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from compat.suite.driver import Driver, Gpu
from compat.targets.spec import Finding, TargetSpec

# The first driver of each CUDA major runs all its minor versions, and all earlier majors (NVIDIA,
# CUDA Compatibility, minor version compatibility).
_FIRST_DRIVER: Mapping[str, str] = {"11": "450.80", "12": "525.60", "13": "580"}


@dataclass(frozen=True, slots=True)
class _Dropped:
    """A GPU family that releases from `since` on refuse: compute capabilities below `below`."""

    since: tuple[int, int]
    below: int
    name: str


_DROPPED = (
    _Dropped((10, 0), 70, "Pascal and older"),  # github NVIDIA/TensorRT#3826
    _Dropped((10, 5), 75, "Volta"),  # github NVIDIA/TensorRT-LLM#2400: 10.4.0 is the last
)
# Seen on an H200: a clear UNSUPPORTED_CC when an engine is loaded.
_NOT_RTX = ("sm_90",)
# The lowest of its ComputeCapability values (headers of 1.7.1).
_FIRST_RTX = 75


def examine(target: TargetSpec, cuda: str | None, driver: Driver) -> Iterator[Finding]:
    """Yield what a target finds of driver and GPUs; nothing for one that runs on the CPU.

    cuda: the CUDA major that its wheels are built for; None where that is not known.
    """
    if target.flavour == "onnxruntime":
        return
    if driver.problem and target.flavour == "pytorch":
        yield Finding("driver", "note", f"{driver.problem}: it runs on the CPU")
        return
    if driver.problem:
        builds = "it builds all the same, but " if target.flavour == "tensorrt_rtx" else ""
        text = f"{driver.problem}: {builds}no engine runs here; use a machine with an NVIDIA GPU"
        yield Finding("driver", "missing", text)
        return
    yield _driver(target, cuda, driver)
    for gpu in driver.gpus:
        refused = _refused(target, gpu)
        text = f"{gpu.name} ({gpu.arch})" + (f": {refused}" if refused else "")
        yield Finding("gpu", "missing" if refused else "ok", text)


def _driver(target: TargetSpec, cuda: str | None, driver: Driver) -> Finding:
    has = int((driver.cuda or "0").split(".")[0])
    text = f"the driver has CUDA {driver.cuda}"
    if cuda is None or has >= int(cuda):
        return Finding("driver", "ok", text)
    first = _FIRST_DRIVER.get(cuda, "a newer one")
    other = f', or write cuda = "{has}" into the target' if has >= 12 else ""
    text += f", the wheels are built for {cuda}: install driver {first} or newer{other}"
    return Finding("driver", "missing", text)


def _refused(target: TargetSpec, gpu: Gpu) -> str:
    """Return why a release does not take a GPU; empty where nothing says so."""
    capability = int(gpu.arch.removeprefix("sm_"))
    if target.flavour == "tensorrt_rtx":
        if capability < _FIRST_RTX:
            return f"TensorRT-RTX supports GPUs from sm_{_FIRST_RTX} on"
        return "TensorRT-RTX refuses to load engines on it" if gpu.arch in _NOT_RTX else ""
    numbers = [int(one) for one in re.findall(r"\d+", target.version)[:2]]
    release = numbers[0], numbers[1]
    for row in _DROPPED:
        if release >= row.since and capability < row.below:
            last = ".".join(map(str, row.since))
            return f"TensorRT {last} and later do not support {row.name}; use an earlier release"
    return ""
