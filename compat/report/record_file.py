"""``records.jsonl`` of the report: the run's records, and the drift that was computed from them.

The output files stay behind in the work dir, so without its metrics a report could not be judged
again by itself, merged with another, or judged by new limits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import copysign, isinf, isnan
from pathlib import Path

import pandas as pd

from compat.analysis import drift, labels
from compat.analysis.outputs import BEYOND, COMPARED_WITH
from compat.records import as_line
from compat.report.rows import Row, rows

_CHECKS = ('"accuracy', '"top1')


def with_metrics(table: pd.DataFrame, records: Path) -> Iterator[str]:
    """Yield the lines of a records file, accuracy records with their metrics in ``numbers``."""
    by_item: dict[str, Row] | None = None
    with records.open(encoding="utf-8") as lines:
        for line in lines:
            known = '"golden_' in line or not any(check in line for check in _CHECKS)
            if not known and by_item is None:
                by_item = _measured(table)
            yield line if known or by_item is None else _enriched(line, by_item)


def _measured(table: pd.DataFrame) -> dict[str, Row]:
    """Rows that have metrics, by item."""
    found = [table[f"golden_{name}"].notna() for name in ("mismatch", "cosine", "items")]
    names = [n for n in table.columns if n.startswith(("golden_", "current_"))]
    some = table.loc[found[0] | found[1] | found[2], ["item", "reference", *names]]
    return {row.text("item"): row for row in rows(some)}


def _enriched(line: str, by_item: dict[str, Row]) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        return line  # a half-written line: not ours to repair, and no reader trips over it
    row = by_item.get(record.get("item", ""))
    if row is None or record.get("status") != "ok":
        return line
    record["numbers"] = {**(record.get("numbers") or {}), **_metrics(row)}
    if row.text("reference"):
        record["facts"] = {**(record.get("facts") or {}), COMPARED_WITH: row.text("reference")}
    return as_line(record)


def _metrics(row: Row) -> dict[str, float]:
    """Golden and current metrics; NaN is left out, since the count of NaN says it already."""
    found = {
        f"{side}_{name}": row.number(f"{side}_{name}")
        for side in ("golden", "current")
        for name in (*drift.NAMES, *labels.NAMES)
    }
    return {k: _finite(v) for k, v in found.items() if v is not None and not isnan(v)}


def _finite(value: float) -> float:
    return copysign(BEYOND, value) if isinf(value) else value
