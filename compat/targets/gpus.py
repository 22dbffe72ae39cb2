"""What a target needs of the NVIDIA driver and the GPUs, and whether this machine has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from compat.suite.driver import Driver
from compat.targets import fit
from compat.targets.devices import this_machine
from compat.targets.facts import facts
from compat.targets.spec import Finding, TargetSpec

_LEVELS: Mapping[fit.Verdict, Literal["ok", "note", "missing"]] = {
    "yes": "ok",
    "limits": "note",
    "unknown": "note",
    "no": "missing",
}


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
    yield _driver(cuda, driver)
    for device in this_machine(facts(), driver).devices:
        if target.flavour == "pytorch":
            yield Finding("gpu", "ok", str(device))
            continue
        reason = fit.gpu(facts(), target.flavour, target.version, device)
        text = str(device) if reason.verdict == "yes" else _with_source(reason)
        yield Finding("gpu", _LEVELS[reason.verdict], text)


def _with_source(reason: fit.Reason) -> str:
    return f"{reason.text} [{reason.source}]" if reason.source else reason.text


def _driver(cuda: str | None, driver: Driver) -> Finding:
    has = int((driver.cuda or "0").split(".")[0])
    text = f"the driver has CUDA {driver.cuda}"
    if cuda is None or has >= int(cuda):
        return Finding("driver", "ok", text)
    first = next((one.driver for one in facts().majors if one.cuda == cuda), "a newer one")
    other = f', or write cuda = "{has}" into the target' if has >= 12 else ""
    text += f", the wheels are built for {cuda}: install driver {first} or newer{other}"
    return Finding("driver", "missing", text)
