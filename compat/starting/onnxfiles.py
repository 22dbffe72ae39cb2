"""Find the ONNX files of a repository, quickly and with bounds, and say what each one holds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compat.models import Description, ModelError, describe

# Where other programs keep their own: a repository's models lie elsewhere.
_FOREIGN = frozenset(
    {"node_modules", "site-packages", "__pycache__", "venv", "env", "build", "dist", "reports"}
)
_MOST_ENTRIES = 50_000
_DEEPEST = 8
_MOST_MODELS = 8
_MOST_REFUSED = 50
_MOST_BYTES = 1 << 31  # of one protobuf message; larger networks have their weights beside them


@dataclass(frozen=True, slots=True)
class Model:
    """An ONNX file that can be taken, by a name that ``compat.toml`` allows."""

    name: str
    path: str
    description: Description


@dataclass(frozen=True, slots=True)
class Search:
    """What was found: `refused` are paths with the reason, `left_out` paths beyond the bound.

    `cut_short` says which bound ended the search; empty where all was looked at.
    """

    models: tuple[Model, ...]
    refused: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    cut_short: str


def search(
    folder: Path, *, most_entries: int = _MOST_ENTRIES, most_models: int = _MOST_MODELS
) -> Search:
    """Look for ONNX files below `folder` and describe the first `most_models` of them.

    Hidden folders, environments and build folders are passed over, links to folders not followed.
    """
    paths, cut_short = _paths(folder, most_entries)
    models: list[Model] = []
    refused: list[tuple[str, str]] = []
    tried = 0
    for path in paths:
        if len(models) == most_models or len(refused) == _MOST_REFUSED:
            break
        tried += 1
        try:
            found = _description(folder / path)
        except ModelError as error:
            shown = path.encode("utf-8", "backslashreplace").decode()
            refused.append((shown, str(error).splitlines()[0]))
            continue
        models.append(Model(_name(path, [one.name for one in models]), path, found))
    rest = (path.encode("utf-8", "backslashreplace").decode() for path in paths[tried:])
    return Search(tuple(models), tuple(refused), tuple(rest), cut_short)


def _description(path: Path) -> Description:
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:  # TOML is UTF-8 and cannot name it
        raise ModelError("name", "its name is not UTF-8; give it another one.") from None
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise ModelError(
            "too-large", f"{path}: has {size / 1e9:.1f} GB, more than an ONNX file can."
        )
    return describe(path)


def _paths(folder: Path, most: int) -> tuple[list[str], str]:
    """Return the paths relative to `folder`, the nearest to it first."""
    found: list[str] = []
    seen = 0
    for place, names in _walk(folder):
        seen += len(names)
        found += [str(Path(place, n).relative_to(folder)) for n in names if _is_onnx(place, n)]
        if seen > most:
            return _nearest(found), f"the search stopped after {most:,} files"
    return _nearest(found), ""


def _nearest(paths: Sequence[str]) -> list[str]:
    return sorted(paths, key=lambda path: (path.count(os.sep), path))


def _is_onnx(place: str, name: str) -> bool:
    """Tell a file of that name from a pipe, which would never end, and from a dead link."""
    return name.endswith(".onnx") and _is_file(Path(place, name))


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder with its files, down to a depth that no repository of models needs."""
    for place, folders, files in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        folders[:] = sorted(n for n in folders if _is_own(place, n)) if depth < _DEEPEST else []
        yield place, sorted(files)


def _is_own(place: str, name: str) -> bool:
    if name.startswith(".") or name in _FOREIGN:
        return False
    return not _is_file(Path(place, name, "pyvenv.cfg"))


def _is_file(path: Path) -> bool:
    """Look at a path; what may not be looked at is none of ours."""
    try:
        return path.is_file()
    except OSError:
        return False


def _name(path: str, taken: Sequence[str]) -> str:
    """Return a name for a model: its file's, with what a name may not hold as dashes."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).stem).strip("-._") or "model"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    return name
