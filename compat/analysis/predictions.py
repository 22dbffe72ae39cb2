"""Labelled checks brought together: predictions of every engine, the golden ones, the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.analysis import labels
from compat.analysis.labels import Comparison
from compat.analysis.observations import Observation, Observations
from compat.analysis.outputs import COMPARED_WITH, Arrays, load_arrays

CHECK = "top1"


@dataclass(frozen=True, slots=True)
class Labelled:
    """Comparisons with the golden predictions by item, and with those of the current version."""

    golden: Mapping[str, Comparison] = field(default_factory=dict)
    current: Mapping[tuple[str, str], Comparison] = field(default_factory=dict)


def measure(
    plan: Mapping[str, Any],
    seen: Observations,
    references: Mapping[str, tuple[Observation, ...]],
    *,
    work: Path | None,
) -> Labelled:
    """Compare every labelled check that ran; its record may carry the counts already."""
    golden: dict[str, Comparison] = {}
    current: dict[tuple[str, str], Comparison] = {}
    files = _Files(work or Path())
    for item in seen.by_id.values():
        if item.check != CHECK or item.status != "ok":
            continue
        truth = plan.get("golden", {}).get(item.item["model"], {}).get(CHECK)
        found = _carried(item, "golden_") or files.compare(_predictions(item), truth, truth)
        if found is not None:
            golden[item.id] = found
        for reference in references.get(item.id, ()):
            found = _against(files, item, reference, truth)
            if found is not None:
                current[item.id, reference.id] = found
    return Labelled(golden, current)


def _against(
    files: _Files, item: Observation, reference: Observation, truth: str | None
) -> Comparison | None:
    if reference.status != "ok":
        return None
    compared = ((item.record or {}).get("facts") or {}).get(COMPARED_WITH, reference.id)
    carried = _carried(item, "current_") if compared == reference.id else None
    return carried or files.compare(_predictions(item), _predictions(reference), truth)


def _predictions(item: Observation) -> str | None:
    path = ((item.record or {}).get("files") or {}).get("predictions")
    return str(path) if path else None


def _carried(item: Observation, prefix: str) -> Comparison | None:
    """Counts that the record already has, as records of a report do."""
    numbers = (item.record or {}).get("numbers") or {}
    found = {name: numbers.get(prefix + name) for name in labels.NAMES}
    if any(value is None for value in found.values()):
        return None
    return Comparison(**{name: int(value) for name, value in found.items() if value is not None})


@dataclass(slots=True)
class _Files:
    """Prediction files below the work dir, each read once; 10,000 items are 250 kB."""

    work: Path
    known: dict[str, Arrays | None] = field(default_factory=dict)

    def compare(
        self, found: str | None, reference: str | None, truth: str | None
    ) -> Comparison | None:
        """Compare two files by the labels that stand in a third; None where one is missing."""
        ours, theirs, right = (self._read(path) for path in (found, reference, truth))
        if ours is None or theirs is None or right is None:
            return None
        try:
            return labels.compare(ours["top5"][:, 0], theirs["top5"][:, 0], right["labels"])
        except (KeyError, IndexError):
            return None

    def _read(self, path: str | None) -> Arrays | None:
        if path is None:
            return None
        if path not in self.known:
            self.known[path] = load_arrays(self.work / path)
        return self.known[path]
