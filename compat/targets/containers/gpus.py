"""How a machine's GPUs get into a container."""

from __future__ import annotations

from pathlib import Path

from compat.suite.driver import Driver
from compat.targets.containers.engine import Engine, Trouble
from compat.targets.spec import Finding, GpuWay, TargetSpec

# Where the Container Device Interface looks (its specification, "CDI JSON specification").
_CDI = (Path("/etc/cdi"), Path("/var/run/cdi"))
_CPU_ONLY = ("onnxruntime",)
_HOW_TO = "run `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`"


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


def examine(engine: Engine, chosen: tuple[str, ...]) -> Finding:
    """Say how GPUs get in, and what looks missing for that."""
    way = " ".join(chosen)
    if "--device" in chosen and not _has_cdi():
        text = f"{way}: no NVIDIA file in {' or '.join(map(str, _CDI))}: {_remedy(engine)}"
        return Finding("engine", "missing", text)
    return Finding("engine", "ok", f"passes GPUs in with {way}")


def _has_cdi() -> bool:
    return any("nvidia" in path.name for folder in _CDI for path in folder.glob("*.*"))


def _remedy(engine: Engine) -> str:
    toolkit = "install the NVIDIA Container Toolkit"
    if engine.kind == "podman":
        return f"{toolkit} and {_HOW_TO}"
    return f"{toolkit} and run `nvidia-ctk runtime configure --runtime=docker`"
