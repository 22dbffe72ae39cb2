"""The public Python API of TensorRT's releases, as ``compat.api.collect`` read it."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
