"""How a machine's GPUs get into a container."""

from __future__ import annotations

import re

from compat.suite.driver import Driver
from compat.targets.containers.engine import Engine, Trouble
from compat.targets.spec import GpuWay, TargetSpec

_CPU_ONLY = ("onnxruntime",)
# Podman and Docker without a CDI file, Docker without the toolkit, and the toolkit's own errors.
_NO_WAY_IN = re.compile(r"CDI device|could not select device driver|nvidia-container")


def options(way: GpuWay, engine: Engine, target: TargetSpec, driver: Driver) -> tuple[str, ...]:
    """Return the options that pass all GPUs in; none where there is none to pass, or no need."""
    if way == "none" or target.flavour in _CPU_ONLY or (way == "auto" and not driver.gpus):
        return ()
    if way == "auto":
        # Podman below 5 has no --gpus; Docker below 25 has no CDI.
        way = "cdi" if engine.kind == "podman" else "flag"
    return ("--device", "nvidia.com/gpu=all") if way == "cdi" else ("--gpus", "all")


def problem(engine: Engine, chosen: tuple[str, ...], driver: Driver, seen: int) -> Trouble | None:
    """Return why a container sees no GPU although it should, or None."""
    if not chosen or not driver.gpus or seen:
        return None
    return Trouble("gpu-not-passed", f"no GPU is seen inside the container: {_remedy(engine)}")


def refused(engine: Engine, chosen: tuple[str, ...], trouble: Trouble) -> Trouble:
    """Return why an engine started no container: in other words where the GPUs were the reason."""
    if not chosen or not _NO_WAY_IN.search(trouble.message):
        return trouble
    return Trouble("gpu-not-passed", f"{_remedy(engine)}: {trouble.message}")


def _remedy(engine: Engine) -> str:
    command = "runtime configure --runtime=docker"
    if engine.kind == "podman":
        command = "cdi generate --output=/etc/cdi/nvidia.yaml"
    return f"install the NVIDIA Container Toolkit and run `nvidia-ctk {command}`"
