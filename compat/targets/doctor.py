"""The catalogue's own health: every row complete, nothing said twice, nothing left over."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from compat.targets.catalogue import Catalogue, Release, fits, python_key
from compat.targets.facts import Facts, Image, JetPack, numbers

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIN = re.compile(r"[a-z0-9-]+==[0-9][0-9a-z.]*")


def doctor(catalogue: Catalogue) -> list[str]:
    """Return what is wrong with a catalogue, one sentence each; empty when it is sound."""
    names = Counter((one.flavour, one.version) for one in catalogue.releases)
    findings = [
        f"{name} {version}: listed {n} times" for (name, version), n in names.items() if n > 1
    ]
    for release in catalogue.releases:
        findings += [
            f"{release.flavour} {release.version}: {what}" for what in _row(catalogue, release)
        ]
    used = catalogue.pins()
    findings += [f"{pin}: not an exact pin" for pin in used if not _PIN.fullmatch(pin)]
    for pin, wheels in catalogue.wheels.items():
        if pin not in used:
            findings.append(f"{pin}: has digests, and nothing installs it")
        findings += [
            f"{pin} {tag}: not a sha256"
            for tag, value in wheels.items()
            if not _SHA256.fullmatch(value)
        ]
    findings += [
        f"suite, Python {python}: {pin} has no digest"
        for python, pins in catalogue.suite.items()
        for pin in pins
        if pin not in catalogue.wheels
    ]
    return findings


def _row(catalogue: Catalogue, release: Release) -> list[str]:
    findings = []
    if not release.source:
        findings.append("no source")
    if len(release.version.split(".")) != release.parts:
        findings.append(f"its version does not have {release.parts} parts")
    if list(release.pythons) != sorted(set(release.pythons), key=python_key) or not release.pythons:
        findings.append("its Pythons are not a sorted list")
    findings += [
        f"the suite has no packages for Python {python}"
        for python in release.pythons
        if python not in catalogue.suite
    ]
    for cuda in release.pins:
        for python in release.pythons:
            recipe = catalogue.recipe(release, cuda, python)
            findings += [
                f"{pin} (CUDA {cuda}) has no wheel for Python {python} on Linux x86_64"
                for pin in recipe.hashes
                if not any(fits(tag, python, "x86_64") for tag in catalogue.wheels[pin])
            ]
    return findings


def audit(facts: Facts) -> list[str]:
    """Return what is wrong with the facts, one sentence each; empty when they are sound."""
    return [
        *_unsorted("image", [image.tag for image in facts.images]),
        *_unsorted("JetPack", [pack.version for pack in facts.jetpacks]),
        *_unsorted("toolkit", [one.cuda for one in facts.toolkits]),
        *_unsorted("package", [package.version for package in facts.packages]),
        *_unsorted("capability", [str(row.sm) for row in facts.capabilities]),
        *_repeated_names(facts),
        *(f"image {image.tag}: {what}" for image in facts.images for what in _image(image, facts)),
        *(
            f"JetPack {pack.version}: {what}"
            for pack in facts.jetpacks
            for what in (*_memory(pack.memory, pack.model_dump()), *_boards(pack, facts))
        ),
        *_supports(facts),
        *_traps(facts),
    ]


def _unsorted(what: str, versions: Sequence[str]) -> Iterator[str]:
    for earlier, later in itertools.pairwise(versions):
        if numbers(earlier) >= numbers(later):
            yield f"{what} {later}: stands after {earlier}; each is there once, the oldest first"


def _repeated_names(facts: Facts) -> Iterator[str]:
    names = Counter(
        name.lower()
        for row in facts.capabilities
        for name in (*row.names, *row.data_centre, *row.jetson)
    )
    for name, count in names.items():
        if count > 1:
            yield f"GPU {name}: is in {count} rows"
    for row in facts.capabilities:
        if not (row.names or row.data_centre or row.jetson):
            yield f"capability {row.sm}: names no GPU"


def _image(image: Image, facts: Facts) -> Iterator[str]:
    if image.likely:
        parts = numbers(image.likely)
        said = numbers(image.tensorrt) if image.tensorrt else ()
        if parts[: len(said)] != said or len(parts) != 4 or len(said) == 4:
            yield f"likely {image.likely} is not a build of {image.tensorrt}"
    if image.tensorrt is None and not image.note:
        yield "an unknown release has to be told in a note"
    if (image.confidence == "memory") != ("tensorrt" in image.memory):
        yield "confidence and memory disagree on tensorrt"
    if image.driver and not (image.driver_source and image.data_centre):
        yield "driver has no driver-source or no data-centre"
    minors = {numbers(one.cuda)[:2] for one in facts.toolkits}
    if numbers(image.cuda)[:2] not in minors:
        yield f"cuda.toml has no CUDA {image.cuda}"
    yield from _memory(image.memory, image.model_dump())


def _boards(pack: JetPack, facts: Facts) -> Iterator[str]:
    known = {name for row in facts.capabilities for name in row.jetson}
    for board in pack.boards:
        if board not in known:
            yield f"no row of gpus.toml names the board {board}"


def _memory(keys: Sequence[str], row: dict[str, object]) -> Iterator[str]:
    for key in keys:
        if key not in row:
            yield f"memory names {key}, which is no key"


def _supports(facts: Facts) -> Iterator[str]:
    for row in facts.capabilities:
        for support in filter(None, (row.tensorrt, row.tensorrt_rtx)):
            steps = [support.added or support.first, support.named, support.dropped]
            known = [numbers(step) for step in steps if step]
            if known != sorted(known):
                yield f"capability {row.sm}: its releases are not in order"
            if support.refused and known:
                yield f"capability {row.sm}: refused, and yet taken by some release"


def _traps(facts: Facts) -> Iterator[str]:
    for trap in facts.traps:
        try:
            SpecifierSet(trap.versions)
        except InvalidSpecifier:
            yield f"trap {trap.text[:30]!r}: {trap.versions!r} is no range of versions"
