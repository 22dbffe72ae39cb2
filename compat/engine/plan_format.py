"""Where a plan keeps what it says, as data: ``plan_format.toml`` read into records.

NVIDIA describes 28 bytes of a plan. How everything else was established stands beside each row:

- ``documented``: a public source of NVIDIA's, or of the wrapper's maker, reads the field so;
- ``observed``: ``benchmarks/plan_variations.py`` changed one thing at a time in real builds, and
  the field followed it (``docs/inspect.md`` has the table);
- ``inferred``: it fits every file that was seen, but nothing that was varied proves it.
"""

from __future__ import annotations

import struct
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

How = Literal["documented", "observed", "inferred"]

_PACKED = {"u8": "<B", "u16": "<H", "u32": "<I", "i32": "<i", "u64": "<Q", "i64": "<q", "f32": "<f"}


@dataclass(frozen=True, slots=True)
class Place:
    """One field of a plan's header: its name, where it stands, its type and how that is known."""

    name: str
    at: int
    type: str
    how: How
    says: str
    source: str = ""

    @property
    def bytes(self) -> int:
        """How many bytes it takes."""
        return 4 if self.type in ("version", "targets", "cuda") else _size(self.type)


@dataclass(frozen=True, slots=True)
class Layout:
    """How one kind of plan begins, and where its table of sections stands (-1: it has none).

    Sections begin at multiples of `align`. `bytes_without_header`: the length that it states is
    that of what follows the header. `seen` are the versions, or their first parts, of the
    real plans behind it, `tags` their sections; what does not fit in a plan of another kind is
    told, but is no fault.
    """

    id: str
    magic: bytes
    flavour: str
    header: int
    closing: bytes
    how: How
    source: str
    places: tuple[Place, ...]
    table: int = -1
    align: int = 1
    bytes_without_header: bool = False
    seen: tuple[str, ...] = ()
    tags: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One value of a record, by its place in it; `names` are its values in words."""

    name: str
    index: int
    how: How
    says: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record in archives of some formats, with at least `count` values, and what some are.

    `of` is what they speak of; `behind` says that it stands behind the weights.
    """

    formats: tuple[int, ...]
    of: Literal["build", "gpu"]
    tag: int
    count: int
    members: tuple[Member, ...]
    behind: bool = False


@dataclass(frozen=True, slots=True)
class Trailer:
    """A number between two texts of bytes near the end of archives of some formats, in words."""

    name: str
    formats: tuple[int, ...]
    before: bytes
    after: bytes
    how: How
    says: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Library:
    """What a library is that begins so; `machine` is the number at byte 18, where it tells."""

    magic: bytes
    platform: str
    machine: int | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A number of the archive format and the releases that were seen to write it."""

    number: int
    flavour: str
    seen: str
    how: How
    source: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A file that is no plan: its first bytes at a place, its name, the way out.

    `flavours` are those of this project's manifests whose engines are such files.
    """

    at: int
    magic: bytes
    name: str
    remedy: str = ""
    flavours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanFormat:
    """All that is known."""

    layouts: tuple[Layout, ...]
    targets: tuple[str, ...]
    section_names: dict[str, str]
    weights: dict[int, int]
    records: tuple[Record, ...]
    trailers: tuple[Trailer, ...]
    libraries: tuple[Library, ...]
    formats: tuple[Format, ...]
    foreign: tuple[Foreign, ...]

    def format_of(self, flavour: str, number: int) -> Format | None:
        """Return what is known of an archive format number of a flavour."""
        for row in self.formats:
            if row.number == number and row.flavour == flavour:
                return row
        return None

    def records_of(self, number: int) -> tuple[Record, ...]:
        """Return the records that are known in archives of this format."""
        return tuple(row for row in self.records if number in row.formats)

    def trailers_of(self, number: int) -> tuple[Trailer, ...]:
        """Return what is known near the end of archives of this format."""
        return tuple(row for row in self.trailers if number in row.formats)


def packed(kind: str) -> struct.Struct:
    """Return the reader of a plain type such as ``u32``; all numbers are little endian."""
    return _STRUCTS[kind]


_STRUCTS = {name: struct.Struct(code) for name, code in _PACKED.items()}


def _size(kind: str) -> int:
    return _STRUCTS[kind].size


@cache
def plan_format() -> PlanFormat:
    """Return the data, read once."""
    raw = tomllib.loads(files(__package__).joinpath("plan_format.toml").read_text("utf-8"))
    return PlanFormat(
        layouts=tuple(_layout(row) for row in raw["plan"]),
        targets=tuple(raw["targets"]["bits"]),
        section_names=dict(raw["sections"]),
        weights={int(number): tag for number, tag in raw["weights"].items()},
        records=tuple(_record(row) for row in raw["record"]),
        trailers=tuple(_trailer(row) for row in raw["trailer"]),
        libraries=tuple(_library(row) for row in raw["library"]),
        formats=tuple(Format(**row) for row in raw["format"]),
        foreign=tuple(_foreign(row) for row in raw["foreign"]),
    )


def _layout(row: dict[str, Any]) -> Layout:
    places = tuple(Place(**place) for place in row.pop("field"))
    magic, closing = row.pop("magic").encode("ascii"), row.pop("closing", "")
    seen, tags = tuple(row.pop("seen", ())), tuple(map(tuple, row.pop("tags", ())))
    return Layout(
        magic=magic,
        seen=seen,
        tags=tags,
        closing=inverted(closing.encode("ascii")),
        places=places,
        **row,
    )


def _record(row: dict[str, Any]) -> Record:
    members = tuple(
        Member(**{**member, "names": tuple(member.get("names", ()))}) for member in row["member"]
    )
    behind = row.get("behind", False)
    return Record(tuple(row["formats"]), row["of"], row["tag"], row["count"], members, behind)


def _trailer(row: dict[str, Any]) -> Trailer:
    texts = {name: bytes.fromhex(row[name]) for name in ("before", "after")}
    lists = {name: tuple(row[name]) for name in ("formats", "names")}
    return Trailer(**{**row, **texts, **lists})


def _library(row: dict[str, Any]) -> Library:
    return Library(bytes.fromhex(row["magic"]), row["platform"], row.get("machine"))


def _foreign(row: dict[str, Any]) -> Foreign:
    flavours = tuple(row.get("flavours", ()))
    magic = bytes.fromhex(row["hex"]) if "hex" in row else row["text"].encode("ascii")
    return Foreign(row.get("at", 0), magic, row["name"], row.get("remedy", ""), flavours)


def inverted(magic: bytes) -> bytes:
    """Return a magic with every bit turned: what stands at the end of an archive."""
    return bytes(byte ^ 0xFF for byte in magic)
