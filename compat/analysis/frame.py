"""The table of results: one row per planned item, every number a column."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from compat.analysis import drift, labels, predictions
from compat.analysis.evidence import Evidence
from compat.analysis.observations import Observation
from compat.analysis.results import Judgement


def _median(values: list[float]) -> float:
    """Median of a short list; numpy's costs 20 times as much for five values."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


LATENCY_NUMBERS = (
    "median_s",
    "mean_s",
    "std_s",
    "p95_s",
    "p99_s",
    "min_s",
    "n",
    "throughput_per_s",
)
#: What is measured beside latency: how the rounds of an item become one figure.
BESIDE: Mapping[str, Callable[[list[float]], float]] = {
    "device_bytes": max,
    "context_bytes": max,
    "sm_clock_mhz": _median,
    "sm_clock_min_mhz": min,
    "memory_clock_mhz": _median,
    "power_w": _median,
    "temperature_c": max,
    "throttled_share": max,
}
_LOST = ("items", "lost", "gained", "loss", "loss_low", "loss_high", "loss_p")
_COMPARED = ("ratio", "ratio_low", "ratio_high", "ratio_p", "floor")


def repeat_command(plan: Mapping[str, Any]) -> str:
    """The command that runs one item of this plan again, up to the item's id."""
    words = ["nox", "-s", "compat", "--"]
    if plan["config"]["path"] != "compat.toml":
        words += ["--config", plan["config"]["path"]]
    if plan["quick"]:
        words.append("--quick")
    return shlex.join([*words, "--item"])


def build_table(evidence: Evidence, judgements: Mapping[str, Judgement]) -> pd.DataFrame:
    """One row per item in plan order; numeric columns are float64 with NaN for not measured."""
    observations = list(evidence.seen.by_id.values())
    targets = {t["name"]: t for t in evidence.plan["targets"]}
    columns: dict[str, Any] = _coordinates(observations, targets)
    columns |= _judged(observations, judgements)
    repeat = repeat_command(evidence.plan)
    columns["repeat"] = [f"{repeat} {shlex.quote(o.id)}" for o in observations]
    columns |= _numbers(observations)
    columns |= _drift(evidence, observations)
    columns |= _labelled(evidence, observations)
    columns |= _latency(evidence, observations)
    return pd.DataFrame(columns)


