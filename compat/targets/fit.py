"""Whether a release runs on a GPU and a driver, by what NVIDIA's texts say, with the text.

Four answers: "yes"; "limits", it runs under a condition that the text names; "unknown", no text was
found that says it; "no". Never more than a source says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from compat.targets.devices import Device, Machine, reaches
from compat.targets.facts import Confidence, Facts, Image, JetPack, Support, Toolkit, numbers
from compat.targets.spec import Provider

Verdict = Literal["yes", "limits", "unknown", "no"]
_ORDER: tuple[Verdict, ...] = ("yes", "limits", "unknown", "no")
_TITLES = {
    "tensorrt": "TensorRT",
    "tensorrt_lean": "the lean runtime",
    "tensorrt_dispatch": "the dispatch runtime",
    "tensorrt_rtx": "TensorRT-RTX",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One answer with what it rests on. short: the rule in a few words, "" for a plain yes."""

    about: Literal["gpu", "driver", "engine"]
    verdict: Verdict
    text: str
    source: str = ""
    confidence: Confidence | None = None
    short: str = ""


def worst(reasons: Iterable[Reason]) -> Verdict:
    """Return the answer to all questions together; "yes" where nothing was asked."""
    return max((one.verdict for one in reasons), key=_ORDER.index, default="yes")


def reasons(
    facts: Facts,
    machine: Machine,
    *,
    flavour: str,
    release: str | None,
    cuda: str | None,
    provider: Provider,
    image: Image | None = None,
) -> list[Reason]:
    """Answer everything that is asked of a release on a machine.

    Args:
        facts: what is known.
        machine: the GPUs and the driver; what it leaves out is not asked.
        flavour: as in the configuration.
        release: the version, as far as it is known.
        cuda: toolkit ("12.6.1") or major ("12") that it is built with; None where not known.
        provider: how it comes to the machine; a local one is taken as it is there.
        image: the NGC image that it is in.
    """
    found: list[Reason] = []
    for device in machine.devices:
        found.append(gpu(facts, flavour, release, device))
        found += _first_driver(machine, device)
        if device.kind == "jetson" and provider != "local":
            claim = facts.servers
            text = f"{device}: {claim.text}"
            short = "not made for Jetson"
            found.append(Reason("gpu", "unknown", text, claim.source, claim.confidence, short))
    if cuda is not None and (machine.driver or machine.cuda):
        found.append(_driver(facts, machine, cuda, image, provider))
    return found


def board(pack: JetPack, device: Device) -> Reason:
    """Say whether a JetPack is for a board."""
    boards = set(device.row.jetson) & set(pack.boards) if device.row else set()
    text = f"JetPack {pack.version} is for {' and '.join(pack.boards)}, not {device}"
    if boards:
        text = f"JetPack {pack.version} is for {device}"
    verdict: Verdict = "yes" if boards else "no"
    short = "" if boards else "another board"
    return Reason("gpu", verdict, text, pack.source, pack.confidence, short)


def gpu(facts: Facts, flavour: str, release: str | None, device: Device) -> Reason:
    """Say whether a release takes a GPU."""
    what = f"{_TITLES.get(flavour, flavour)} {release or 'of an unknown version'}"
    if device.row is None:
        text = f"the catalogue does not know compute capability {device}"
        return Reason("gpu", "unknown", text, short="GPU unknown")
    support = device.row.tensorrt
    if flavour == "tensorrt_rtx":
        support = device.row.tensorrt_rtx or facts.unlisted.tensorrt_rtx
    verdict, text = _support(support, what, release, f"{device}, {device.row.family}")
    if support.note and (verdict == "no" or not support.named):
        text += f" ({support.note.rstrip('.')})"
    short = {"no": "GPU not taken", "unknown": "GPU not named"}.get(verdict, "")
    if verdict != "no" and support.named_source:
        return Reason("gpu", verdict, text, support.named_source, "documented", short)
    return Reason("gpu", verdict, text, support.source, support.confidence, short)


def _support(support: Support, what: str, release: str | None, who: str) -> tuple[Verdict, str]:
    """Answer by one row of gpus.toml."""
    takes = f"{what} takes {who}"
    if release is None and not support.refused:
        return "unknown", f"whether it takes {who} depends on its version, which no text names"
    has = numbers(release or "0")
    if support.refused or (support.dropped and has >= numbers(support.dropped)):
        since = "" if support.refused else f": {support.dropped} and later do not"
        return "no", f"{what} does not take {who}{since}"
    if support.added and has < numbers(support.added):
        return "no", f"{what} does not take {who}: support came with {support.added}"
    if support.named is None or (support.first and has < numbers(support.first)):
        since = f"; {support.first} does" if support.first else ""
        return "unknown", f"no text says that {takes}{since}"
    named = numbers(support.named)
    if has[: len(named)] > named:
        return "unknown", f"no text says that {takes}; {support.named} is the newest one named"
    return "yes", takes


