"""What a plan says of itself: header, table of sections, archive, and whether all of it is there.

Nothing is deserialized, and of a plan of any size a few kilobytes are read. Which field stands
where, and how that is known, is data: ``plan_format.toml``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from compat.engine import archive
from compat.engine.bounded import Bounded, UnreadableError
from compat.engine.plan_format import How, Layout, Library, Place, Record, packed, plan_format

#: More sections than this are no plan that anybody was seen to write.
MAX_SECTIONS = 64

_ROW_BYTES = 24
_LEAN = "LEAN"
_LIBRARY_BYTES, _MACHINE_AT = 20, 18  # of an ELF header
_VERSION_PARTS = 4
_CAPABILITY = ("major", "minor")


@dataclass(frozen=True, slots=True)
class Stated:
    """A value that a file states, and how it is known that it means this."""

    value: Any
    how: How


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its tag as it reads, what it is, and where it stands in the plan."""

    tag: str
    name: str
    at: int
    bytes: int


@dataclass(slots=True)
class Plan:
    """What a plan states, and in `problems` what is wrong with it, a line each.

    `notes` are what would be wrong with a plan of a kind that was seen, in one of another kind.
    """

    flavour: str
    layout: str
    bytes: int
    declared_bytes: int | None = None
    stated: dict[str, Stated] = field(default_factory=dict)
    device: dict[str, Stated] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def version(self) -> str:
        """The builder's version in all its parts, or ""."""
        found = self.stated.get("version")
        return found.value if found else ""

    @property
    def arch(self) -> str:
        """The architecture of the GPU that built it, such as "sm_90"; "" where it states none."""
        major, minor = (self.device.get(f"compute_capability_{part}") for part in _CAPABILITY)
        return f"sm_{major.value}{minor.value}" if major and minor and major.value else ""


def layout_at(source: Bounded, start: int) -> Layout | None:
    """Return the kind of plan that begins at a place, if one does."""
    magic = source.upto(start, 4)
    return next((row for row in plan_format().layouts if row.magic == magic), None)


def read_plan(source: Bounded, layout: Layout, start: int, end: int) -> Plan:
    """Read the plan that stands between two places of a file.

    What contradicts itself or lies beyond the file is said in the plan's `problems`.

    Raises:
        UnreadableError: not even its header is there.
    """
    if end - start < layout.header:
        raise UnreadableError(
            f"is cut: {end - start} bytes, and the header alone of a plan has {layout.header}"
        )
    head = source.at(start, layout.header)
    plan = Plan(layout.flavour, layout.id, end - start)
    for place in layout.places:
        value = _value(place, head)
        if value is not None:
            plan.stated[place.name] = Stated(value, place.how)
    if "bytes" in plan.stated:
        _check_length(source, layout, plan, start, end)
    if layout.magic == archive.MAGIC:
        _read_archive(source, plan, start, start + (plan.declared_bytes or 0), end)
    if "sections" in plan.stated:
        _read_sections(source, layout, plan, start, end)
    if _was_seen(layout, plan):
        plan.problems += plan.notes
        plan.notes = []
        _check_format(plan)
    elif usual := _usual(layout, plan):
        plan.problems.append(
            f"begins with {layout.magic.decode('ascii')!r}, and a plan of {plan.version} with "
            f"{usual.magic.decode('ascii')!r}: its beginning is missing or overwritten"
        )
    elif not plan.problems and (lacking := _lacking(layout, plan)):
        plan.problems.append(
            f"has no section {lacking}, which every plan of {plan.version} that was seen had"
        )
    return plan


def _lacking(layout: Layout, plan: Plan) -> str:
    """Return the sections that all plans of this release had and this one lacks; "" if none."""
    if not layout.tags or not _is_of(layout, plan):
        return ""
    always = set(layout.tags[0]).intersection(*layout.tags)
    return ", ".join(sorted(always - {section.tag for section in plan.sections}))


def _usual(layout: Layout, plan: Plan) -> Layout | None:
    """Return another layout that the plans of this release were seen to have; None of others."""
    return next(
        (row for row in plan_format().layouts if row is not layout and _is_of(row, plan)), None
    )


def _check_format(plan: Plan) -> None:
    """See that a release that was seen has one of the formats that were, its header's too."""
    header = plan.stated.get("serialization")
    if header and header.value != 0:
        plan.problems.append(
            f"its header has the serialization version {header.value}, which no plan of "
            f"{plan.version} had"
        )
    number = plan.stated.get("archive_format")
    if number and not plan_format().format_of(plan.flavour, number.value):
        plan.problems.append(
            f"its archive has the format {number.value}, which no plan of {plan.version} had"
        )


