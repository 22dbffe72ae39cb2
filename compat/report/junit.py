"""JUnit from the results: one suite per target, one case per item (Jenkins xunit2 schema)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from xml.sax.saxutils import quoteattr

from compat.analysis import damage
from compat.analysis.results import Results
from compat.matrix import CROSSCHECKS
from compat.report.rows import Row, rows

_ERRORS = frozenset({"crashed", "timeout", "failed"})
#: Codes of items that were measured and have nothing to be judged by.
_NOT_JUDGED = frozenset({"latency-not-judged", "no-limit"})
_COORDINATES = ("builder", "runtime", "model", "precision", "typing", "variant", "point", "news")
#: Characters that XML 1.0 cannot hold, even escaped; a log excerpt may well contain them.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Results, items: Iterable[Row] | None = None) -> bytes:
    """Render the document; ``items`` are the rows of the table where a caller has them.

    failure: the gate would say no; error: the harness or the environment; skipped: not run, not
    judged or inconclusive, since none of these is a pass. Written line by line: ElementTree needs
    five seconds and 300 MB for 50,000 cases with their properties.
    """
    by_target: dict[str, list[Row]] = defaultdict(list)
    for row in rows(results.table) if items is None else items:
        by_target[row.text("builder" if row.text("phase") == "build" else "runtime")].append(row)
    created = str(results.plan["created"])[:19]
    lines = ['<?xml version="1.0" encoding="utf-8"?>', '<testsuites name="trt-compat">']
    for target, own in by_target.items():
        lines.extend(_suite(target, own, created))
    lines.append("</testsuites>\n")
    return "\n".join(lines).encode("utf-8")


def _suite(target: str, items: list[Row], created: str) -> Iterator[str]:
    outcomes = [_outcome(row) for row in items]
    counts = Counter(kind for kind, _ in outcomes)
    spent = sum(row.number("seconds") or 0 for row in items)
    yield (
        f"<testsuite name={_quoted(target)} timestamp={_quoted(created)} "
        f'tests="{len(items)}" failures="{counts["failure"]}" errors="{counts["error"]}" '
        f'skipped="{counts["skipped"]}" time="{spent:.3f}">'
    )
    for row, (kind, said) in zip(items, outcomes, strict=True):
        yield _case(row, kind, said)
    yield "</testsuite>"


def _case(row: Row, kind: str, said: str) -> str:
    _, _, model, precision, *_ = row.cell
    properties = "".join(
        f'<property name="{name}" value={_quoted(value)}/>'
        for name in _COORDINATES
        if (value := row.text(name))
    )
    said_at = ""
    if kind == "skipped":
        said_at = f"<skipped message={_quoted(said)}/>"
    elif kind:
        code = row.text("reason") or row.text("verdict_code")
        said_at = f"<{kind} type={_quoted(code)} message={_quoted(said)}/>"
    spent = row.number("seconds") or 0
    where = f"{row.text('check')}.{model}.{precision}"
    return (
        f"<testcase classname={_quoted(where)} name={_quoted(row.text('item'))} "
        f'time="{spent:.3f}"><properties>{properties}</properties>{said_at}</testcase>'
    )


def _outcome(row: Row) -> tuple[str, str]:
    status, verdict = row.text("status"), row.text("verdict")
    said = row.text("verdict_reason") or row.text("message")
    if row.text("check") == damage.CHECK and verdict == "info":
        return "", ""  # whatever a runtime does with a damaged engine is an answer
    if row.text("check") in CROSSCHECKS:
        return ("", "") if status == "ok" else ("skipped", f"cross-check, {status}: {said}")
    if status in _ERRORS:
        return "error", f"{status}: {said}"
    if status in ("not-run", "unsupported"):
        return "skipped", f"{status} ({row.text('reason')}): {said}"
    if verdict == "fail":
        return "failure", said
    open_ = _open(row, status, verdict)
    return ("skipped", f"{open_}: {said}") if open_ else ("", "")


def _open(row: Row, status: str, verdict: str) -> str:
    """Why an item that ran is no pass either; empty for a pass and for a plain measurement."""
    if verdict == "inconclusive":
        return "inconclusive"
    if verdict == "info" and status != "ok":
        return f"{status} ({row.text('reason')}), which no rule foretells"
    return "not judged" if row.text("verdict_code") in _NOT_JUDGED else ""


@lru_cache(maxsize=8192)
def _quoted(text: str) -> str:
    """An attribute value with its quotes; line ends survive as character references."""
    clean = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
    return quoteattr(clean)
