"""The Markdown summary, and what GitHub gets of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat import report
from compat.analysis import Results
from compat.report import summary


def test_the_summary_says_verdicts_coverage_findings_and_what_did_not_run(
    results: Results,
) -> None:
    text = summary.markdown(results)
    assert "**The gate says stop** (exit code 1); ran 380 of 768 planned." in text
    assert "## ◌ rtx-1.6 → rtx-1.7: not run" in text
    assert "## ✗ ort-1.30 → ort-1.31: blocked" in text
    assert (
        "| crashed (signal-SIGSEGV) | ort-1.31 → ort-1.31, clip-vit-b32-image int8 min | 3 |"
        in text
    )
    assert "| no-cuda-driver | 384 |" in text
    assert "index.html" in text


def test_names_cannot_break_a_table_or_become_html(nasty: Results) -> None:
    text = summary.markdown(nasty)
    assert "<script>" not in text
    assert "<b>" not in text
    for line in text.splitlines():
        if line.startswith("| crashed"):
            assert line.replace("\\|", "").count("|") == 5


def test_an_empty_run_says_so(empty: Results) -> None:
    assert "nothing ran" in summary.markdown(empty)


def test_without_github_nothing_is_written(results: Results, tmp_path: Path) -> None:
    report.github_summary(results, {})
    report.github_summary(results, {"GITHUB_STEP_SUMMARY": ""})
    assert not list(tmp_path.iterdir())


def test_github_gets_the_summary_after_what_is_there(results: Results, tmp_path: Path) -> None:
    path = tmp_path / "summary"
    path.write_text("before\n", encoding="utf-8")
    report.github_summary(results, {"GITHUB_STEP_SUMMARY": str(path)})
    assert path.read_text("utf-8") == "before\n" + summary.markdown(results)


def test_github_never_gets_more_than_it_takes(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "summary"
    path.write_text("x" * 400 + "\n", encoding="utf-8")
    monkeypatch.setattr(summary, "GITHUB_LIMIT", 900)
    report.github_summary(results, {"GITHUB_STEP_SUMMARY": str(path)})
    text = path.read_text("utf-8")
    assert len(text.encode()) <= 900
    assert text.endswith("was cut; the rest is in summary.md of the report._\n")


def test_the_limit_is_below_one_mebibyte() -> None:
    assert summary.GITHUB_LIMIT < 1024 * 1024


@pytest.mark.parametrize("limit", range(70, 140))
def test_a_cut_is_at_a_line_end_and_never_inside_a_character(limit: int) -> None:
    text = "ä→✗\n" * 40
    cut = summary.truncate(text, limit)
    assert len(cut.encode()) <= limit
    assert all(line in ("ä→✗", "") or "cut" in line for line in cut.splitlines())


def test_no_room_at_all_is_no_error() -> None:
    assert len(summary.truncate("line\n" * 500, 10).encode()) <= 10