def _was_seen(layout: Layout, plan: Plan) -> bool:
    """Tell whether real plans of this release with these sections taught the layout."""
    tags = tuple(section.tag for section in plan.sections)
    return tags in layout.tags and _is_of(layout, plan)


def _is_of(layout: Layout, plan: Plan) -> bool:
    """Tell whether the plan's release is one of those whose plans taught a layout."""
    parts = plan.version.split(".")
    releases = (release.split(".") for release in layout.seen)
    return any(parts[: len(one)] == one for one in releases)


def _value(place: Place, head: bytes) -> Any:
    """Return a field as it is told; None where the file states nothing."""
    if place.type == "version":
        return ".".join(str(part) for part in head[place.at : place.at + _VERSION_PARTS])
    (number,) = packed("u32" if place.type in ("targets", "cuda") else place.type).unpack_from(
        head, place.at
    )
    if place.type == "targets":
        return _targets(number)
    if place.type == "cuda":
        return f"{number // 1000}.{number % 1000 // 10}" if number else None
    return number


def _targets(bits: int) -> list[str]:
    names = plan_format().targets
    return [
        names[bit] if bit < len(names) else f"bit {bit}" for bit in range(32) if bits >> bit & 1
    ]


def _check_length(source: Bounded, layout: Layout, plan: Plan, start: int, end: int) -> None:
    declared = int(plan.stated.pop("bytes").value)
    declared += layout.header if layout.bytes_without_header else 0
    plan.declared_bytes, real = declared, end - start
    if declared < layout.header + (len(archive.CLOSING) if layout.bytes_without_header else 0):
        plan.problems.append(f"declares {declared} bytes, less than its own header")
    elif declared > real:
        plan.problems.append(f"is cut: it declares {declared} bytes and {real} are there")
    elif declared < real:
        plan.notes.append(f"has {real - declared} bytes behind its declared end")
    if layout.header <= declared <= real:
        close = len(layout.closing)
        if close and source.at(start + declared - close, close) != layout.closing:
            plan.notes.append("does not end as a plan does: its end is overwritten or missing")


def _read_sections(source: Bounded, layout: Layout, plan: Plan, start: int, end: int) -> None:
    count = int(plan.stated.pop("sections").value)
    if not 0 < count <= MAX_SECTIONS:
        plan.problems.append(f"declares {count} sections, which no plan has")
        return
    table_end = layout.table + count * _ROW_BYTES
    if start + table_end > end:
        if not plan.problems:
            plan.problems.append("is cut within its table of sections")
        return
    rows = source.at(start + layout.table, count * _ROW_BYTES)
    # A cut was told already; what it cost the sections follows from it.
    limit = plan.declared_bytes or plan.bytes
    beyond = False
    for section in _sections(rows):
        plan.sections.append(section)
        if section.at < table_end or section.at + section.bytes > limit:
            if not beyond:
                plan.problems.append(
                    f"its section {section.tag} (bytes {section.at} to "
                    f"{section.at + section.bytes}) lies beyond the plan ({limit} bytes)"
                )
            beyond = True  # said once: where one number is nonsense, others follow
        elif section.tag == "ENGN":
            at = start + section.at
            _read_archive(source, plan, at, at + section.bytes, end)
    if plan.flavour == "tensorrt" and not beyond:
        _find_lean(source, layout, plan, start)
    if not plan.problems:
        _check_gaps(layout, plan, table_end, limit - len(layout.closing))


def _find_lean(source: Bounded, layout: Layout, plan: Plan, start: int) -> None:
    """Say whether a lean runtime is inside, and for which platform: no plan has another library."""
    lean = [one for one in plan.sections if one.tag == _LEAN]
    libraries = [_library(source, start + one.at) for one in lean or plan.sections]
    inside = next((one for one in libraries if one), None)
    how: How = "observed" if _was_seen(layout, plan) else "inferred"
    plan.stated["lean_runtime"] = Stated("embedded" if lean or inside else "none", how)
    if inside and inside.platform:
        plan.stated["lean_platform"] = Stated(inside.platform, "inferred")
    elif lean and not inside and start + lean[0].at + _LIBRARY_BYTES <= source.size:
        plan.notes.append("its lean runtime is no library: overwritten, or of an unknown kind")


