"""What a target needs of the NVIDIA driver and the GPUs, and whether this machine has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from compat.suite.driver import Driver
from compat.targets import fit
from compat.targets.devices import this_machine
from compat.targets.facts import Image, facts
from compat.targets.spec import Finding, TargetSpec

_LEVELS: Mapping[fit.Verdict, Literal["ok", "note", "missing"]] = {
    "yes": "ok",
    "limits": "note",
    "unknown": "note",
    "no": "missing",
}


def examine(
    target: TargetSpec, cuda: str | None, driver: Driver, image: Image | None = None
) -> Iterator[Finding]:
    """Yield what a target finds of driver and GPUs; nothing for one that runs on the CPU.

    cuda: what it is built for, "12" or "12.6.1"; None where that is not known. image: the row of
    its NGC image.
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
    machine = this_machine(facts(), driver)
    if cuda is None:
        yield Finding("driver", "ok", f"the driver has CUDA {driver.cuda}")
    if target.flavour == "pytorch":
        yield from (Finding("gpu", "ok", str(device)) for device in machine.devices)
        return
    for reason in fit.reasons(
        facts(),
        machine,
        flavour=target.flavour,
        release=target.version,
        cuda=cuda,
        provider=target.provider,
        image=image,
    ):
        text = reason.text
        if reason.about == "driver" and reason.verdict == "no" and target.provider == "wheel":
            text += _other_wheels(cuda, driver)
        if reason.source and reason.verdict != "yes":
            text += f" [{reason.source}]"
        yield Finding(reason.about, _LEVELS[reason.verdict], text)


def _other_wheels(cuda: str | None, driver: Driver) -> str:
    has = (driver.cuda or "0").partition(".")[0]
    other = cuda is not None and 12 <= int(has) < int(cuda)
    return f'; install that one, or write cuda = "{has}" into the target' if other else ""
