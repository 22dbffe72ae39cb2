"""A wheel as it travels in a compressed bundle: its files as they are, without zip's own deflate.

Deflate hides that two wheels hold nearly the same bytes, and costs more time to undo than zstd. The
stored form is made while it is read and never lies on the disk.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from compat.bundle.run import CHUNK
from compat.errors import UserError

_ZEROS = bytes(CHUNK)
_UNIX = 3

_Content = Callable[[zipfile.ZipFile, zipfile.ZipInfo], Iterator[bytes]]


@dataclass(frozen=True)
class StoredWheel:
    """A wheel without its deflate; the same bytes as long as the wheel is the same.

    left_out: names of files in the wheel that do not travel.
    """

    path: Path
    left_out: frozenset[str] = frozenset()

    @cached_property
    def size(self) -> int:
        """Bytes of the stored form, which no byte of a file's content changes."""
        return sum(map(len, self._written(_nothing)))

    def blocks(self) -> Iterator[bytes]:
        """Yield the stored form. UserError where the wheel is damaged."""
        return self._written(_files)

    def _written(self, content: _Content) -> Iterator[bytes]:
        taken = _Taken()
        try:
            with (
                zipfile.ZipFile(self.path) as wheel,
                zipfile.ZipFile(cast(Any, taken), "w", zipfile.ZIP_STORED) as stored,
            ):
                for info in wheel.infolist():
                    if info.filename in self.left_out:
                        continue
                    with stored.open(_undated(info), "w") as file:
                        for block in content(wheel, info):
                            file.write(block)
                            yield taken.empty()
                yield taken.empty()
            yield taken.empty()  # the index, written when it is closed
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise damaged(self.path, error) from None


def damaged(path: Path, error: Exception) -> UserError:
    """Return what to raise for a wheel that cannot be read."""
    return UserError(f"{path} is no whole wheel ({error}); delete it, it is then fetched again")


class _Taken:
    """What zipfile writes, until it is emptied; zipfile cannot go back in it."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._blocks.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        """Keep what is there."""

    def empty(self) -> bytes:
        found, self._blocks = b"".join(self._blocks), []
        return found


def _undated(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    """Return a file's entry without what changes from build to build."""
    entry = zipfile.ZipInfo(info.filename)  # 1 January 1980, the first day that zip can say
    entry.external_attr, entry.create_system = info.external_attr, _UNIX
    entry.file_size = info.file_size  # tells zipfile beforehand whether it needs ZIP64
    return entry


def _files(wheel: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with wheel.open(info) as stream:  # which compares size and CRC at its end
        while block := stream.read(CHUNK):
            yield block


def _nothing(_wheel: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    whole, rest = divmod(info.file_size, CHUNK)
    for _ in range(whole):
        yield _ZEROS
    yield _ZEROS[:rest]
