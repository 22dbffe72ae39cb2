"""Labelled checks in a whole analysis: files, carried counts, and their part in a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat import analysis, report
from compat.records import read_records
from tests import builders

A, B = "ort-1.30", "ort-1.31"
PAIRS = ((A, A), (A, B), (B, B))
LABELS = np.arange(10_000) % 10


def _wrong(count: int) -> np.ndarray:
    """Predictions of which the first `count` are wrong."""
    found = LABELS.copy()
    found[:count] = (found[:count] + 1) % 10
    return np.repeat(found[:, None], 5, axis=1)


def _planned(limit: float | None = 0.01) -> dict[str, Any]:
    items = [
        item
        for a, b in PAIRS
        for item in (
            *builders.cell_items("m", "fp32", a, b),
            builders.item("top1", "m", "fp32", a, b),
        )
    ]
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    made = builders.plan(items, targets, [(A, B)], ["m"], golden={"m": {"top1": "golden.npz"}})
    made["limits"]["accuracy"]["m"]["fp32"]["top1-loss"] = limit
    return made


def _records(plan: dict[str, Any], work: Path, wrong: dict[str, int]) -> list[dict[str, Any]]:
    """Records that hold everywhere; `wrong` counts the wrong answers by builder and runtime."""
    np.savez(work / "golden.npz", top5=_wrong(0), labels=LABELS)
    records: list[dict[str, Any]] = []
    for number, item in enumerate(plan["items"]):
        if item["check"] == "accuracy":
            records.append(builders.accuracy_record(item, number))
        elif item["check"] == "latency":
            records += builders.rounds_of(item, number)
        elif item["check"] != "top1":
            records.append(builders.record(item))
        else:
            pair = f"{item['builder']}/{item['runtime']}"
            bad, name = wrong.get(pair, 0), f"{item['builder']}-{item['runtime']}.npz"
            np.savez(work / name, top5=_wrong(bad))
            numbers = {"n": 10_000, "correct": 10_000 - bad, "top1": 1 - bad / 10_000, "top5": 1.0}
            files = {"predictions": name}
            records.append(builders.record(item, numbers=numbers, files=files))
    return records


@pytest.mark.parametrize(
    ("wrong", "verdict", "reason"),
    [
        ({}, "safe", None),
        ({f"{B}/{B}": 300}, "blocked", ("blocks", "top1-loss")),
        ({f"{A}/{B}": 300}, "rebuild", ("rebuild", "top1-loss")),
        ({f"{A}/{A}": 300, f"{A}/{B}": 300, f"{B}/{B}": 300}, "safe", ("note", "already-so")),
        ({f"{A}/{A}": 300, f"{B}/{B}": 600}, "blocked", ("blocks", "top1-loss")),
        ({f"{B}/{B}": 95}, "inconclusive", ("gap", "top1-unclear")),
    ],
    ids=["equal", "rebuilt", "kept", "already-so", "worse-still", "unclear"],
)
def test_right_answers_lost_take_part_in_the_verdict(
    tmp_path: Path, wrong: dict[str, int], verdict: str, reason: tuple[str, str] | None
) -> None:
    plan = _planned()
    found = analysis.compile(plan, _records(plan, tmp_path, wrong), work=tmp_path).upgrades[0]

    assert found.verdict == verdict
    seen = {(r.weight, r.code) for r in found.reasons}
    assert reason is None or reason in seen


def test_without_a_limit_it_is_measured_and_not_judged(tmp_path: Path) -> None:
    plan = _planned(None)
    results = analysis.compile(plan, _records(plan, tmp_path, {f"{B}/{B}": 300}), work=tmp_path)

    assert results.upgrades[0].verdict == "safe"


def test_a_report_can_be_judged_again_without_the_files(tmp_path: Path) -> None:
    """Its records carry the counts, also against the current version."""
    plan = _planned()
    wrong = {f"{A}/{A}": 300, f"{B}/{B}": 600}
    results = analysis.compile(plan, _records(plan, tmp_path, wrong), work=tmp_path)
    lines = tmp_path / "records.jsonl"
    lines.write_text("".join(_line(r) for r in _records(plan, tmp_path, wrong)), encoding="utf-8")
    page = report.write(results, tmp_path / "out", records_path=lines)
    for path in tmp_path.glob("*.npz"):
        path.unlink()

    again = analysis.compile(plan, read_records(tmp_path / "out/records.jsonl"))

    assert again.upgrades == results.upgrades
    columns = ["item", "top1", "golden_lost", "current_loss", "current_loss_p", "verdict"]
    assert again.table[columns].equals(results.table[columns])
    html = page.read_text(encoding="utf-8")
    assert "Accuracy on labels" in html
    assert "97.00%" in html


def _line(record: dict[str, Any]) -> str:
    import json

    return json.dumps(record) + "\n"


def test_predictions_of_other_items_are_not_compared(tmp_path: Path) -> None:
    plan = _planned()
    records = _records(plan, tmp_path, {})
    np.savez(tmp_path / f"{B}-{B}.npz", top5=_wrong(0)[:500])
    (tmp_path / f"{A}-{B}.npz").write_bytes(b"cut off")

    found = analysis.compile(plan, records, work=tmp_path).upgrades[0]

    assert found.verdict == "inconclusive"
    assert {r.code for r in found.reasons} == {"no-outputs"}
