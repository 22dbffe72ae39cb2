"""Whether parts of an environment fit together, before an hour of downloads.

Driver, CUDA, TensorRT, cuDNN, Python and GPU, as many of them as are known: each two or three of
which a text speaks get one statement. What no text says is ``unknown``.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from packaging.specifiers import SpecifierSet

from compat.targets import fit
from compat.targets.catalogue import Catalogue
from compat.targets.devices import Device, Machine
from compat.targets.facts import Facts, numbers
from compat.targets.suggestion import Offer, Question, offers

Stage = Literal["install", "import", "run"]
_STAGES: tuple[Stage, ...] = ("install", "import", "run")


@dataclass(frozen=True, slots=True)
class Environment:
    """The parts that are asked about; an empty one is not known."""

    machine: Machine
    flavour: str = "tensorrt"
    tensorrt: str = ""
    cuda: str = ""
    cudnn: str = ""
    python: str = ""

    def parts(self) -> dict[str, str]:
        """Return the parts that are known, as a requirement's range takes them."""
        known = {
            "driver": self.machine.driver or "",
            "cuda": self.cuda,
            "tensorrt": self.tensorrt,
            "cudnn": self.cudnn,
            "python": self.python,
            "gpu": ", ".join(str(one) for one in self.machine.devices),
        }
        return {name: value for name, value in known.items() if value}


@dataclass(frozen=True, slots=True)
class Statement:
    """What a text says of some parts together. stage: where it stops, if it does."""

    about: str
    verdict: fit.Verdict
    stage: Stage
    text: str
    source: str
    confidence: str


def statements(environment: Environment, catalogue: Catalogue, facts: Facts) -> list[Statement]:
    """Return what the texts say of an environment, what rules it out first."""
    known = _offers(environment, catalogue, facts)
    found = [
        *_release(environment, known),
        *_rules(environment, _releases(known)),
        *_machine(environment, known, facts),
        *_architectures(environment),
    ]
    worst_first: tuple[fit.Verdict, ...] = ("no", "unknown", "limits", "yes")
    order = {verdict: place for place, verdict in enumerate(worst_first)}
    return sorted(found, key=lambda one: (order[one.verdict], _STAGES.index(one.stage)))


def traps(environment: Environment, facts: Facts) -> list[str]:
    """Return what people run into with the wheels of the release."""
    if not environment.tensorrt or environment.flavour != "tensorrt":
        return []
    return [
        f"{trap.text} [{trap.source}, {trap.confidence}]"
        for trap in facts.traps
        if trap.provider == "wheel" and environment.tensorrt in SpecifierSet(trap.versions)
    ]


def _offers(environment: Environment, catalogue: Catalogue, facts: Facts) -> list[Offer]:
    if not environment.tensorrt:
        return []
    question = Question(
        tensorrt=environment.tensorrt.partition(".post")[0], flavours=(environment.flavour,)
    )
    return [one for one in offers(catalogue, facts) if question.fits(one)]


def _releases(known: list[Offer]) -> list[str]:
    return list(dict.fromkeys(one.release for one in known if one.release))


def _release(environment: Environment, known: list[Offer]) -> Iterator[Statement]:
    """Say whether there is such a release, for this Python and this CUDA."""
    if not environment.tensorrt:
        return
    name = f"{environment.flavour} {environment.tensorrt}"
    if not known:
        text = f"the catalogue knows no {name}, neither image nor wheel"
        yield Statement("tensorrt", "unknown", "install", text, "", "")
        return
    wheels = [one for one in known if one.provider == "wheel"]
    others = [one for one in known if one.provider != "wheel"]
    if environment.python:
        yield _python(name, environment.python, wheels, others)
    if environment.cuda and not _is_ruled_out(environment, "cuda", _releases(known)):
        yield _cuda(name, environment.cuda, wheels, others)


def _python(name: str, python: str, wheels: list[Offer], others: list[Offer]) -> Statement:
    about = "tensorrt x python"
    inside = [one for one in others if python in one.pythons]
    for one in wheels:
        if python in one.pythons:
            text = f"{name} has wheels for Python {python}"
            return Statement(about, "yes", "install", text, one.source, one.confidence)
    where = ", ".join(one.name for one in inside)
    if not wheels:
        first = (inside or others)[0]
        if inside:
            text = f"Python {python} comes with {name} in {where}; no wheel of it is known"
            return Statement(about, "limits", "install", text, first.source, first.confidence)
        text = f"no wheel of {name} is known; {first.name} has it with Python "
        text += " and ".join(first.pythons)
        return Statement(about, "unknown", "install", text, first.source, first.confidence)
    first, pythons = wheels[0], wheels[0].pythons
    text = f"{name} has wheels for Python {pythons[0]} to {pythons[-1]}, none for {python}"
    if inside:
        text += f"; {where} has it with Python {python}"
        return Statement(about, "limits", "install", text, first.source, first.confidence)
    return Statement(about, "no", "install", text, first.source, first.confidence)


