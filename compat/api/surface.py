"""The public Python API of TensorRT's releases, as ``compat.api.collect`` read it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from compat.errors import UserError

DATA = Path(__file__).with_name("surface.json.gz")
Rows = Mapping[str, list[str]]


def version_key(version: str) -> tuple[Any, ...]:
    """Return what sorts versions: 10.0.0b6 stands before 10.0.1, a .post1 behind its release."""
    numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[a-z]", version)[0])]
    early = re.search(r"(?:a|b|rc|dev)(\d+)", version)
    post = re.search(r"post(\d+)", version)
    padded = (*numbers, 0, 0, 0, 0)[:4]
    return (*padded, -1 if early else 0, int(post[1]) if post else 0)


def fold(
    surfaces: Mapping[str, Mapping[str, Rows]], missing: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Fold releases into ranges: symbol -> flavour -> [[first, last, kind, text], ...]."""
    releases = {flavour: sorted(those, key=version_key) for flavour, those in surfaces.items()}
    texts: dict[str, int] = {}
    symbols: dict[str, dict[str, list[list[int | str]]]] = {}
    for flavour, versions in releases.items():
        for at, version in enumerate(versions):
            for name, (kind, text) in surfaces[flavour][version].items():
                ranges = symbols.setdefault(name, {}).setdefault(flavour, [])
                known = texts.setdefault(text, len(texts))
                if ranges and ranges[-1][1] == at - 1 and ranges[-1][2:] == [kind, known]:
                    ranges[-1][1] = at
                else:
                    ranges.append([at, at, kind, known])
    gaps = {
        flavour: dict(sorted(those.items(), key=lambda pair: version_key(pair[0])))
        for flavour, those in missing.items()
    }
    return {
        "schema": 1,
        "releases": releases,
        "not-collected": gaps,
        "texts": list(texts),
        "symbols": dict(sorted(symbols.items())),
    }


def write(data: Mapping[str, Any], path: Path) -> None:
    """Write the folded data; the same data gives the same bytes."""
    text = json.dumps(data, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


class Surface:
    """The surface of one flavour over its releases."""

    def __init__(self, flavour: str, data: Mapping[str, Any]) -> None:
        """Take the folded data; ask ``surface()`` for the stored one."""
        self.flavour = flavour
        self.releases: list[str] = data["releases"][flavour]
        self.gaps: dict[str, str] = data["not-collected"].get(flavour, {})
        texts = data["texts"]
        self._rows: dict[str, list[tuple[int, int, str, str]]] = {
            name: [(first, last, kind, texts[text]) for first, last, kind, text in found[flavour]]
            for name, found in data["symbols"].items()
            if flavour in found
        }
        self._index = {version: at for at, version in enumerate(self.releases)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._rows

    def row(self, symbol: str, version: str) -> tuple[str, str] | None:
        """Return kind and text of a symbol in a release, None where it is not there."""
        at = self._index[version]
        for first, last, kind, text in self._rows.get(symbol, ()):
            if first <= at <= last:
                return kind, text
        return None

    def rows(self, symbol: str) -> Iterator[tuple[str, str]]:
        """Yield kind and text of a symbol in all releases, the newest first."""
        for _, _, kind, text in reversed(self._rows.get(symbol, [])):
            yield kind, text

    def latest(self, symbol: str) -> tuple[str, str] | None:
        """Return kind and text of a symbol in the last release that has it."""
        found = self._rows.get(symbol)
        return (found[-1][2], found[-1][3]) if found else None

    def span(self, symbol: str) -> tuple[str, str]:
        """Return the first and the last release that have a symbol."""
        found = self._rows[symbol]
        return self.releases[found[0][0]], self.releases[found[-1][1]]

    def lost_after(self, symbol: str, version: str) -> str | None:
        """Return the first later release without the symbol, None where none is."""
        for later in self.releases[self._index[version] + 1 :]:
            if self.row(symbol, later) is None:
                return later
        return None

    def resolve(self, asked: str, newest: bool = True) -> str:
        """Return the release that a version names: itself, or the newest (oldest) that begins so.

        Raises:
            VersionError: there is none; the text says which there are.

        """
        if asked in self._index:
            return asked
        fits = [one for one in self.releases if one.startswith(asked.rstrip(".") + ".")]
        if fits:
            return fits[-1 if newest else 0]
        have = ", ".join(self.releases)
        near = [why for one, why in self.gaps.items() if f"{one}.".startswith(asked + ".")]
        because = f" ({near[0]})" if near else ""
        raise VersionError(
            f"the Python API of {self.flavour} {asked or repr(asked)} was not collected{because}; "
            f"choose one of: {have}"
        )


class VersionError(UserError):
    """A version is asked for whose surface is not known."""


@cache
def surface(flavour: str) -> Surface:
    """Return the stored surface of a flavour."""
    return Surface(flavour, _data())


def flavours() -> tuple[str, ...]:
    """Return the flavours that were collected."""
    return tuple(_data()["releases"])


@cache
def _data() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(gzip.decompress(DATA.read_bytes()))
    return data