def _coordinates(
    observations: list[Observation], targets: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    names = ("check", "phase", "builder", "runtime", "model", "precision", "typing", "variant")
    columns: dict[str, Any] = {"item": [o.id for o in observations]}
    columns |= {n: [o.item[n] for o in observations] for n in names}
    for side in ("builder", "runtime"):
        own = [targets[o.item[side]] for o in observations]
        columns |= {f"{side}_{n}": [t[n] for t in own] for n in ("version", "flavour", "role")}
    columns["point"] = [o.item.get("point") or "" for o in observations]
    columns["damage"] = [o.item.get("damage") or "" for o in observations]
    columns["batch"] = np.array([_float(o.item.get("batch")) for o in observations])
    return columns


def _judged(observations: list[Observation], judgements: Mapping[str, Judgement]) -> dict[str, Any]:
    expectations = [o.item.get("expectation") or {} for o in observations]
    judged = [judgements[o.id] for o in observations]
    records = [o.record or {} for o in observations]
    return {
        "status": [o.status for o in observations],
        "ran": [o.ran for o in observations],
        "reason": [o.reason for o in observations],
        "message": [o.message for o in observations],
        "expected": [e.get("outcome", "") for e in expectations],
        "rule": [e.get("rule", "") for e in expectations],
        "rule_source": [e.get("source", "") for e in expectations],
        "news": [j.news for j in judged],
        "verdict": [j.verdict for j in judged],
        "verdict_code": [j.code for j in judged],
        "verdict_reason": [j.reason for j in judged],
        "seconds": np.array([_seconds(o) for o in observations]),
        "started": [str(r.get("started", "")) for r in records],
        "facts": [json.dumps(r.get("facts") or {}, ensure_ascii=False) for r in records],
    }


def _seconds(observation: Observation) -> float:
    if observation.rounds:
        return sum(float(r.get("seconds") or 0) for r in observation.rounds.values())
    return _float((observation.record or {}).get("seconds"))


def _float(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _numbers(observations: list[Observation]) -> dict[str, Any]:
    """``num_*`` columns; a latency item has its rounds in the latency columns instead."""
    columns: dict[str, Any] = {}
    carried = tuple(f"{side}_" for side in ("golden", "current"))
    for row, observation in enumerate(observations):
        if observation.rounds or observation.record is None:
            continue
        for name, value in (observation.record.get("numbers") or {}).items():
            if value is not None and not name.startswith(carried):
                _put(columns, f"num_{name}", row, value, len(observations))
    return columns


def _put(columns: dict[str, Any], name: str, row: int, value: float, rows: int) -> None:
    if name not in columns:
        columns[name] = np.full(rows, np.nan)
    columns[name][row] = value


def _drift(evidence: Evidence, observations: list[Observation]) -> dict[str, Any]:
    rows = len(observations)
    columns: dict[str, Any] = {
        f"{side}_{name}": np.full(rows, np.nan)
        for side in ("golden", "current")
        for name in drift.NAMES
    }
    references = [""] * rows
    for row, observation in enumerate(observations):
        reference = evidence.primary(observation)
        moved = evidence.moved(observation, reference) if reference else None
        references[row] = reference.id if reference else ""
        for side, metrics in (
            ("golden", evidence.drift.golden.get(observation.id)),
            ("current", moved),
        ):
            for name, value in (metrics or {}).items():
                columns[f"{side}_{name}"][row] = value
    return {"reference": references, **columns}


def _labelled(evidence: Evidence, observations: list[Observation]) -> dict[str, Any]:
    """Columns of the labelled checks: the share with its interval, and what was lost to whom."""
    rows = len(observations)
    columns = {name: np.full(rows, np.nan) for name in ("top1", "top1_low", "top1_high")}
    for side in ("golden", "current"):
        columns |= {f"{side}_{name}": np.full(rows, np.nan) for name in _LOST}
    for row, observation in enumerate(observations):
        if observation.check != predictions.CHECK:
            continue
        numbers = (observation.record or {}).get("numbers") or {}
        if not numbers.get("n"):
            continue
        right, items = int(numbers["correct"]), int(numbers["n"])
        columns["top1"][row] = right / items
        columns["top1_low"][row], columns["top1_high"][row] = labels.wilson(right, items)
        reference = evidence.primary(observation)
        pair = (observation.id, reference.id) if reference else ("", "")
        for side, found in (
            ("golden", evidence.labelled.golden.get(observation.id)),
            ("current", evidence.labelled.current.get(pair)),
        ):
            if found is not None:
                low, high = found.interval
                values = (found.items, found.lost, found.gained, found.loss, low, high, found.p)
                for name, value in zip(_LOST, values, strict=True):
                    columns[f"{side}_{name}"][row] = value
    return dict(columns)


def _latency(evidence: Evidence, observations: list[Observation]) -> dict[str, Any]:
    rows = len(observations)
    names = ("latency_rounds", "latency_samples", "latency_cv", *_COMPARED)
    measured = tuple(f"latency_{n}" for n in (*LATENCY_NUMBERS, *BESIDE) if n != "n")
    columns: dict[str, Any] = {n: np.full(rows, np.nan) for n in (*names, *measured)}
    clocks, reasons = [""] * rows, [""] * rows
    for row, observation in enumerate(observations):
        if observation.rounds:
            clocks[row] = _fill_measured(columns, row, observation)
            reasons[row] = _throttle_reasons(observation)
        reference = evidence.primary(observation)
        found = evidence.latency.get((observation.id, reference.id)) if reference else None
        if found is None:
            continue
        columns["floor"][row] = _float(found.floor)
        if found.interval is not None:
            i = found.interval
            for name, value in zip(_COMPARED, (i.ratio, i.low, i.high, i.p), strict=False):
                columns[name][row] = value
    return {"clock": clocks, "throttle_reasons": reasons, **columns}


def _throttle_reasons(observation: Observation) -> str:
    """All reasons for lower clocks that NVML gave in any round, throttling or not."""
    facts = [r.get("facts") or {} for r in observation.rounds.values()]
    return ", ".join(sorted({str(n) for f in facts for n in f.get("throttle_reasons") or ()}))


def _fill_measured(columns: dict[str, Any], row: int, observation: Observation) -> str:
    numbers = [r["numbers"] for r in observation.rounds.values()]
    columns["latency_rounds"][row] = len(numbers)
    columns["latency_samples"][row] = sum(float(n.get("n") or 0) for n in numbers)
    for name in LATENCY_NUMBERS:
        values = [float(n[name]) for n in numbers if n.get(name) is not None]
        if values and name != "n":
            columns[f"latency_{name}"][row] = _median(values)
    for name, reduce in BESIDE.items():
        values = [float(n[name]) for n in numbers if n.get(name) is not None]
        if values:
            columns[f"latency_{name}"][row] = reduce(values)
    shares = [
        n["std_s"] / n["mean_s"] for n in numbers if n.get("mean_s") and n.get("std_s") is not None
    ]
    if shares:
        columns["latency_cv"][row] = _median(shares)
    first = next(iter(observation.rounds.values()))
    return str((first.get("facts") or {}).get("clock", "host"))
