"""Both files of a first matrix, written as wholes and never over what stands there."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from compat import atomic
from compat.config.load import FILE_NAME
from compat.errors import UserError
from compat.starting import session
from compat.starting.draft import draft
from compat.starting.onnxfiles import Search, search
from compat.starting.proposals import Proposal, propose
from compat.starting.surroundings import Surroundings, look

NOXFILE = "noxfile.py"


class StartError(UserError):
    """Nothing was written: the folder is not there, or holds what would be lost."""


@dataclass(frozen=True, slots=True)
class Start:
    """What was found, and the text of each file by its path.

    `kept` are files of somebody else's that stay as they are.
    """

    found: Surroundings
    searched: Search
    proposal: Proposal
    files: dict[Path, str]
    kept: tuple[Path, ...]


def prepare(
    folder: Path,
    *,
    python: Path | None = None,
    force: bool = False,
    looking: Callable[[Path, Path | None], Surroundings] = look,
) -> Start:
    """Look around and make the texts; writes nothing.

    Args:
        folder: the repository.
        python: the interpreter to ask for TensorRT, instead of those at hand.
        force: take the place of an earlier ``compat.toml`` and of a ``noxfile.py`` that came from
            here; anybody else's ``noxfile.py`` is kept all the same.
        looking: how this machine is asked.

    Raises:
        StartError: there is no such folder or interpreter, or a file stands in the way.
    """
    if not folder.is_dir():
        raise StartError(f"{folder}: no such folder; make it, or name the one of your repository")
    if python is not None and not python.is_file():
        raise StartError(f"--python {python}: no such file; name an interpreter by its path")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise StartError(f"{folder}: may not be looked into by this user; name another folder")
    matrix, noxfile = folder / FILE_NAME, folder / NOXFILE
    if matrix.exists() and not force:
        raise StartError(f"{matrix}: stands there already; --force replaces it, --dry-run prints")
    found, searched = looking(folder.absolute(), python), search(folder)
    proposal = propose(found, folder.absolute())
    files = {matrix: draft(found, searched, proposal)}
    ours = not noxfile.exists() or (force and _is_ours(noxfile))
    if ours:
        files[noxfile] = session.noxfile()
    return Start(found, searched, proposal, files, () if ours else (noxfile,))


def write(start: Start) -> None:
    """Write the files, each as a whole. Raises StartError where the folder takes none."""
    for path, text in start.files.items():
        try:
            atomic.write_text(path, text)
        except OSError as error:
            raise StartError(f"{path}: cannot be written ({error.strerror})") from None


def _is_ours(path: Path) -> bool:
    return path.read_text(encoding="utf-8", errors="replace").startswith(session.MARK)
