"""What the facts mean: missing, stale, moved; and the exit code.

A pinned image stops where a target pulls it, if it is gone there. What the mirror lacks, or holds
in an older state, stops once it lasts longer than the allowed lag; without an allowed lag only what
is pinned and missing stops. The lag counts from the time in the image's configuration, when it was
made: a registry does not say when an image came to it, so the lag is never too short.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from compat.images.errors import ImagesError
from compat.images.route import Side
from compat.images.survey import Row, Seen, Survey

Level = Literal["stop", "unknown", "note"]
Code = Literal[
    "gone", "missing", "missing-in-mirror", "stale-in-mirror", "partial-in-mirror",
    "moved", "only-in-mirror", "not-pinned", "not-asked",
]  # fmt: skip
_OTHER: dict[Side, Side] = {"upstream": "mirror", "mirror": "upstream"}
_HOURS = {"h": 1, "d": 24, "w": 168}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know about an image; `since` and `lag` where a time belongs to it."""

    level: Level
    code: Code
    text: str
    since: datetime | None = None
    lag: timedelta | None = None
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with its findings."""

    row: Row
    findings: tuple[Finding, ...]

    @property
    def level(self) -> Level | Literal["ok"]:
        """The worst finding's level."""
        levels = {finding.level for finding in self.findings}
        return next((level for level in ("stop", "unknown", "note") if level in levels), "ok")


def parse_lag(text: str) -> timedelta:
    """Read ``36h``, ``14d`` or ``2w``."""
    match = re.fullmatch(r"(\d{1,5})([hdw])", text.strip())
    if match is None:
        raise ImagesError(f"{text!r} is no lag: write a number and h, d or w, such as 14d")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


def tell_lag(lag: timedelta) -> str:
    """Write a lag in days, or in hours below two days."""
    hours = lag.total_seconds() / 3600
    return f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours"


def exit_code(judged: Iterable[Judged], survey: Survey) -> int:
    """Return 1 where something stops, 4 where something could not be asked, else 0."""
    levels = {one.level for one in judged}
    if "stop" in levels:
        return 1
    return 4 if "unknown" in levels or survey.unasked else 0


def judge(rows: Sequence[Row], limit: timedelta | None, now: datetime) -> list[Judged]:
    """Judge each row by the allowed lag; None where none was given."""
    return [Judged(row, tuple(_Case(row, limit, now).findings())) for row in rows]


class _Case:
    """One row under judgement."""

    def __init__(self, row: Row, limit: timedelta | None, now: datetime) -> None:
        self.row, self.limit, self.now = row, limit, now
        self.up, self.mirror = row.upstream, row.mirror
        self.pinned = sorted(row.digests)
        newest = self.up if self.up and self.up.digest else None
        self.since = newest.created if newest else None

    def findings(self) -> Iterator[Finding]:
        for text in self.row.errors:
            yield Finding("unknown", "not-asked", text)
        yield from self._at_home()
        yield from self._moved()
        yield from self._in_mirror()
        yield from self._beside()

    def _at_home(self) -> Iterator[Finding]:
        """Yield what a target would fail to pull."""
        for digest, home in sorted({(p.image.digest or "", p.home) for p in self.row.pins}):
            where, other = self.row.pair.on(home), _OTHER[home]
            here = self.row.on(home)
            if digest and self.row.digests[digest].get(home) is False:
                rest = f"; {other} has it" if self.row.digests[digest].get(other) else ""
                text = f"pinned {digest} is not at {where}{rest}"
                yield Finding("stop", "gone", text, old=digest)
            elif not digest and here and not here.error and here.digest is None:
                yield Finding("stop", "missing", f"{where} has no tag {self.row.tag}")

    def _moved(self) -> Iterator[Finding]:
        """Yield the pins that their tag left behind: upstream moves it first."""
        now = self.up if self.up is not None else self.mirror
        if now is None or now.digest is None:
            return
        for digest in self.pinned:
            if not now.holds(digest):
                text = f"pinned {digest}, and the tag now points at {now.digest}"
                yield self._late("moved", text, self.since, old=digest, new=now.digest)

    def _in_mirror(self) -> Iterator[Finding]:
        """Yield what the mirror lacks or holds in an older state."""
        if self.row.pair.mirror is None or self.row.pair.upstream is None:
            return
        lacking = self._pinned_lacking()
        yield from lacking
        up, mirror = self.up, self.mirror
        if not up or not mirror or up.error or mirror.error:
            return
        if up.digest and mirror.digest is None and not lacking:
            kept = any(sides.get("mirror") for sides in self.row.digests.values())
            text = "the mirror has no such tag" + (" (but the pinned digest)" if kept else "")
            yield self._late("missing-in-mirror", text, self.since, missing=not kept, new=up.digest)
        elif up.digest and mirror.digest and up.digest != mirror.digest:
            if any(digest == mirror.digest for digest in self.pinned):
                return  # it holds what is pinned; that the tag moved is said already
            yield self._late(*_difference(up, mirror), self.since, old=mirror.digest, new=up.digest)
        elif mirror.digest and up.digest is None:
            yield Finding("note", "only-in-mirror", "upstream has no such tag any more")

    def _pinned_lacking(self) -> list[Finding]:
        # What is pulled from the mirror and not there is said by _at_home, and so is what is gone
        # upstream: no mirror can have it any more.
        pulled = {pin.image.digest for pin in self.row.pins if pin.home == "upstream"}
        return [
            self._late(
                "missing-in-mirror",
                f"the mirror lacks pinned {digest}",
                # What the tag left behind is older than what it points at, by nobody knows what.
                since=self.since if self.up and self.up.holds(digest) else None,
                missing=True,
                new=digest,
            )
            for digest in self.pinned
            if digest in pulled
            and self.row.digests[digest].get("mirror") is False
            and self.row.digests[digest].get("upstream") is not False
        ]

    def _beside(self) -> Iterator[Finding]:
        for pin in self.row.pins:
            here = self.row.on(pin.home)
            if not pin.image.digest and here and here.digest:
                text = f'pinned by its tag alone: write digest = "{here.digest}"'
                yield Finding("note", "not-pinned", f"{pin.target}: {text}", new=here.digest)

    def _late(
        self,
        code: Code,
        text: str,
        since: datetime | None,
        *,
        missing: bool = False,
        old: str | None = None,
        new: str | None = None,
    ) -> Finding:
        """A finding that stops after the allowed lag; an unknown time counts as a long one."""
        lag = max(self.now - since, timedelta()) if since else None
        if self.limit is None:
            stops = missing and bool(self.row.pins)
        else:
            stops = lag is None or lag > self.limit
        if since is not None and lag is not None:
            text += f"; made {since:%Y-%m-%d}, {tell_lag(lag)} ago"
        else:
            text += "; since when is not known"
        return Finding("stop" if stops else "note", code, text, since, lag, old, new)


def _difference(up: Seen, mirror: Seen) -> tuple[Code, str]:
    for platform in up.platforms:
        if mirror.digest == platform.digest:
            return "partial-in-mirror", f"the mirror holds {platform.name} alone"
    return "stale-in-mirror", f"the mirror holds {mirror.digest}, upstream {up.digest}"
