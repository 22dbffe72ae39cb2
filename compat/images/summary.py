"""What was found, as text for a terminal, as JSON, and as Markdown for a job's summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from compat.images.copying import Outcome, Tool, command
from compat.images.judge import Finding, Judged
from compat.images.plan import Plan
from compat.images.survey import Row, Seen, Survey

_MARKS = {"ok": "✓", "note": "!", "stop": "✗", "unknown": "?"}
_SHORT = 19  # "sha256:" and 12 digits


def lines(judged: Sequence[Judged], survey: Survey) -> Iterator[str]:
    """Yield a line for each image, what is to be known below it, and the counts."""
    width = max((len(one.row.name) for one in judged), default=0)
    for one in judged:
        row = one.row
        sides = "  ".join(
            f"{name} {_brief(row.on(name))}" for name in ("upstream", "mirror") if row.on(name)
        )
        yield f"{_MARKS[one.level]} {row.name:<{width}}  {sides}".rstrip()
        if row.pins:
            yield f"    pinned  by {', '.join(_pinned(row))}"
        for platform in (row.upstream or row.mirror or Seen()).platforms:
            yield f"    holds   {platform.name} {platform.digest}"
        for finding in one.findings:
            yield f"    {finding.level:<7} {finding.code}: {finding.text}"
    for text in survey.unasked:
        yield f"? list of tags: {text}"
    yield counts(judged)


def counts(judged: Sequence[Judged]) -> str:
    """Return how many images are how, in one line."""
    found = Counter(code for one in judged for code in {finding.code for finding in one.findings})
    stops = sum(one.level == "stop" for one in judged)
    rest = "".join(f", {count} {code}" for code, count in sorted(found.items()))
    return f"{stops} of {len(judged)} images stop{rest}"


def as_dict(
    judged: Sequence[Judged], survey: Survey, limit: timedelta | None, now: datetime, code: int
) -> dict[str, Any]:
    """Return everything for a machine."""
    return {
        "schema": 1,
        "asked": now.isoformat(timespec="seconds"),
        "max_lag_s": limit.total_seconds() if limit is not None else None,
        "exit_code": code,
        "images": [_image(one) for one in judged],
        "unasked": list(survey.unasked),
    }


def markdown(judged: Sequence[Judged], survey: Survey, now: datetime) -> str:
    """Return a page for a job's summary: what stops first."""
    order = {"stop": 0, "unknown": 1, "note": 2, "ok": 3}
    out = [
        "## Container images",
        "",
        f"{counts(judged)}. Asked {now:%Y-%m-%d %H:%M} UTC.",
        "",
        "| | image | upstream | mirror | pinned by | what to know |",
        "|---|---|---|---|---|---|",
    ]
    for one in sorted(judged, key=lambda one: order[one.level]):
        row = one.row
        notes = "<br>".join(f"**{f.code}**: {_cell(f.text)}" for f in one.findings)
        pinned = ", ".join(sorted({_cell(pin.target) for pin in row.pins}))
        sides = " | ".join(_code(row.on(side)) for side in ("upstream", "mirror"))
        out.append(f"| {_MARKS[one.level]} | `{row.name}` | {sides} | {pinned} | {notes} |")
    out += ["", *(f"Not asked: {_cell(text)}" for text in survey.unasked)]
    return "\n".join(out).rstrip() + "\n"


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the plan for a person."""
    for copy in plan.copies:
        size = f", {_size(copy.size)} at most" if copy.size else ""
        yield f"copy {copy.origin}\n  to {copy.goal}  ({copy.reason}{size})"
    for text in plan.impossible:
        yield f"✗ {text}"
    for text in plan.unknown:
        yield f"? {text}"
    yield f"{len(plan.copies)} to copy"


def plan_dict(plan: Plan, tool: Tool) -> dict[str, Any]:
    """Return the plan for a machine, each copy with its argument list (logins are not in it)."""
    return {
        "schema": 1,
        "copies": [
            {
                "from": str(copy.origin),
                "to": str(copy.goal),
                "digest": copy.digest,
                "size": copy.size,
                "reason": copy.reason,
                "command": command(copy, tool),
            }
            for copy in plan.copies
        ],
        "impossible": list(plan.impossible),
        "unknown": list(plan.unknown),
    }


def outcome_line(outcome: Outcome) -> str:
    """Return what became of a copy, for a person."""
    end = f"✗ {outcome.problem}" if outcome.problem else "✓ same digest in the mirror"
    return f"{outcome.copy.goal}: {end}"


def outcome_dict(outcome: Outcome) -> dict[str, Any]:
    """Return what became of a copy; without a problem the mirror has the same digest."""
    copy = outcome.copy
    return {"to": str(copy.goal), "digest": copy.digest, "problem": outcome.problem}


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"


def _pinned(row: Row) -> list[str]:
    return [
        f"{pin.target} ({pin.image.digest[:_SHORT] if pin.image.digest else 'tag alone'})"
        for pin in row.pins
    ]


def _brief(seen: Seen | None) -> str:
    if seen is None:
        return ""
    if seen.error:
        return "?".ljust(_SHORT)
    return (seen.digest or "-")[:_SHORT].ljust(_SHORT)


def _code(seen: Seen | None) -> str:
    text = _brief(seen).strip()
    return f"`{text}`" if text and seen and seen.digest else text


def _cell(text: str) -> str:
    """Keep a text within its cell."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())


def _image(one: Judged) -> dict[str, Any]:
    row = one.row
    return {
        "image": row.name,
        "tag": row.tag,
        "level": one.level,
        "upstream": _side(row, "upstream"),
        "mirror": _side(row, "mirror"),
        "pins": [
            {
                "target": pin.target,
                "pulled_from": pin.home,
                "digest": pin.image.digest,
                "there": row.digests.get(pin.image.digest or "", {}),
            }
            for pin in row.pins
        ],
        "findings": [_finding(finding) for finding in one.findings],
    }


def _side(row: Row, side: Any) -> dict[str, Any] | None:
    repository, seen = row.pair.on(side), row.on(side)
    if repository is None:
        return None
    seen = seen or Seen()
    return {
        "repository": str(repository),
        "digest": seen.digest,
        "error": seen.error,
        "created": seen.created.isoformat() if seen.created else None,
        "platforms": {one.name: one.digest for one in seen.platforms},
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "level": finding.level,
        "code": finding.code,
        "text": finding.text,
        "since": finding.since.isoformat() if finding.since else None,
        "lag_s": round(finding.lag.total_seconds()) if finding.lag is not None else None,
        "old": finding.old,
        "new": finding.new,
    }
