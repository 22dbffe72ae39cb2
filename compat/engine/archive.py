"""The archive inside a plan ("ptrt"): a header, tagged values, and its magic inverted.

NVIDIA publishes nothing of it but error messages: a "safe" version and a "std" version, the latter
the number in "Version tag does not match. Note: Current Version: 236". Real plans taught the rest
(observed): TensorRT 8.5 and 8.6 write magic, safe version (0), std version and length, 24 bytes;
TensorRT-RTX 1.4 to 1.7 magic, version, length and four bytes of 0, 20 in all. A value is a 16-bit
tag, the 16-bit version of that tag and the value; the tag of a record is followed by its values
and, at the end, by the tag with every bit turned. A text is tag, version, length and an array of
characters; an array has a tag without a version, the tag and version of its elements, their number.

Read here is what stands before the network's tensors: the version of the builder, the record of the
GPU and, behind the weights, which are skipped, some flags of the build.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error

from compat.engine.bounded import Bounded, UnreadableError
from compat.engine.plan_format import inverted, plan_format

MAGIC = b"ptrt"
CLOSING = inverted(MAGIC)

# How far the values are read from the archive's start and from the end of the weights, and how far
# back from its end a trailer may stand; 1,067 bytes were seen (a ResNet-56).
_READ_BYTES = 1024
_TRAILER_BYTES = 2048
_MIN_BYTES = 24 + len(CLOSING)
_HEADER = Struct("<4sIQQ")  # magic, safe version, std version, length
_HEADER_RTX = Struct("<4sIQI")  # magic, version, length, 0
_TAG = Struct("<HH")
_TEXT, _ARRAY = 0x8018, 0x8001
_TEXT_HEAD = Struct("<Q6xQ")  # length, an array's head, length again
_ARRAY_REST = Struct("<HQ")  # version of the elements, number
_ELEMENT = Struct("<H")
_VALUES = {
    0x8002: Struct("<B"),
    0x8006: Struct("<f"),
    0x8007: Struct("<i"),
    0x8008: Struct("<q"),
    0x8009: Struct("<Q"),
    0x800A: Struct("<?"),
}
_MAX_TAG_VERSION = 64  # seen: 1 and 2; anything large is data that was taken for a tag

#: A value as an archive has it; of an array the number of its elements.
Value = float | str


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive says first.

    `bytes` is the length with header and closing magic that it declares; `values` are its first
    values and `behind` the first ones behind the weights, each with the tag of the record that it
    stands in (0: in none). `weight_bytes` is None where no weights were found; `weights_end` is
    where they end, counted from the archive's start.
    """

    format: int
    bytes: int
    values: tuple[tuple[int, Value], ...]
    weight_bytes: int | None = None
    weights_end: int = 0
    behind: tuple[tuple[int, Value], ...] = ()

    @property
    def version(self) -> str:
        """The builder's version, with which the values begin; "" where they do not."""
        parts = [value for record, value in self.values[:4] if record == 0]
        if len(parts) < 4 or not all(isinstance(one, int) and 0 <= one < 256 for one in parts):
            return ""
        return ".".join(map(str, parts))

    def record(self, tag: int, *, behind: bool = False) -> tuple[Value, ...]:
        """Return the values of the records of a tag, before the weights or behind them."""
        values = self.behind if behind else self.values
        return tuple(value for record, value in values if record == tag)


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
    weights = plan_format().weights.get(number, 0)
    found = list(_values(data, header, [], weights))
    values = tuple((record, value) for record, value, _ in found)
    if not found or found[-1][0] != weights or not weights:
        return Archive(number, header + length, values)
    count = int(found[-1][1])
    weights_end = found[-1][2] + count
    behind = start + weights_end
    data = source.upto(behind, min(_READ_BYTES, end - behind)) if behind < end else b""
    rest = tuple((record, value) for record, value, _ in _values(data, 0, [weights], 0))
    return Archive(number, header + length, values[:-1], count, weights_end, rest)


def number_between(
    source: Bounded, start: int, end: int, before: bytes, after: bytes
) -> int | None:
    """Return the 32-bit number that stands between these bytes near the end of an archive."""
    data = source.at(max(start, end - _TRAILER_BYTES), min(_TRAILER_BYTES, end - start))
    place = len(data)
    while (place := data.rfind(before, 0, place)) >= 0:
        at = place + len(before)
        if data.startswith(after, at + 4):
            return int.from_bytes(data[at : at + 4], "little")
    return None


def _values(
    data: bytes, place: int, records: list[int], weights: int
) -> Iterator[tuple[int, Value, int]]:
    """Yield tagged values, each with the record it stands in and the place behind it.

    Ends at something of an unknown kind, and behind the first value of the record `weights`.
    """
    try:
        while place <= len(data):
            tag, number = _TAG.unpack_from(data, place)
            if records and tag == records[-1] ^ 0xFFFF:  # the end of a record has no version
                records.pop()
                place += 2
                continue
            # An array's tag has no version, so what follows is the tag of its elements.
            if tag != _ARRAY and (tag & 0x8000 == 0 or number > _MAX_TAG_VERSION):
                return
            place += _TAG.size
            found = _value(data, place, tag)
            if found is None:
                records.append(tag)
                continue
            value, place = found
            record = records[-1] if records else 0
            yield record, value, place
            if weights and record == weights:
                return
    except struct_error:
        return


def _value(data: bytes, place: int, tag: int) -> tuple[Value, int] | None:
    """Return the value of a tag and the place behind it; None where the tag begins a record.

    Raises:
        struct.error: it does not end within the data.
    """
    if tag in _VALUES:
        plain = _VALUES[tag]
        (value,) = plain.unpack_from(data, place)
        return value, place + plain.size
    if tag == _TEXT:
        length, again = _TEXT_HEAD.unpack_from(data, place)
        place += _TEXT_HEAD.size
        if length != again or place + length > len(data):
            raise struct_error("a text that does not end")
        return data[place : place + length].decode("utf-8", "replace"), place + length
    if tag == _ARRAY:
        _, count = _ARRAY_REST.unpack_from(data, place)
        (element,) = _ELEMENT.unpack_from(data, place - _ELEMENT.size)
        place += _ARRAY_REST.size
        # An array in an array begins as one that stands alone.
        inner = 0 if element == _ARRAY else _VALUES[element].size if element in _VALUES else None
        if inner is None:
            raise struct_error("an array of records")
        return count, place + count * inner
    return None
