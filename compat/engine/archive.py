"""The archive inside a plan ("ptrt"): a header of 20 bytes, tagged values, and its magic inverted.

NVIDIA publishes nothing of it. Real plans of TensorRT-RTX 1.4 to 1.7 taught it (observed): a value
is a 16-bit tag, the 16-bit version of that tag and the value; the tag of a record is followed by
its values and, at the end, by the tag with every bit turned. Only what stands before the network's
own data is read here: the version of the builder and the record of the GPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error

from compat.engine.bounded import Bounded, UnreadableError
from compat.engine.plan_format import inverted

MAGIC = b"ptrt"
CLOSING = inverted(MAGIC)
HEADER_BYTES = 20

# How far the values are read: the record of the GPU ends a few hundred bytes behind the header.
_READ_BYTES = 1024
_HEADER = Struct("<4sIQI")
_TAG = Struct("<HH")
_VALUES = {
    0x8002: Struct("<B"),
    0x8006: Struct("<f"),
    0x8007: Struct("<i"),
    0x8008: Struct("<q"),
    0x8009: Struct("<Q"),
    0x800A: Struct("<?"),
}
_BYTE = 0x8002
_DEVICE = 0x800F  # the record that holds what the builder knew of its GPU


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive says first.

    `bytes` is the length with header and closing magic that it declares; `version` four numbers,
    empty where it begins otherwise; `device` the values of the GPU's record, empty likewise.
    """

    format: int
    bytes: int
    version: tuple[int, ...]
    device: tuple[float, ...]


def read_archive(source: Bounded, start: int, end: int) -> Archive:
    """Read the archive that begins at `start`; it may not lie beyond `end`.

    Raises:
        UnreadableError: it is cut, or is no archive.
    """
    if end - start < HEADER_BYTES + len(CLOSING):
        raise UnreadableError(f"its archive is cut: {max(0, end - start)} bytes are left of it")
    data = source.upto(start, min(_READ_BYTES, end - start))
    magic, number, payload, _ = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise UnreadableError(f"no archive stands at byte {start}")
    values = _Values(data, HEADER_BYTES)
    version = values.leading(_BYTE)
    return Archive(number, HEADER_BYTES + payload, version, values.record(_DEVICE))


class _Values:
    """The tagged values of an archive, until one of an unknown kind."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def leading(self, tag: int) -> tuple[int, ...]:
        """Return the four values of one tag with which the archive begins."""
        found: list[int] = []
        for kind, value in self._walk():
            if kind != tag:
                break
            found.append(int(value))
            if len(found) == 4:
                return tuple(found)
        return ()

    def record(self, tag: int) -> tuple[float, ...]:
        """Return the values of the next record of a tag, if it is there and is whole."""
        found: list[float] | None = None
        for kind, value in self._walk():
            if kind == tag:
                found = []
            elif found is not None and kind == tag ^ 0xFFFF:
                return tuple(found)
            elif found is not None and kind in _VALUES:
                found.append(value)
        return ()

    def _walk(self) -> Iterator[tuple[int, float]]:
        """Yield tag and value; records and their ends come with a value of 0."""
        while True:
            try:
                tag, number = _TAG.unpack_from(self._data, self._place)
                if tag & 0x8000 == 0:  # the end of a record has no version
                    self._place += 2
                    yield tag, 0
                    continue
                if number > _MAX_TAG_VERSION:
                    return
                value: float = 0
                self._place += _TAG.size
                if tag in _VALUES:
                    (value,) = _VALUES[tag].unpack_from(self._data, self._place)
                    self._place += _VALUES[tag].size
            except struct_error:
                return
            yield tag, value


_MAX_TAG_VERSION = 64  # seen: 1 and 2; anything large is data that was taken for a tag
