"""What the upgrades of a matrix break in the user's code, as it stands in ``plan.json``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from compat.api.scan import scan, upgrades
from compat.api.surface import VersionError, flavours


@dataclass(frozen=True)
class Move:
    """An upgrade between two targets of one flavour."""

    current: str
    candidate: str
    flavour: str
    before: str
    after: str


def broken(paths: Sequence[Path], root: Path, moves: Iterable[Move]) -> list[dict[str, Any]]:
    """Return for each upgrade of TensorRT what it breaks in the code.

    Args:
        paths: files and folders of the code.
        root: the folder that file names are told from.
        moves: the upgrades; those of other runtimes are passed over.

    Each entry holds ``from`` and ``to`` (targets), ``releases``, ``findings``, and a ``problem``
    where the Python API of a release was not collected.

    Raises:
        PathError: a path does not exist.

    """
    found = []
    for move in moves:
        if move.flavour not in flavours():
            continue
        entry: dict[str, Any] = {"from": move.current, "to": move.candidate}
        entry |= {"releases": [move.before, move.after], "findings": [], "problem": ""}
        try:
            between = upgrades(move.before, move.after, move.flavour)
        except VersionError as error:
            entry["problem"] = str(error).partition("; choose")[0]
        else:
            told = (replace(one, file=_from(root, one.file)) for one in scan(paths, between))
            entry["findings"] = [{**asdict(one), "level": one.level} for one in told]
        found.append(entry)
    return found


def _from(root: Path, file: str) -> str:
    return Path(os.path.relpath(file, root)).as_posix()


def counts(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many places break, and how many are to be looked at."""
    levels = [one["level"] for one in entry["findings"]]
    return levels.count("error"), levels.count("warning")
