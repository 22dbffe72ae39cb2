"""The release catalogue: releases.toml, wheels.toml and suite.toml as checked, frozen values."""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_TAG_PYTHON = re.compile(r"cp3(\d+)|(?:py2\.)?py3")


@dataclass(frozen=True, slots=True)
class Flavour:
    """What the releases of a flavour share. pins: CUDA major (or "cpu") to patterns."""

    name: str
    module: str
    parts: int
    open: bool
    pins: Mapping[str, tuple[str, ...]]
    support: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Release:
    """One release. pins: CUDA major (or "cpu") to exact pins; listed: False for a guess by rule.

    beside: files that must stand at a path (key) as copies of another (value), both relative to
    the environment's site-packages.
    """

    flavour: str
    version: str
    module: str
    parts: int
    pythons: tuple[str, ...]
    pins: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...]
    library_dirs: tuple[str, ...]
    source: str
    listed: bool = True
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to install for one release, CUDA and Python: pins with the digests known for them.

    hashes: pin to sha256 digests; a pin without an entry cannot be checked.
    resolve: the pins are a guess, so uv has to add their requirements.
    """

    pins: tuple[str, ...]
    hashes: Mapping[str, tuple[str, ...]]
    resolve: bool

    @property
    def complete(self) -> bool:
        """Whether every wheel is verified."""
        return all(pin in self.hashes for pin in self.pins)

    def lines(self) -> str:
        """Return the text of a requirements file."""
        return "".join(
            " ".join([pin, *(f"--hash=sha256:{one}" for one in self.hashes.get(pin, ()))]) + "\n"
            for pin in self.pins
        )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All releases known, the digests of their wheels, and the suite's own packages."""

    flavours: Mapping[str, Flavour]
    releases: tuple[Release, ...]
    wheels: Mapping[str, Mapping[str, str]]
    suite: Mapping[str, tuple[str, ...]]

    def find(self, flavour: str, version: str) -> Release | None:
        """Return a release: its row, or the guess by the flavour's rule, or None."""
        for release in self.releases:
            if (release.flavour, release.version) == (flavour, version):
                return release
        kind = self.flavours.get(flavour)
        if kind is None or not kind.open:
            return None
        pythons = tuple(sorted(self.suite, key=python_key))
        return _release(kind, {"version": version, "pythons": pythons, "source": "rule"}, False)

    def recipe(self, release: Release, cuda: str, python: str) -> Recipe:
        """Return what to install for a release on one CUDA and Python ("3.11")."""
        support = self.flavours[release.flavour].support.get(python, ())
        pins = release.pins[cuda]
        if release.listed:
            pins += release.needs + support
        return self._recipe(pins, resolve=not release.listed)

    def suite_recipe(self, python: str) -> Recipe:
        """Return the suite's own packages for one Python ("3.11"); KeyError if it has none."""
        return self._recipe(self.suite[python], resolve=False)

    def _recipe(self, pins: tuple[str, ...], *, resolve: bool) -> Recipe:
        hashes = {pin: tuple(self.wheels[pin].values()) for pin in pins if pin in self.wheels}
        return Recipe(pins, hashes, resolve)

    def has_wheels(self, recipe: Recipe, python: str, machine: str) -> bool:
        """Say whether no recorded pin lacks a wheel for this Python and machine ("x86_64")."""
        return all(
            any(fits(tag, python, machine) for tag in self.wheels[pin]) for pin in recipe.hashes
        )

    def nearest(self, flavour: str, version: str) -> list[str]:
        """Return up to three known versions of a flavour, the nearest first."""
        known = [one.version for one in self.releases if one.flavour == flavour]
        return sorted(known, key=lambda one: _distance(one, version))[:3]

    def pins(self) -> dict[str, set[str]]:
        """Return every pin of the rows and of the suite with the Pythons ("3.11") that use it."""
        used: dict[str, set[str]] = {}
        for release in self.releases:
            for cuda in release.pins:
                for python in release.pythons:
                    for pin in self.recipe(release, cuda, python).pins:
                        used.setdefault(pin, set()).add(python)
        for python, pins in self.suite.items():
            for pin in pins:
                used.setdefault(pin, set()).add(python)
        return used


def python_key(version: str) -> tuple[int, ...]:
    """Order "3.9" before "3.10"."""
    return tuple(int(part) for part in version.split("."))


def _distance(known: str, wanted: str) -> list[int]:
    """Order versions by how far each part is off, the major first."""
    numbers = ([int(part) for part in re.findall(r"\d+", one)] for one in (known, wanted))
    return [abs(a - b) for a, b in itertools.zip_longest(*numbers, fillvalue=0)]


def fits(tag: str, python: str, machine: str) -> bool:
    """Say whether a wheel tag is of this Python ("3.11") and Linux machine ("x86_64")."""
    interpreter, _, system = tag.split("-", 2)
    named = _TAG_PYTHON.fullmatch(interpreter)
    mine = named is not None and named[1] in (None, python.split(".")[1])
    return mine and (system == "any" or ("linux" in system and system.endswith("_" + machine)))


def load(folder: Path = _FOLDER) -> Catalogue:
    """Read the three files of a catalogue."""
    raw, wheels, suite = (
        tomllib.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("releases.toml", "wheels.toml", "suite.toml")
    )
    flavours = {name: _flavour(name, table) for name, table in raw["flavour"].items()}
    return Catalogue(
        flavours=flavours,
        releases=tuple(_release(flavours[row["flavour"]], row, True) for row in raw["release"]),
        wheels=wheels,
        suite={python: tuple(pins) for python, pins in suite["python"].items()},
    )


@functools.cache
def catalogue() -> Catalogue:
    """Return the catalogue that comes with this program."""
    return load()


def _flavour(name: str, table: Mapping[str, Any]) -> Flavour:
    return Flavour(
        name=name,
        module=table["module"],
        parts=table["parts"],
        open=table["open"],
        pins=_tuples(table["pins"]),
        support=_tuples(table.get("support", {})),
    )


def _release(kind: Flavour, row: Mapping[str, Any], listed: bool) -> Release:
    version = row["version"]
    patterns = _tuples(row["pins"]) if "pins" in row else kind.pins
    return Release(
        flavour=kind.name,
        version=version,
        module=row.get("module", kind.module),
        parts=row.get("parts", kind.parts),
        pythons=tuple(row["pythons"]),
        pins={
            cuda: tuple(pin.replace("{version}", version) for pin in pins)
            for cuda, pins in patterns.items()
        },
        needs=tuple(row.get("needs", ())),
        library_dirs=tuple(row.get("library-dirs", ())),
        source=row.get("source", ""),
        listed=listed,
        beside=row.get("beside", {}),
    )


def _tuples(table: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(values) for key, values in table.items()}
