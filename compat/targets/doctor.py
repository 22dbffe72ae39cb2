"""The catalogue's own health: every row complete, nothing said twice, nothing left over."""

from __future__ import annotations

import re
from collections import Counter

from compat.targets.catalogue import Catalogue, Release, fits, python_key

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
