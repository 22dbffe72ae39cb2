"""Results to files that people and machines read: HTML, Markdown, JSON, JUnit, Parquet.

Lives above the analysis, below the command line. Judges nothing: whatever it shows is in the
results, and every file is replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from compat import atomic
from compat.analysis import collector
from compat.analysis.results import Results
from compat.interchange.rows import read as read_crosschecks
from compat.report import closing, record_file, summary
from compat.report.junit import junit_xml
from compat.report.page import render
from compat.report.rows import Row, rows
from compat.report.verdict_file import verdict_json

__all__ = ["github_summary", "terminal", "write"]


def write(results: Results, out: Path, *, records_path: Path) -> Path:
    """Write the whole output folder and return the path of its ``index.html``.

    ``verdict.json`` comes last: where it exists, the rest of the same run does too. Raises
    OSError where the folder cannot be written; what stood there before is then untouched or
    replaced file by file, never half written.
    """
    out.mkdir(parents=True, exist_ok=True)
    with collector.paused():
        items = list(rows(results.table))
        _write_pages(results, items, out)
        atomic.write_bytes(out / "junit.xml", junit_xml(results, items))
        text = summary.markdown(results, items)
    if records_path.is_file():
        lines = record_file.with_metrics(results.table, records_path)
        atomic.write_with(out / "records.jsonl", lambda path: _write_lines(path, lines))
    atomic.write_with(
        out / "results.parquet", lambda path: results.table.to_parquet(path, index=False)
    )
    atomic.write_text(out / "summary.md", text)
    atomic.write_text(out / "verdict.json", verdict_json(results))
    return out / "index.html"


def _write_pages(results: Results, items: Sequence[Row], out: Path) -> None:
    stale = {p.name for p in out.glob("model-*.html")}
    for page in render(results, items, read_crosschecks(out)):
        atomic.write_text(out / page.name, page.html)
        stale.discard(page.name)
    for name in stale:
        (out / name).unlink(missing_ok=True)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)


def terminal(results: Results, console: Console) -> None:
    """Print the closing table: verdict per upgrade, reasons, coverage."""
    closing.terminal(results, console)


def github_summary(results: Results, env: Mapping[str, str]) -> None:
    """Append the summary to the file named by ``GITHUB_STEP_SUMMARY``, if any."""
    summary.append_to_github(results, env)