def _cuda(name: str, cuda: str, wheels: list[Offer], others: list[Offer]) -> Statement:
    about, major = "tensorrt x cuda", cuda.partition(".")[0]
    for one in (*wheels, *others):
        if one.cuda.partition(".")[0] == major:
            where = f"wheels for CUDA {major}" if one.provider == "wheel" else f"CUDA {one.cuda}"
            inside = "" if one.provider == "wheel" else f" in {one.name}"
            text = f"{name} has {where}{inside}"
            return Statement(about, "yes", "install", text, one.source, one.confidence)
    first = (*wheels, *others)[0]
    majors = " and ".join(dict.fromkeys(one.cuda.partition(".")[0] for one in (*wheels, *others)))
    text = f"the catalogue has {name} for CUDA {majors} only"
    return Statement(about, "unknown", "install", text, first.source, first.confidence)


def _rules(environment: Environment, releases: list[str]) -> Iterator[Statement]:
    for rule in _data()["rule"]:
        if _speaks(rule, environment, releases):
            keys = [key for key in _RANGES if key in rule]
            keys += ["gpu"] if "jetson" in rule else []
            yield Statement(
                " x ".join(keys),
                rule["verdict"],
                rule["stage"],
                rule["text"],
                rule["source"],
                rule["confidence"],
            )


_RANGES = ("tensorrt", "cuda", "cudnn", "python")


def _speaks(rule: Mapping[str, Any], environment: Environment, releases: list[str]) -> bool:
    """Say whether every part that a rule names is asked about and in its range.

    releases: those that a version with parts left out may be; the rule has to hold for all.
    """
    # The rules are those of the releases of TensorRT; RTX counts its own.
    if environment.flavour == "tensorrt_rtx":
        return False
    boards = [one for one in environment.machine.devices if one.kind == "jetson"]
    if rule.get("jetson") and not boards:
        return False
    values = {key: [getattr(environment, key)] for key in _RANGES if key in rule}
    if "tensorrt" in values and environment.tensorrt:
        values["tensorrt"] = releases or [environment.tensorrt]
    return all(
        all(value and value in SpecifierSet(rule[key]) for value in asked)
        for key, asked in values.items()
    )


def _is_ruled_out(environment: Environment, part: str, releases: list[str]) -> bool:
    return any(
        part in rule and rule["verdict"] == "no" and _speaks(rule, environment, releases)
        for rule in _data()["rule"]
    )


def _machine(environment: Environment, known: list[Offer], facts: Facts) -> Iterator[Statement]:
    """Say what driver and GPUs do with the release and its CUDA."""
    found = _best_of_cuda(environment, known, facts)
    with_cuda = (
        f"driver x cuda {environment.cuda}".rstrip() if environment.cuda else "driver x cuda"
    )
    for reason in found:
        if reason.about == "gpu" and not environment.tensorrt:
            continue
        about = "tensorrt x gpu" if reason.about == "gpu" else with_cuda
        if reason.short == "driver older than the GPU":
            about = "driver x gpu"
        source, confidence = reason.source, reason.confidence or ""
        yield Statement(about, reason.verdict, "run", reason.text, source, confidence)


def _best_of_cuda(environment: Environment, known: list[Offer], facts: Facts) -> list[fit.Reason]:
    """Return the reasons with the CUDA asked for, else with the best one that the wheels have."""
    wheels = [one for one in known if one.provider == "wheel"]
    majors: list[str | None] = [environment.cuda or None]
    if not environment.cuda and wheels:
        majors = list(dict.fromkeys(one.cuda for one in wheels))
    every = [
        fit.reasons(
            facts,
            environment.machine,
            flavour=environment.flavour,
            release=environment.tensorrt or None,
            cuda=cuda,
            provider="wheel",
        )
        for cuda in majors
    ]
    return min(every, key=lambda reasons: _ORDER.index(fit.worst(reasons)))


_ORDER: tuple[fit.Verdict, ...] = ("yes", "limits", "unknown", "no")


def _architectures(environment: Environment) -> Iterator[Statement]:
    for device in environment.machine.devices:
        row = next((one for one in _data()["architecture"] if device.sm in one["sm"]), None)
        if row is None:
            continue
        source = str(_data()["architecture-source"])
        if environment.cuda:
            text = _toolkit(row, device, environment.cuda)
            word: fit.Verdict = "no" if text else "yes"
            text = text or f"CUDA {environment.cuda} supports {device}"
            yield Statement("cuda x gpu", word, "run", text, source, "documented")
        last = row.get("last-driver")
        driver = environment.machine.driver
        if last and driver and numbers(driver)[0] > int(last):
            text = f"R{last} is the last driver for {device}, {row['name']}; {driver} is newer"
            yield Statement("driver x gpu", "no", "run", text, source, "documented")


def _toolkit(row: Mapping[str, Any], device: Device, cuda: str) -> str:
    """Return why a toolkit is not for an architecture, or ""."""
    asked, first = numbers(cuda), numbers(row["first"])
    if asked < first[: len(asked)]:
        return f"{row['first']} is the first CUDA for {device}, {row['name']}"
    if "last" in row and asked[0] > int(row["last"]):
        return f"CUDA {row['last']} is the last one for {device}, {row['name']}"
    return ""


@functools.cache
def _data() -> dict[str, Any]:
    text = files(__package__).joinpath("environment.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
