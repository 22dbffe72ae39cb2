"""The archive inside a plan ("ptrt"): a header, tagged values, and its magic inverted.

NVIDIA publishes nothing of it but error messages: a "safe" version and a "std" version, the latter
the number in "Version tag does not match. Note: Current Version: 236". Real plans taught the rest
(observed): TensorRT 8.6.0 writes magic, safe version (0), std version and length, 24 bytes;
TensorRT-RTX 1.4 to 1.7 magic, version, length and four bytes of 0, 20 in all. A value is a 16-bit
tag, the 16-bit version of that tag and the value; the tag of a record is followed by its values
and, at the end, by the tag with every bit turned. Only what stands before the network's own data
is read here: the version of the builder and the record of the GPU.
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

# How far the values are read: the record of the GPU ends a few hundred bytes behind the header.
_READ_BYTES = 1024
_MIN_BYTES = 24 + len(CLOSING)
_HEADER = Struct("<4sIQQ")  # magic, safe version, std version, length
_HEADER_RTX = Struct("<4sIQI")  # magic, version, length, 0
_TAG = Struct("<HH")
_VALUES = {
    0x8002: Struct("<B"),
    0x8006: Struct("<f"),
    0x8007: Struct("<i"),
    0x8008: Struct("<q"),
    0x8009: Struct("<Q"),
    0x800A: Struct("<?"),
}
_MAX_TAG_VERSION = 64  # seen: 1 and 2; anything large is data that was taken for a tag


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive says first.

    `bytes` is the length with header and closing magic that it declares; `values` are its first
    values, each with the tag of the record that it stands in (0: in none).
    """

    format: int
    bytes: int
    values: tuple[tuple[int, float], ...]

    @property
    def version(self) -> str:
        """The builder's version, with which the values begin; "" where they do not."""
        parts = [value for record, value in self.values[:4] if record == 0]
        if len(parts) < 4 or not all(0 <= part < 256 for part in parts):
            return ""
        return ".".join(str(int(part)) for part in parts)

    def record(self, tag: int) -> tuple[float, ...]:
        """Return the values of the records of a tag."""
        return tuple(value for record, value in self.values if record == tag)


def read_archive(source: Bounded, start: int, end: int) -> Archive:
    """Read the archive that begins at `start`; it may not lie beyond `end`.

    Raises:
        UnreadableError: it is cut, or is no archive.
    """
    if end - start < _MIN_BYTES:
        raise UnreadableError(f"its archive is cut: {max(0, end - start)} bytes are left of it")
    data = source.upto(start, min(_READ_BYTES, end - start))
    magic, safe, number, length = _HEADER.unpack_from(data)
    header = _HEADER.size
    if magic != MAGIC:
        raise UnreadableError(f"no archive stands at byte {start}")
    if safe:
        magic, number, length, _ = _HEADER_RTX.unpack_from(data)
        header = _HEADER_RTX.size
    return Archive(number, header + length, tuple(_values(data, header)))


def _values(data: bytes, place: int) -> Iterator[tuple[int, float]]:
    """Yield the tagged values with the record of each, until something of an unknown kind."""
    records: list[int] = []
    try:
        while True:
            tag, number = _TAG.unpack_from(data, place)
            if records and tag == records[-1] ^ 0xFFFF:  # the end of a record has no version
                records.pop()
                place += 2
                continue
            if tag & 0x8000 == 0 or number > _MAX_TAG_VERSION:
                return
            place += _TAG.size
            if tag not in _VALUES:
                records.append(tag)
                continue
            (value,) = _VALUES[tag].unpack_from(data, place)
            place += _VALUES[tag].size
            yield records[-1] if records else 0, value
    except struct_error:
        return
