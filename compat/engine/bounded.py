"""A file of which little is read: every other module here gets its bytes through this one.

A hostile file can only ask for what it holds, and for no more than a megabyte in all.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import TracebackType

#: The most bytes that are read of one file, whatever it says.
LIMIT = 1_000_000

_HEAD = 4096


class UnreadableError(Exception):
    """A file cannot be read as an engine; the text says why, in one line."""


class Bounded:
    """A regular file, read at given places and never beyond its end or the limit."""

    def __init__(self, path: Path | str) -> None:
        """Open a file and read its first 4 kB.

        Raises:
            UnreadableError: it is no regular file, or the system refuses it.
        """
        try:
            # A pipe would block the open, a device may do anything when read.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise UnreadableError(f"cannot be opened: {_reason(error)}") from None
        self.read_bytes = 0
        self._head = b""
        try:
            status = os.fstat(self._descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableError("is no regular file")
            self.size = status.st_size
            self._head = self.at(0, min(self.size, _HEAD))
        except BaseException:
            os.close(self._descriptor)
            raise

    def at(self, place: int, count: int) -> bytes:
        """Return exactly `count` bytes from `place`.

        Raises:
            UnreadableError: the file ends before, or the limit is reached.
        """
        end = place + count
        if 0 <= place <= end <= len(self._head):
            return self._head[place:end]
        if not 0 <= place <= end <= self.size:
            raise UnreadableError(f"bytes {place} to {end} lie beyond its end ({self.size})")
        if self.read_bytes + count > LIMIT:
            raise UnreadableError(f"more than {LIMIT} bytes of it would have to be read")
        try:
            data = os.pread(self._descriptor, count, place)
        except OSError as error:
            raise UnreadableError(f"cannot be read: {_reason(error)}") from None
        self.read_bytes += len(data)
        if len(data) != count:
            raise UnreadableError("became shorter while it was read")
        return data

    def upto(self, place: int, count: int) -> bytes:
        """Return `count` bytes from `place`, or fewer where the file ends before."""
        return self.at(place, min(count, self.size - place)) if place < self.size else b""

    def __enter__(self) -> Bounded:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