def _library(source: Bounded, place: int) -> Library | None:
    """Return what kind of library begins at a place, if one does."""
    head = source.upto(place, _LIBRARY_BYTES)
    if len(head) < _LIBRARY_BYTES:
        return None
    (machine,) = packed("u16").unpack_from(head, _MACHINE_AT)
    for row in plan_format().libraries:
        if head.startswith(row.magic) and row.machine in (None, machine):
            return row
    return None


def _check_gaps(layout: Layout, plan: Plan, start: int, end: int) -> None:
    """See that the sections fill a plan, but for what aligns them."""
    spans = sorted((one.at, one.at + one.bytes) for one in plan.sections if one.bytes)
    for (_, before), (after, _) in pairwise([(start, start), *spans, (end, end)]):
        if after < before and after < end:
            plan.problems.append("its sections overlap")
        elif after - before >= layout.align:
            plan.notes.append(f"{after - before} bytes from {before} belong to no section")


def _sections(rows: bytes) -> Iterator[Section]:
    names, number = plan_format().section_names, packed("u64")
    for place in range(0, len(rows), _ROW_BYTES):
        tag = _readable(rows[place : place + 4][::-1])
        (at,), (count,) = number.unpack_from(rows, place + 8), number.unpack_from(rows, place + 16)
        yield Section(tag, names.get(tag, "unknown"), at, count)


def _readable(tag: bytes) -> str:
    text = tag.decode("latin-1")
    return text if text.isascii() and text.isprintable() else tag.hex()


def _read_archive(source: Bounded, plan: Plan, start: int, end: int, there: int) -> None:
    """Read an archive that takes the bytes from `start` to `end`; the file has those to `there`."""
    whole = end <= there
    try:
        found = archive.read_archive(source, start, min(end, there))
    except UnreadableError as error:
        if whole:
            plan.notes.append(str(error))
        return
    known = plan_format().format_of(plan.flavour, found.format)
    plan.stated["archive_format"] = Stated(found.format, known.how if known else "inferred")
    observed = known is not None and known.how == "observed"
    if whole:
        _check_archive(source, plan, found, start, end)
    if found.version and plan.version and found.version != plan.version:
        plan.problems.append(f"its header says {plan.version}, its archive {found.version}")
    elif found.version and not plan.version:
        plan.stated["version"] = Stated(found.version, "observed" if observed else "inferred")
    elif observed and whole and not found.version:
        plan.problems.append("its archive does not begin with the version that built it")
    _read_values(plan, found)
    if whole:
        _read_trailers(source, plan, found, start, end)


def _check_archive(
    source: Bounded, plan: Plan, found: archive.Archive, start: int, end: int
) -> None:
    """Hold the archive's own length, and its end, against the place it has in the plan."""
    if found.bytes > end - start:
        plan.problems.append(
            f"is cut: its archive declares {found.bytes} bytes and {end - start} are there"
        )
        return
    close = len(archive.CLOSING)
    if found.weights_end > end - start - close:
        plan.problems.append(
            f"its weights ({found.weight_bytes} bytes) lie beyond its archive ({end - start} bytes)"
        )
    if found.bytes < end - start:
        plan.notes.append(f"has {end - start - found.bytes} bytes behind its archive's end")
    elif source.at(end - close, close) != archive.CLOSING:
        plan.notes.append("its archive does not end as archives do: overwritten or missing")


def _read_trailers(
    source: Bounded, plan: Plan, found: archive.Archive, start: int, end: int
) -> None:
    """Take what is known to stand near an archive's end."""
    for row in plan_format().trailers_of(found.format):
        number = archive.number_between(source, start, end, row.before, row.after)
        if number is not None:
            word = row.names[number] if number < len(row.names) else number
            plan.stated[row.name] = Stated(word, row.how)


def _read_values(plan: Plan, found: archive.Archive) -> None:
    """Take what an archive's records say of the build and of the GPU."""
    if found.weight_bytes is not None:
        plan.stated["weight_bytes"] = Stated(found.weight_bytes, "observed")
    for record in plan_format().records_of(found.format):
        values = found.record(record.tag, behind=record.behind)
        if len(values) >= record.count:
            (plan.stated if record.of == "build" else plan.device).update(_members(record, values))


def _members(record: Record, values: tuple[archive.Value, ...]) -> Iterator[tuple[str, Stated]]:
    for member in record.members:
        value = values[member.index]
        if member.names and value in range(len(member.names)):
            value = member.names[int(value)]
        if value != "":
            yield member.name, Stated(value, member.how)
