"""GPUs and drivers as people name them: "T4", "NVIDIA A100-SXM4-80GB", "sm_86", "volta", "535"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compat.suite.driver import Driver
from compat.targets.facts import Capability, Facts, numbers
from compat.targets.spec import TargetError

_MAKERS = {"nvidia", "tesla", "geforce", "quadro", "jetson", "drive"}
_DRIVER_FILE = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Device:
    """One kind of GPU. kind: "" where only its compute capability is known.

    row: None where the catalogue does not know the capability.
    """

    name: str
    sm: int
    kind: str
    row: Capability | None

    def __str__(self) -> str:
        arch = f"sm_{self.sm}"
        return arch if self.name == arch else f"{self.name} ({arch})"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a target would run on. Absent parts are not asked about.

    driver: "535.104.05", or a branch alone such as "535", which stands for its newest driver.
    cuda: the CUDA version of the driver library, known on this machine only.
    """

    driver: str | None = None
    cuda: str | None = None
    devices: tuple[Device, ...] = ()
    problem: str = ""

    def __str__(self) -> str:
        names = dict.fromkeys(str(device) for device in self.devices)
        driver = f"driver {self.driver}" if self.driver else ""
        if self.cuda:
            driver = (driver or "a driver") + f" (CUDA {self.cuda})"
        parts = [", ".join(names), driver, self.problem]
        return ", ".join(part for part in parts if part) or "any machine"


def this_machine(facts: Facts, driver: Driver, file: Path | None = None) -> Machine:
    """Describe this machine by what its driver library and kernel module say."""
    devices = tuple(
        _device(facts, gpu.name, int(gpu.arch.removeprefix("sm_")))
        for gpu in dict.fromkeys(driver.gpus)  # what is said of one holds for its likes
    )
    try:
        found = re.search(
            r"\b(\d{3}(?:\.\d+)+)\b", (file or _DRIVER_FILE).read_text(encoding="utf-8")
        )
    except OSError:
        found = None
    return Machine(found[1] if found else None, driver.cuda, devices, driver.problem)


def parse_driver(text: str) -> str:
    """Return a driver version; "R535" is "535". Raises TargetError with the way out."""
    driver = text.strip().lower().removeprefix("r").removesuffix(".xx")
    if not re.fullmatch(r"\d{3}(\.\d+)*", driver):
        message = f"--driver {text}: write a driver version such as 535 or 535.104.05 (nvidia-smi)"
        raise TargetError(message)
    return driver


def reaches(driver: str, minimum: str) -> bool:
    """Say whether a driver is a minimum or newer; a branch alone stands for its newest driver."""
    has, needed = numbers(driver), numbers(minimum)
    return has[0] >= needed[0] if len(has) == 1 else has >= needed


def find(facts: Facts, text: str) -> tuple[Device, ...]:
    """Return the GPUs that a text names: one, or all (Jetson left out) of a family.

    Raises:
        TargetError: no GPU is known by that name; the text says how to ask for it.
    """
    wanted = text.strip()
    if arch := re.fullmatch(r"(?:sm_?)?(\d{2,3})|(\d{1,2})\.(\d)", wanted.lower()):
        return (_of_capability(facts, int(arch[1] or arch[2] + arch[3])),)
    family = [
        _of_capability(facts, row.sm)
        for row in facts.capabilities
        if wanted.lower() in (row.family.lower(), row.family.lower().split()[0])
        and (row.names or row.data_centre)
    ]
    if family:
        return tuple(family)
    for name, kind, row in _named(facts):
        if _starts(_words(wanted), _words(name)):
            return (Device(name, row.sm, kind, row),)
    known = [name for name, _, _ in _named(facts)]
    near = difflib.get_close_matches(wanted.upper(), known, n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}? Or " if near else ""
    message = (
        f"--gpu {text}: the catalogue knows no such GPU; {hint}write its compute capability such "
        "as sm_86 (nvidia-smi --query-gpu=compute_cap --format=csv), or a family such as turing"
    )
    raise TargetError(message)


def _device(facts: Facts, name: str, sm: int) -> Device:
    """Describe a GPU that the driver itself names and measures."""
    row = next((row for row in facts.capabilities if row.sm == sm), None)
    for known, kind, owner in _named(facts):
        if owner is row and _starts(_words(name), _words(known)):
            return Device(name, sm, kind, row)
    return Device(name, sm, "", row)


def _of_capability(facts: Facts, sm: int) -> Device:
    row = next((row for row in facts.capabilities if row.sm == sm), None)
    kinds = [kind for kind, names in _kinds(row) if names] if row else []
    return Device(f"sm_{sm}", sm, kinds[0] if len(kinds) == 1 else "", row)


def _kinds(row: Capability) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (("desktop", row.names), ("data centre", row.data_centre), ("jetson", row.jetson))


def _named(facts: Facts) -> Iterator[tuple[str, str, Capability]]:
    """Yield every name with its kind and row, names of more words first: A100X before A100."""
    rows = [
        (name, kind, row)
        for row in facts.capabilities
        for kind, names in _kinds(row)
        for name in names
    ]
    yield from sorted(rows, key=lambda one: -len(_words(one[0])))


def _words(name: str) -> list[str]:
    words = re.split(r"[\s\-_]+", name.strip().lower())
    return [word for word in words if word and word not in _MAKERS]


def _starts(words: list[str], known: list[str]) -> bool:
    """Say whether a name starts with a known one, "RTX3090" being "RTX 3090"."""
    return words[: len(known)] == known or "".join(words) == "".join(known)
