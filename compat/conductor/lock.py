"""One run per folder: a lock that the kernel releases however the run ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from compat.errors import UserError


class FolderError(UserError):
    """The folder cannot be made or written to."""


class FolderBusyError(FolderError):
    """Another run holds the folder."""


@contextmanager
def locked(folder: Path, option: str) -> Iterator[None]:
    """Hold `folder` for this process.

    Args:
        folder: made if it is missing.
        option: the command-line option that names another one, for the error message.

    Raises:
        FolderBusyError: another process holds it.
        FolderError: it cannot be made or written to.
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="ascii")
    except OSError as error:
        raise FolderError(
            f"{folder}: cannot be written to ({error.strerror}); choose another with {option}"
        ) from None
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            holder = stream.read().strip() or "unknown"
            raise FolderBusyError(
                f"{folder}: another run (process {holder}) is using this folder; wait for it, "
                f"or choose another with {option}"
            ) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
