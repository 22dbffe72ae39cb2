"""The Markdown summary: verdict, worst ten findings, what did not run; also for GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from compat.analysis.results import Results, UpgradeVerdict
from compat.report import claims, code, damage, figures, findings, headline
from compat.report.page import machine, question
from compat.report.rows import Row, rows
from compat.report.surprises import Surprise, surprises

WORST: Final = 10
#: GitHub drops a whole job summary beyond 1 MiB, so stay below it with room for other steps.
GITHUB_LIMIT: Final = 1_000_000
_CUT: Final = "\n_This summary was cut; the rest is in summary.md of the report._\n"


def markdown(results: Results, items: Sequence[Row] | None = None) -> str:
    """Render ``summary.md``; ``items`` are the rows of the table where a caller has them."""
    listed = list(rows(results.table)) if items is None else items
    return "\n".join(_lines(results, listed)) + "\n"


def _lines(results: Results, items: Sequence[Row]) -> Iterator[str]:
    gate = results.gate
    yield f"# {escape(question(results))}"
    yield ""
    yield f"**{gate.headline}** (exit code {gate.exit_code}); " + (
        f"{results.coverage.text}. {results.plan['created'][:16].replace('T', ' ')} UTC, "
        f"{escape(machine(results))}."
    )
    for upgrade in results.upgrades:
        yield from _upgrade(upgrade)
        if said := headline.latency(items, upgrade, results.plan):
            yield from ("", escape(said) + ".")
        if said := code.of_upgrade(results, upgrade.current, upgrade.candidate):
            yield from ("", escape(said))
    if not results.upgrades or not gate.held:
        yield from ("", *(f"- {escape(r)}" for r in gate.because))
    if gate.allowed:
        yield from ("", "Let through by the configuration:", "")
        yield from (f"- {escape(a)}" for a in gate.allowed)
    yield from _surprises(surprises(items))
    yield from _code(results)
    yield from _claims(results)
    yield from _worst(findings.failures(items))
    if said := damage.sentence(items):
        yield from ("", escape(said))
    yield from _missing(findings.missing(items))
    yield ""
    yield "The full report is `index.html` beside this file; every number is in `results.parquet`."


def _upgrade(upgrade: UpgradeVerdict) -> Iterator[str]:
    mark = figures.mark(upgrade.verdict)
    yield from ("", f"## {mark.glyph} {escape(upgrade.name)}: {mark.word}", "")
    ran = upgrade.coverage.text.removeprefix("ran")
    yield f"{figures.MEANINGS[upgrade.verdict]} Ran {escape(ran)}."
    if upgrade.reasons:
        yield ""
    yield from (f"{n}. {escape(r.text)}" for n, r in enumerate(upgrade.reasons[:3], 1))


def _code(results: Results) -> Iterator[str]:
    """The places in the user's code that break, the first ones of each upgrade."""
    for one in code.your_code(results):
        if one.places:
            yield from ("", f"## Your code, {escape(one.current)} → {escape(one.candidate)}", "")
        for place in one.places[:WORST]:
            instead = f"; instead: {place.instead}" if place.instead else ""
            yield f"- `{place.where}` {place.rule}: {escape(place.message + instead)}"
        if more := len(one.places) - WORST:
            yield from () if more < 0 else (f"- and {figures.plural(more, 'more place')}",)


def _claims(results: Results) -> Iterator[str]:
    """What was measured of the claims; what was not is a count, and stands in the report."""
    if not results.claims:
        return
    yield from ("", "## Claims, and what was measured here", "")
    known = claims.measured(results.claims)
    if known:
        yield from ("| claim | where | measured | word |", "|---|---|--:|---|")
    for c in known:
        figure = f"{c.measured} ({c.interval})" if c.interval else c.measured
        word = f"{claims.WORDS[c.word].word}{f': {c.note}' if c.note else ''}"
        yield f"| {escape(c.claim)} | {escape(c.where)} | {escape(figure)} | {escape(word)} |"
    if lacking := len(results.claims) - len(known):
        rest = "is" if lacking == 1 else "are"
        yield from ("", f"{figures.plural(lacking, 'figure')} {rest} not measured here.")


def _surprises(found: list[Surprise]) -> Iterator[str]:
    """What the documentation says beside what was seen, before anything else that was found."""
    if not found:
        return
    yield from ("", "## Surprises: the documentation says one thing, the run saw another", "")
    yield from ("| rule | says | seen | where | engines |", "|---|---|---|---|--:|")
    for s in found[:WORST]:
        name = f"[{escape(s.rule)}]({s.source})" if s.source else "host code"
        where = f"{s.pair}, {s.where}"
        yield (
            f"| {name} | {escape(s.expected)} | {escape(s.seen)} | {escape(where)} | "
            f"{len(s.engines)} |"
        )
    if len(found) > WORST:
        yield from ("", f"{len(found) - WORST} more in the report.")


def _worst(found: list[findings.Finding]) -> Iterator[str]:
    if not found:
        return
    yield from ("", "## Worst findings", "", "| what | where | items | said |", "|---|---|--:|---|")
    for f in found[:WORST]:
        where = f"{f.first.text('builder')} → {f.first.text('runtime')}, {f.first.text('model')} "
        where += f"{f.first.text('precision')} {f.first.text('point')}".strip()
        code = f" ({escape(f.code)})" if f.code not in ("", f.state) else ""
        yield f"| {escape(f.state)}{code} | {escape(where)} | {f.count} | {escape(_told(f))} |"
    if len(found) > WORST:
        yield from ("", f"{len(found) - WORST} more in the report.")


def _told(found: findings.Finding) -> str:
    known = findings.advice(found.code, found.text)
    return f"{found.text} ({known})" if known else found.text


def _missing(found: list[findings.Finding]) -> Iterator[str]:
    if not found:
        return
    yield from ("", "## Not run", "", "| reason | items | said |", "|---|--:|---|")
    for f in found[:WORST]:
        yield f"| {escape(f.code or f.status)} | {f.count} | {escape(f.text)} |"
    if len(found) > WORST:
        yield from ("", f"{len(found) - WORST} more reasons in the report.")


def escape(text: str) -> str:
    """Keep names and messages from being read as Markdown, HTML, or a new table row."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]|#~])", r"\\\1", flat)


def truncate(text: str, limit: int) -> str:
    """Cut at a line boundary so that the UTF-8 text with the note fits into ``limit`` bytes."""
    raw = text.encode("utf-8")
    if len(raw) <= limit:
        return text
    if limit < len(_CUT.encode("utf-8")):
        return ""
    room = raw[: limit - len(_CUT.encode("utf-8"))]
    return room[: room.rfind(b"\n") + 1].decode("utf-8") + _CUT


def append_to_github(results: Results, env: Mapping[str, str]) -> None:
    """Append the summary to the file that GitHub names, together below its limit."""
    name = env.get("GITHUB_STEP_SUMMARY")
    if not name:
        return
    path = Path(name)
    used = path.stat().st_size if path.exists() else 0
    with path.open("a", encoding="utf-8") as file:
        file.write(truncate(markdown(results), GITHUB_LIMIT - used))
