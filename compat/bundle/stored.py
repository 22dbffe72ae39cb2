"""A wheel as it travels in a compressed bundle: its files as they are, without zip's own deflate.

Deflate hides that two wheels hold nearly the same bytes, and costs more time to undo than zstd. The
stored form is made while it is read and never lies on the disk; sizes and checksums come from the
wheel's own index, so that the form's size is known before its first byte. The zip format:
https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from compat.bundle.run import CHUNK
from compat.errors import UserError

_DATE = 1 << 5 | 1  # 1 January 1980, the first day that zip can say
_UTF8 = 1 << 11
_UNIX = 3 << 8
_PLAIN, _ZIP64 = 20, 45  # version needed to read it
_MOST = 0xFFFFFFFF  # stands for "see the ZIP64 field"


@dataclass(frozen=True)
class StoredWheel:
    """A wheel without its deflate; the same bytes as long as the wheel is the same.

    left_out: names of files in the wheel that do not travel.
    """

    path: Path
    left_out: frozenset[str] = frozenset()

    @cached_property
    def size(self) -> int:
        """Bytes of the stored form."""
        offset, index = 0, b""
        for info in self._files:
            index += _entry(info, offset)
            offset += len(_header(info)) + info.file_size
        return offset + len(index) + len(_end(len(self._files), len(index), offset))

    def blocks(self) -> Iterator[bytes]:
        """Yield the stored form. UserError where the wheel is damaged."""
        offset, index = 0, b""
        try:
            with zipfile.ZipFile(self.path) as wheel:
                for info in self._files:
                    index += _entry(info, offset)
                    head = _header(info)
                    yield head
                    with wheel.open(info) as stream:  # which compares size and CRC at its end
                        while block := stream.read(CHUNK):
                            yield block
                    offset += len(head) + info.file_size
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise damaged(self.path, error) from None
        yield index
        yield _end(len(self._files), len(index), offset)

    @cached_property
    def _files(self) -> tuple[zipfile.ZipInfo, ...]:
        try:
            with zipfile.ZipFile(self.path) as wheel:
                return tuple(i for i in wheel.infolist() if i.filename not in self.left_out)
        except zipfile.BadZipFile as error:
            raise damaged(self.path, error) from None


def damaged(path: Path, error: Exception) -> UserError:
    """Return what to raise for a wheel that cannot be read."""
    return UserError(f"{path} is no whole wheel ({error}); delete it, it is then fetched again")


def _header(info: zipfile.ZipInfo) -> bytes:
    """Return what stands before a file's bytes."""
    large = info.file_size >= _MOST
    extra = struct.pack("<HHQQ", 1, 16, info.file_size, info.file_size) if large else b""
    return b"PK\3\4" + _common(info, large, len(extra)) + info.filename.encode() + extra


def _entry(info: zipfile.ZipInfo, offset: int) -> bytes:
    """Return a file's line in the index at the end; `offset` is where its header stands."""
    large, far = info.file_size >= _MOST, offset >= _MOST
    wide = [info.file_size, info.file_size] * large + [offset] * far
    extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
    need = _ZIP64 if wide else _PLAIN
    rest = struct.pack("<HHHII", 0, 0, 0, info.external_attr, min(offset, _MOST))
    made_by = struct.pack("<H", _UNIX | need)
    common = _common(info, bool(wide), len(extra))
    return b"PK\1\2" + made_by + common + rest + info.filename.encode() + extra


def _common(info: zipfile.ZipInfo, wide: bool, extra: int) -> bytes:
    """Return the fields that a header and the index have alike."""
    size = min(info.file_size, _MOST)
    name = len(info.filename.encode())
    need = _ZIP64 if wide else _PLAIN
    return struct.pack(
        "<HHHHHIIIHH", need, _UTF8, zipfile.ZIP_STORED, 0, _DATE, info.CRC, size, size, name, extra
    )


def _end(count: int, size: int, offset: int) -> bytes:
    """Return what stands behind an index of `count` lines and `size` bytes."""
    wide = b""
    if count >= 0xFFFF or size >= _MOST or offset >= _MOST:
        made = (44, _UNIX | _ZIP64, _ZIP64, 0, 0, count, count, size, offset)
        wide = b"PK\6\6" + struct.pack("<QHHIIQQQQ", *made)
        wide += b"PK\6\7" + struct.pack("<IQI", 0, offset + size, 1)
    few = min(count, 0xFFFF)
    last = (0, 0, few, few, min(size, _MOST), min(offset, _MOST), 0)
    return wide + b"PK\5\6" + struct.pack("<HHHHIIH", *last)
