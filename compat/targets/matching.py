"""A target of the configuration against a machine: this one, or one that is not here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from compat.targets import fit
from compat.targets.catalogue import Catalogue
from compat.targets.devices import Machine
from compat.targets.facts import Facts, Image, numbers
from compat.targets.spec import EngineChoice, TargetSpec
from compat.targets.suggestion import FLAVOURS, image_of


@dataclass(frozen=True, slots=True)
class Match:
    """What the rules say of one target. notes: worth knowing, and no part of the answer."""

    target: TargetSpec
    reasons: tuple[fit.Reason, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> fit.Verdict:
        """The answer to all questions together."""
        return fit.worst(self.reasons)


def match(
    target: TargetSpec,
    image: str | None,
    machine: Machine,
    catalogue: Catalogue,
    facts: Facts,
    *,
    engines: tuple[str, ...] | None,
    choice: EngineChoice = "auto",
) -> Match:
    """Compare what a target needs with a machine.

    Args:
        target: as the configuration asks for it.
        image: the reference of a container target.
        machine: where it would run.
        catalogue: the releases known.
        facts: what is known of images, GPUs and drivers.
        engines: the container engines of the machine; None where they are not asked.
        choice: the engine that the configuration asks for.
    """
    reasons = list(_engine(choice, engines)) if target.provider == "container" else []
    if target.flavour not in FLAVOURS:
        return Match(target, tuple(reasons), ("it runs on the CPU, too",))
    if machine.problem:
        text = f"{machine.problem}: no engine runs there"
        return Match(target, (*reasons, fit.Reason("driver", "no", text)), ())
    row = image_of(facts, image) if image else None
    reasons += fit.reasons(
        facts,
        machine,
        flavour=target.flavour,
        release=target.version,
        cuda=row.cuda if row else _wheel_cuda(target, catalogue),
        provider=target.provider,
        image=row,
    )
    return Match(target, tuple(reasons), tuple(_notes(target, image, row)))


def _engine(choice: EngineChoice, engines: tuple[str, ...] | None) -> Iterator[fit.Reason]:
    if engines is None or choice in engines or (choice == "auto" and engines):
        return
    text = "there is no container engine: install Docker or Podman"
    if engines:
        text = f'{choice} is not on PATH: install it, or write engine = "auto" into [containers]'
    yield fit.Reason("engine", "no", text)


def _wheel_cuda(target: TargetSpec, catalogue: Catalogue) -> str | None:
    """Return the CUDA major of a wheel target; a local one says nothing before it is asked."""
    if target.provider != "wheel":
        return None
    release = catalogue.find(target.flavour, target.version)
    return target.cuda or next(iter(release.pins), None) if release else target.cuda


def _notes(target: TargetSpec, image: str | None, row: Image | None) -> list[str]:
    if target.provider == "local":
        return ["which CUDA it is built for is known when it is asked: see targets doctor"]
    if target.provider != "container":
        return []
    if row is None:
        name = image or "no image is named"
        return [f"{name}: no row of the catalogue, so nothing is known of its CUDA"]
    if row.tensorrt and numbers(target.version)[: len(numbers(row.tensorrt))] != numbers(
        row.tensorrt
    ):
        return [
            f"the catalogue has TensorRT {row.tensorrt} in {row.tag}, the target says "
            f"{target.version} ({row.confidence}: {row.source}); the image is asked when it runs"
        ]
    return []
