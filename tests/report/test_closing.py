"""The closing table in a terminal, wide, narrow, and without Unicode."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from compat import report
from compat.analysis import Results


def shown(results: Results, *, width: int = 100, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    report.terminal(results, Console(file=stream, width=width, color_system=None))
    stream.seek(0)
    return stream.read()


def test_it_says_verdict_reasons_and_coverage(results: Results) -> None:
    text = shown(results)
    for words in ("✗ blocked", "◌ not run", "ran 224 of 228", "1. ", "and 2 more in the report"):
        assert words in text
    assert "The gate says stop (exit code 1)" in text
    assert "let through: rtx-1.6 → rtx-1.7" in text


def test_a_stream_without_unicode_gets_ascii(results: Results) -> None:
    text = shown(results, encoding="ascii")
    assert "X blocked" in text
    assert "rtx-1.6 -> rtx-1.7" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits_the_terminal(results: Results, width: int) -> None:
    assert max(map(len, shown(results, width=width).splitlines())) <= width


def test_names_are_not_markup(nasty: Results) -> None:
    assert "</pre><script>" in shown(nasty, width=200)


def test_without_upgrades_it_says_why(empty: Results) -> None:
    assert "nothing ran" in shown(empty)
