"""The output folder: complete, atomic, replaced as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from compat import analysis, atomic, report
from compat.analysis import Results
from compat.report import page
from tests import builders

FILES = [
    "index.html",
    "junit.xml",
    "records.jsonl",
    "results.parquet",
    "summary.md",
    "verdict.json",
]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """A records file."""
    path = tmp_path / "records.jsonl"
    path.write_text('{"schema": 1}\n', encoding="utf-8")
    return path


def test_the_folder_holds_what_the_design_says(
    results: Results, records: Path, tmp_path: Path
) -> None:
    index = report.write(results, tmp_path / "deep" / "out", records_path=records)
    assert sorted(p.name for p in index.parent.iterdir()) == FILES
    assert (index.parent / "records.jsonl").read_bytes() == records.read_bytes()


def test_the_table_survives_parquet(results: Results, records: Path, tmp_path: Path) -> None:
    report.write(results, tmp_path / "out", records_path=records)
    read = pd.read_parquet(tmp_path / "out" / "results.parquet")
    pd.testing.assert_frame_equal(read, results.table, check_dtype=False)


def test_verdict_json_is_as_designed(results: Results, records: Path, tmp_path: Path) -> None:
    report.write(results, tmp_path, records_path=records)
    verdict = json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    assert (verdict["schema"], verdict["gate"], verdict["exit_code"]) == (1, "fail", 1)
    assert [(u["from"], u["to"], u["verdict"]) for u in verdict["upgrades"]] == [
        ("rtx-1.6", "rtx-1.7", "not-run"),
        ("ort-1.30", "ort-1.31", "blocked"),
    ]
    first = verdict["upgrades"][1]["reasons"][0]
    assert set(first) == {"code", "weight", "text", "items", "worst"}
    assert verdict["counts"]["planned"] == 768
    assert verdict["coverage"] == {"ran": 380, "planned": 768}
    assert len(verdict["allowed"]) == 1


def test_a_number_that_json_can_not_say_is_null(
    results: Results, records: Path, tmp_path: Path
) -> None:
    upgrade = results.upgrades[1]
    reason = replace(upgrade.reasons[0], worst=float("nan"))
    changed = replace(results, upgrades=(replace(upgrade, reasons=(reason,)),))
    report.write(changed, tmp_path, records_path=records)
    verdict = json.loads((tmp_path / "verdict.json").read_text("utf-8"))
    assert verdict["upgrades"][0]["reasons"][0]["worst"] is None


def test_a_run_that_never_recorded_still_gets_a_report(empty: Results, tmp_path: Path) -> None:
    index = report.write(empty, tmp_path, records_path=tmp_path / "absent")
    assert "nothing ran" in index.read_text("utf-8")


def test_records_that_are_already_there_are_left(
    results: Results, records: Path, tmp_path: Path
) -> None:
    report.write(results, tmp_path, records_path=records)
    assert records.read_text("utf-8") == '{"schema": 1}\n'


def test_beyond_the_budget_there_is_a_page_per_model(
    results: Results, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = tmp_path / "model-gone.html"
    stale.write_text("old", encoding="utf-8")
    monkeypatch.setattr(page, "CELLS_PER_PAGE", 10)
    index = report.write(results, tmp_path, records_path=records)
    pages = sorted(p.name for p in tmp_path.glob("model-*.html"))
    assert pages == sorted(f"model-{m}.html" for m in builders.MODELS)
    text = index.read_text("utf-8")
    assert all(f'href="{name}"' in text for name in pages)
    assert not stale.exists()


def test_back_below_the_budget_the_pages_go_away(
    results: Results, records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(page, "CELLS_PER_PAGE", 10)
        report.write(results, tmp_path, records_path=records)
    report.write(results, tmp_path, records_path=records)
    assert not list(tmp_path.glob("model-*.html"))


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomic.write_text(path, "old")

    def interrupted(temporary: Path) -> None:
        temporary.write_text("half", encoding="utf-8")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atomic.write_with(path, interrupted)
    assert path.read_text("utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_can_not_be_made_is_an_oserror(
    results: Results, records: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match="file"):
        report.write(results, tmp_path / "file" / "out", records_path=records)


def test_the_default_run_stays_below_a_megabyte(records: Path, tmp_path: Path) -> None:
    results = analysis.compile(*builders.default_run())
    index = report.write(results, tmp_path, records_path=records)
    assert index.stat().st_size < 1_000_000
