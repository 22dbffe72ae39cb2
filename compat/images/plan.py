"""What has to be copied so that the mirror has what was asked for, as a plan that one can read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compat.images.errors import ImagesError
from compat.images.reference import Image, Repository
from compat.images.survey import Row, Seen


@dataclass(frozen=True, slots=True)
class Copy:
    """One image, by digest, from upstream to the mirror; without a tag it lies there by digest."""

    source: Repository
    destination: Repository
    tag: str | None
    digest: str
    size: int  # bytes, of all platforms; 0 where not known
    reason: str

    @property
    def origin(self) -> Image:
        """What is read."""
        return Image(self.source, None, self.digest)

    @property
    def goal(self) -> Image:
        """What is written."""
        return Image(self.destination, self.tag, None if self.tag else self.digest)


@dataclass(frozen=True, slots=True)
class Plan:
    """Copies in order; `impossible` what is pinned and nowhere; `unknown` what nobody answered."""

    copies: tuple[Copy, ...]
    impossible: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def plan_copies(rows: Sequence[Row], unasked: Sequence[str]) -> Plan:
    """Return the copies that rows call for.

    A tag of the mirror gets what the targets pin, and where none pins a digest what upstream's tag
    points at. Other digests that are pinned are copied without a tag.

    Raises:
        ImagesError: no row has both sides.
    """
    both = [row for row in rows if row.pair.upstream and row.pair.mirror]
    if not both:
        raise ImagesError(
            "there is nothing to copy between: name a mirror by --mirror or images.mirror, and an "
            "upstream that the images lie below"
        )
    copies: list[Copy] = []
    impossible: list[str] = []
    unknown = [*unasked]
    for row in both:
        if row.errors:
            unknown += [f"{row.name}: {text}" for text in row.errors]
            continue
        impossible += _impossible(row)
        copies += _copies(row)
    return Plan(tuple(copies), tuple(impossible), tuple(unknown))


def _impossible(row: Row) -> Iterator[str]:
    for digest, sides in row.digests.items():
        if not any(sides.values()):
            names = ", ".join(pin.target for pin in row.pins if pin.image.digest == digest)
            yield f"{row.name}: pinned {digest} ({names}) is neither upstream nor in the mirror"
    by_tag = [pin.target for pin in row.pins if not pin.image.digest]
    there = [seen for seen in (row.upstream, row.mirror) if seen and seen.digest]
    if by_tag and not there:
        yield f"{row.name}: the tag ({', '.join(by_tag)}) is neither upstream nor in the mirror"


def _copies(row: Row) -> Iterator[Copy]:
    up, mirror = row.upstream or Seen(), row.mirror or Seen()
    wanted = _wanted(row, up)
    source, destination = row.pair.upstream, row.pair.mirror
    assert source is not None
    assert destination is not None
    fetchable = wanted == up.digest or row.digests.get(wanted or "", {}).get("upstream")
    if row.tag and wanted and fetchable and mirror.digest != wanted:
        reason = "missing" if mirror.digest is None else f"the mirror holds {mirror.digest}"
        size = up.size if wanted == up.digest else 0
        yield Copy(source, destination, row.tag, wanted, size, reason)
    for digest, sides in row.digests.items():
        brought = digest == wanted or (wanted == up.digest and up.holds(digest))
        if sides.get("upstream") and not sides.get("mirror") and not (row.tag and brought):
            yield Copy(source, destination, None, digest, 0, "pinned, and the tag is elsewhere")


def _wanted(row: Row, up: Seen) -> str | None:
    """The digest that the mirror's tag should have."""
    if not row.digests or (up.digest and any(up.holds(digest) for digest in row.digests)):
        return up.digest
    # The tag moved on: among several old pins the first by target keeps it.
    first = min((pin for pin in row.pins if pin.image.digest), key=lambda pin: pin.target)
    return first.image.digest
