"""Which images and wheels there are, asked by release, Python, driver and GPU."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from compat.targets import fit
from compat.targets.catalogue import Catalogue
from compat.targets.devices import Machine
from compat.targets.facts import Confidence, Facts, Image, JetPack, Numbers, numbers
from compat.targets.spec import Provider

FLAVOURS = ("tensorrt", "tensorrt_lean", "tensorrt_dispatch", "tensorrt_rtx")


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to a release. release: as far as it is known; said: as far as the source says.

    hint: what the target has to say beside its version, or "".
    """

    provider: Provider
    name: str
    flavour: str
    release: str | None
    said: str | None
    cuda: str
    pythons: tuple[str, ...]
    os: str
    source: str
    confidence: Confidence
    hint: str = ""
    image: Image | None = None
    jetpack: JetPack | None = None

    @property
    def order(self) -> Numbers:
        """Newest last: images by their tag, JetPacks by their version, wheels by their release."""
        if self.jetpack:
            return numbers(self.jetpack.version)
        return numbers(self.image.tag if self.image else self.release or "0")


@dataclass(frozen=True, slots=True)
class Answer:
    """An offer with what is known of it on a machine."""

    offer: Offer
    reasons: tuple[fit.Reason, ...]

    @property
    def verdict(self) -> fit.Verdict:
        """The answer to all that was asked."""
        return fit.worst(self.reasons)


@dataclass(frozen=True, slots=True)
class Question:
    """What an offer has to be; an empty part is not asked."""

    tensorrt: str = ""
    python: str = ""
    provider: str = ""
    flavours: tuple[str, ...] = ("tensorrt",)

    def fits(self, offer: Offer) -> bool:
        """Say whether an offer is asked for."""
        return (
            offer.flavour in self.flavours
            and self.provider in ("", offer.provider)
            and (not self.python or self.python in offer.pythons)
            and (not self.tensorrt or _is(offer, self.tensorrt))
        )


def offers(catalogue: Catalogue, facts: Facts) -> list[Offer]:
    """Return every image, JetPack and wheel of a TensorRT flavour, the oldest first."""
    every = [*_images(facts), *_jetpacks(facts), *_wheels(catalogue), *_stubs(facts)]
    return sorted(every, key=lambda one: (one.provider, one.flavour, one.order))


def answer(facts: Facts, machine: Machine, found: Iterable[Offer]) -> list[Answer]:
    """Ask for every offer whether it runs on a machine."""
    return [Answer(offer, tuple(_reasons(facts, machine, offer))) for offer in found]


def _reasons(facts: Facts, machine: Machine, offer: Offer) -> list[fit.Reason]:
    if offer.jetpack:  # driver, CUDA and TensorRT are parts of it
        return [fit.board(offer.jetpack, device) for device in machine.devices]
    return fit.reasons(
        facts,
        machine,
        flavour=offer.flavour,
        release=offer.release,
        cuda=offer.cuda,
        provider=offer.provider,
        image=offer.image,
    )


def newest(answers: Iterable[Answer]) -> tuple[list[Answer], list[Answer]]:
    """Return the newest of each provider and flavour that a text says to run.

    Also those newer ones of which no text says it.
    """
    best: dict[tuple[str, str], Answer] = {}
    open_: dict[tuple[str, str], list[Answer]] = {}
    for one in sorted(answers, key=lambda each: each.offer.order):
        key = one.offer.provider, one.offer.flavour
        if one.verdict in ("yes", "limits"):
            best[key], open_[key] = one, []
        elif one.verdict == "unknown":
            open_.setdefault(key, []).append(one)
    newer = [one for key in sorted(open_) for one in open_[key]]
    return [best[key] for key in sorted(best)], newer


def _is(offer: Offer, wanted: str) -> bool:
    """Say whether an offer is of a release: "10.13" is all of 10.13.x."""
    if offer.release is None:
        return False
    parts = numbers(wanted)
    return numbers(offer.release)[: len(parts)] == parts


def _images(facts: Facts) -> Iterator[Offer]:
    for image in facts.images:
        yield Offer(
            provider="container",
            name=image.tag,
            flavour="tensorrt",
            release=image.release,
            said=image.tensorrt,
            cuda=image.cuda,
            pythons=(image.python,),
            os=image.os,
            source=image.source,
            confidence=image.confidence,
            image=image,
        )


def _jetpacks(facts: Facts) -> Iterator[Offer]:
    for pack in facts.jetpacks:
        yield Offer(
            provider="local",
            name=f"JetPack {pack.version}",
            flavour="tensorrt",
            release=pack.tensorrt,
            said=pack.tensorrt,
            cuda=pack.cuda or "unknown",
            pythons=(pack.python,) if pack.python else (),
            os=pack.os,
            source=pack.source,
            confidence=pack.confidence,
            jetpack=pack,
        )


def _wheels(catalogue: Catalogue) -> Iterator[Offer]:
    for release in catalogue.releases:
        if release.flavour not in FLAVOURS:
            continue
        for cuda in release.pins:
            yield Offer(
                provider="wheel",
                name=f"{release.flavour} {release.version}",
                flavour=release.flavour,
                release=release.version,
                said=release.version,
                cuda=cuda,
                pythons=release.pythons,
                os="Linux",
                source=release.source,
                confidence="measured",
            )


def _stubs(facts: Facts) -> Iterator[Offer]:
    for package in facts.packages:
        low, high = (int(one.split(".")[1]) for one in package.pythons.split("-"))
        for cuda in package.cuda:
            yield Offer(
                provider="wheel",
                name=f"tensorrt {package.version}",
                flavour="tensorrt",
                release=package.version,
                said=package.version,
                cuda=cuda,
                pythons=tuple(f"3.{minor}" for minor in range(low, high + 1)),
                os="Linux",
                source=facts.package_source,
                confidence="measured",
                hint="needs `index` or `find-links`",
            )


def image_of(facts: Facts, reference: str) -> Image | None:
    """Return the row of an image: "24.08", "24.08-py3" or a whole reference, also of a mirror."""
    name = reference.partition("@")[0].rpartition("/")[2]
    repository, _, tag = name.rpartition(":")
    found = re.fullmatch(r"(\d\d\.\d\d)(?:-py3)?", tag)
    if found is None or repository not in ("", "tensorrt"):
        return None
    return next((one for one in facts.images if one.tag == found[1]), None)
