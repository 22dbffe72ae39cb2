"""What stands in every bundle: in which order, this package itself, what a person asks of it."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import compat

# Stands uncompressed: what decompresses, and what is compressed already.
PLAIN = ("decoder/", "interpreters/")
_PACKAGE = Path(compat.__file__).parent


def order(name: str) -> tuple[int, str, str]:
    """Place what seldom changes first: decoder, interpreters, wheels, then models.

    Wheels by name, whatever Python they are for: what resembles each other lies together.
    """
    kinds = (*PLAIN, "wheels/", "models/", "golden/")
    kind = next((index for index, one in enumerate(kinds) if name.startswith(one)), len(kinds))
    return kind, name.rpartition("/")[2] if name.startswith("wheels/") else "", name


def source() -> bytes:
    """Return this package as an archive that is the same as long as the files are."""
    raw = io.BytesIO()
    with (
        gzip.GzipFile("", "wb", 9, raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive,
    ):
        for path in sorted(_PACKAGE.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                info = tarfile.TarInfo(f"compat/{path.relative_to(_PACKAGE)}")
                content = path.read_bytes()
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return raw.getvalue()


def summary(far: Mapping[str, Any]) -> list[str]:
    """Return what a person asks of a bundle, one line each."""
    there = [str(spec["name"]) for spec in far["make"]["specs"]]
    lines = [f"{len(far['plan']['items'])} items, models: {', '.join([*far['models'], *there])}"]
    if there:
        lines.append(f"models made on the far machine: {', '.join(there)}")
    for name, target in far["targets"].items():
        lost = target.get("unavailable")
        lines.append(
            f"target {name}: "
            + (lost["message"] if lost else f"Python {target['python']}")
            + (" as found on the far machine" if "local" in target else "")
        )
    brought = [one["version"] for one in far["interpreters"].values()]
    lines.append(f"interpreters brought along: {', '.join(brought) or 'none'}")
    return [*lines, *(f"left out of its wheel: {name}" for name in far["without"])]
