"""Drift of every accuracy item, from its output file or from metrics that its record carries.

Each file is read once, and a comparison is cached by what it compared, so a second run reads no
outputs and a report can be made again after they were deleted.
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import copysign, inf
from pathlib import Path
from typing import Any

import numpy as np

from compat.analysis import drift
from compat.analysis.drift import Array, Metrics
from compat.analysis.observations import Observation, Observations

Arrays = dict[str, Array]

CACHE_SCHEMA = 1
#: Stands for infinity in a record, as JSON has none; on the same side of every limit.
BEYOND = 1e300
#: The fact of a record that names the item that its ``current_`` metrics are against.
COMPARED_WITH = "compared_with"


@dataclass(frozen=True, slots=True)
class Drift:
    """Metrics against the golden outputs by item, and by (item, item of the current version)."""

    golden: Mapping[str, Metrics]
    current: Mapping[tuple[str, str], Metrics]


@dataclass(slots=True)
class _Store:
    """Outputs under the work dir and the metrics computed from them so far."""

    work: Path | None
    cached: dict[str, dict[str, Any]]
    arrays: dict[str, dict[str, Array] | None] = field(default_factory=dict)
    used: dict[str, dict[str, Any]] = field(default_factory=dict)

    def metrics(self, outputs: str, reference: str, key: str) -> Metrics | None:
        """Metrics of one file against another; None where neither file nor cache has them."""
        name = f"{key}|{outputs}|{reference}"
        stamps = [self._stamp(outputs), self._stamp(reference)]
        known = self.cached.get(name)
        if known and (None in stamps or known["stamps"] == stamps):
            self.used[name] = known
            return dict(known["metrics"])
        a, b = self._read(outputs), self._read(reference)
        if a is None or b is None:
            return None
        metrics = drift.compare(a, b)
        self.used[name] = {"stamps": stamps, "metrics": metrics}
        return metrics

    def forget(self) -> None:
        """Release the arrays of the last place."""
        self.arrays.clear()

    def _stamp(self, path: str) -> list[int] | None:
        try:
            seen = (self.work or Path()).joinpath(path).stat()
        except OSError:
            return None
        return [seen.st_size, seen.st_mtime_ns]

    def _read(self, path: str) -> dict[str, Array] | None:
        if path not in self.arrays:
            self.arrays[path] = load_arrays((self.work or Path()) / path)
        return self.arrays[path]


def load_arrays(path: Path) -> Arrays | None:
    """Named arrays of an .npz; None if it is absent or broken (a process may die while writing)."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        return None


def measure(
    plan: Mapping[str, Any],
    seen: Observations,
    references: Mapping[str, tuple[Observation, ...]],
    *,
    work: Path | None,
    cache: Path | None,
) -> Drift:
    """Compare every accuracy item that ran; ``references`` are the current items to compare to."""
    store = _Store(work, _read_cache(cache))
    golden: dict[str, Metrics] = {}
    current: dict[tuple[str, str], Metrics] = {}
    for items in _by_golden(seen):
        for item in items:
            path = plan.get("golden", {}).get(item.item["model"], {}).get(item.item["point"])
            found = _carried(item, "golden_") or _computed(store, item, path, "golden")
            if found is not None:
                golden[item.id] = found
            for reference in references.get(item.id, ()):
                found = _against(store, item, reference)
                if found is not None:
                    current[item.id, reference.id] = found
        store.forget()
    if cache is not None and store.used != store.cached:
        _write_cache(cache, store.used)
    return Drift(golden, current)


def _by_golden(seen: Observations) -> Iterator[list[Observation]]:
    """Accuracy items that ran, grouped so that one golden file is in memory at a time."""
    groups: dict[tuple[str, str], list[Observation]] = {}
    for item in seen.by_id.values():
        if item.check == "accuracy" and item.status == "ok":
            groups.setdefault((item.item["model"], item.item["point"]), []).append(item)
    yield from groups.values()


def _carried(item: Observation, prefix: str) -> Metrics | None:
    """Metrics that the record already has in its numbers, as merged runs do."""
    numbers = (item.record or {}).get("numbers") or {}
    found = {
        name: copysign(inf, value) if abs(value) >= BEYOND else value
        for name in drift.NAMES
        if (value := numbers.get(prefix + name)) is not None
    }
    return found or None


def _against(store: _Store, item: Observation, reference: Observation) -> Metrics | None:
    if reference.status != "ok":
        return None
    compared = ((item.record or {}).get("facts") or {}).get(COMPARED_WITH, reference.id)
    carried = _carried(item, "current_") if compared == reference.id else None
    path = ((reference.record or {}).get("files") or {}).get("outputs")
    key = str((reference.record or {}).get("key", ""))
    return carried or _computed(store, item, path, key)


def _computed(store: _Store, item: Observation, reference: str | None, key: str) -> Metrics | None:
    record = item.record or {}
    outputs = (record.get("files") or {}).get("outputs")
    if not outputs or not reference:
        return None
    return store.metrics(outputs, reference, f"{record.get('key', '')}|{key}")


def _read_cache(path: Path | None) -> dict[str, dict[str, Any]]:
    """Entries of the cache; an unreadable or older one is simply empty."""
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict) or content.get("schema") != CACHE_SCHEMA:
        return {}
    entries: dict[str, dict[str, Any]] = content.get("pairs", {})
    return entries


def _write_cache(path: Path, entries: Mapping[str, Any]) -> None:
    """Replace the cache; a run that cannot write it is only slower next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    except OSError:
        return
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"schema": CACHE_SCHEMA, "pairs": entries}, file)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