def _first_driver(machine: Machine, device: Device) -> Iterator[Reason]:
    known = device.row.driver if device.row else None
    if known and machine.driver and not reaches(machine.driver, known.branch):
        text = f"{device} needs driver R{known.branch} or newer, not {machine.driver}"
        short = "driver older than the GPU"
        yield Reason("driver", "no", text, known.source, known.confidence, short)


def _driver(
    facts: Facts, machine: Machine, cuda: str, image: Image | None, provider: Provider
) -> Reason:
    """Say whether the driver runs a toolkit, or a whole major where only that is known."""
    number = cuda.partition(".")[0]
    major = next((one for one in facts.majors if one.cuda == number), None)
    if major is None:
        text = f"the catalogue knows no rule for CUDA {cuda}"
        return Reason("driver", "unknown", text, short="CUDA unknown")
    toolkit = _toolkit(facts, cuda, major)
    if _has(machine, toolkit):
        text = f"{_driver_name(machine)} runs CUDA {cuda}"
        return Reason("driver", "yes", text, toolkit.source, toolkit.confidence)
    if image is not None and (allowed := _allowed(machine, image, major)):
        return allowed
    if _has(machine, major):
        return _minor(machine, cuda, toolkit, major, image)
    return _forward(facts, machine, cuda, major, provider)


def _toolkit(facts: Facts, cuda: str, major: Toolkit) -> Toolkit:
    """Return the row of a toolkit, else the newest one of its minor that is not newer than it.

    Of a major alone the newest: which one the wheels are built with is not known.
    """
    wanted = numbers(cuda)
    fit = [
        one
        for one in facts.toolkits
        if numbers(one.cuda)[:2][: len(wanted)] == wanted[:2]
        and (len(wanted) == 1 or numbers(one.cuda) <= wanted)
    ]
    return fit[-1] if fit else major


def _has(machine: Machine, needed: Toolkit) -> bool:
    if machine.driver:
        return reaches(machine.driver, needed.driver)
    wanted = numbers(needed.cuda)[:2]
    return numbers(machine.cuda or "0")[: len(wanted)] >= wanted


def _allowed(machine: Machine, image: Image, major: Toolkit) -> Reason | None:
    """Answer by the image's own release notes, which speak of data centre GPUs apart.

    Notes that ask for less than the CUDA major itself (25.08) contradict NVIDIA's other text.
    """
    if not machine.driver or not _all_data_centre(machine):
        return None
    branch = numbers(machine.driver)[0]
    listed = next((one for one in image.data_centre if numbers(one)[0] == branch), None)
    if listed is None or not reaches(machine.driver, listed):
        return None
    text = f"on data centre GPUs the notes of {image.tag} allow R{branch} from {listed} on"
    source = image.driver_source or ""
    if image.driver and not reaches(image.driver, major.driver):
        text += (
            f"; but they ask for R{image.driver} elsewhere, and {major.source} for {major.driver} "
            f"with any CUDA {major.cuda}: the texts disagree"
        )
        return Reason("driver", "unknown", text, source, "reported", "texts disagree")
    short = "allowed on data centre GPUs"
    return Reason("driver", "limits", text, source, "reported", short)


def _minor(
    machine: Machine, cuda: str, toolkit: Toolkit, major: Toolkit, image: Image | None
) -> Reason:
    """Answer for a driver of the toolkit's major that is older than the toolkit."""
    if cuda == major.cuda:
        text = (
            f"minor version compatibility: {_driver_name(machine)} runs every CUDA {cuda}.x, the "
            "newer ones with limited features; which one the wheels are built with is not known"
        )
    else:
        text = (
            f"minor version compatibility: {_driver_name(machine)} is older than that of CUDA "
            f"{cuda} ({toolkit.driver}), but runs CUDA {major.cuda}.x, with limited features"
        )
    if image and image.driver:
        text += f"; the notes of {image.tag} ask for R{image.driver}"
    short = "minor version compatibility"
    return Reason("driver", "limits", text, major.source, major.confidence, short)


def _forward(
    facts: Facts, machine: Machine, cuda: str, major: Toolkit, provider: Provider
) -> Reason:
    """Answer for a driver of an earlier CUDA major; only an image may have the package for it."""
    text = f"CUDA {cuda} needs driver {major.driver} or newer, not {_driver_name(machine)}"
    kinds = {device.kind for device in machine.devices}
    if provider != "container":
        return Reason("driver", "no", text, major.source, major.confidence, "driver too old")
    forward = facts.forward
    text += f"; {forward.text}"
    if kinds == {"desktop"}:
        text += f"; {forward.elsewhere}"
        return Reason("driver", "no", text, forward.source, forward.confidence, "driver too old")
    text += ". No text names the drivers that it takes here"
    short = "forward compatibility"
    return Reason("driver", "unknown", text, forward.source, forward.confidence, short)


def _all_data_centre(machine: Machine) -> bool:
    return bool(machine.devices) and all(one.kind == "data centre" for one in machine.devices)


def _driver_name(machine: Machine) -> str:
    if machine.driver:
        branch = "branch " if "." not in machine.driver else ""
        return f"driver {branch}{machine.driver}"
    return f"a driver with CUDA {machine.cuda}"
