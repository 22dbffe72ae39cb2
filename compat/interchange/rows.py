"""Cross-check rows: a record's fields, another tool's numbers, and what stands beside them."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from compat import atomic
from compat.analysis import drift
from compat.interchange import levelling, polygraphy, trtexec
from compat.interchange.errors import InterchangeError
from compat.matrix import CROSSCHECKS
from compat.records import as_line, read_records
from compat.suite.summary import describe
from compat.suite.trtexec import DEFAULT_WARMUP_MS, Log

FILE = "crosschecks.jsonl"
CHECK = "crosscheck"
_CELL = (
    "phase", "model", "precision", "typing", "variant", "builder", "runtime", "point", "batch",
)  # fmt: skip
_MOST_LAYERS = 20
_DRIFT = ("cosine", "relative_l2", "max_abs", "top1_agreement")

Row = dict[str, Any]


def of_trtexec(
    item: Mapping[str, Any],
    version: str,
    times: Path,
    *,
    log: Path | None = None,
    profile: Path | None = None,
) -> Row:
    """Make the row of a latency item from trtexec's files. Raises InterchangeError.

    Args:
        item: the planned item that the times belong to.
        version: the TensorRT version of the item's runtime.
        times: what ``--exportTimes`` wrote.
        log: what trtexec printed; without it the row is not comparable.
        profile: what ``--exportProfile`` wrote.
    """
    said = trtexec.read_log(log) if log is not None else None
    found = trtexec.read_times(times, _warmup_ms(said))
    facts: dict[str, Any] = {
        "tool": "trtexec",
        "tool_version": said.version if said else None,
        "arguments": list(said.arguments) if said else [],
        "clock": "cuda-event",
        "warmups": found.warmups,
        "differs": list(levelling.differences(said, version)),
    }
    if profile is not None:
        layers = sorted(trtexec.read_profile(profile), key=lambda one: -one.share)[:_MOST_LAYERS]
        facts["slowest_layers"] = [[one.name, one.average_s, one.share] for one in layers]
    numbers = describe(found.compute, item.get("batch") or 1)
    if found.enqueue.size:
        numbers["enqueue_s"] = float(np.median(found.enqueue))
    files = {"times": times, "log": log, "profile": profile}
    return _row(item, numbers, facts, files)


def _warmup_ms(said: Log | None) -> float:
    """Return how long the warm-up was: trtexec's own where the log does not say."""
    try:
        return float((said.value("warmUp") if said else None) or DEFAULT_WARMUP_MS)
    except ValueError:
        return DEFAULT_WARMUP_MS


def of_polygraphy(
    item: Mapping[str, Any], results: Path, *, runner: str | None, reference: str | None
) -> Row:
    """Make the row of a latency or accuracy item from Polygraphy's results.

    Args:
        item: the planned item that the results belong to.
        results: what ``--save-outputs FILE.json`` wrote.
        runner: which runner to read, by a part of its name; not needed where there is one.
        reference: the runner to compare its outputs with; without it only times are read.
    """
    runners = polygraphy.read_results(results)
    chosen = _chosen(results, runners, runner)
    facts: dict[str, Any] = {
        "tool": "polygraphy",
        "runner": chosen.name,
        "clock": "host",
        "differs": ["the host's clock, with the copies to and from the device"],
    }
    numbers: dict[str, float] = {}
    if chosen.runtimes:
        numbers |= describe(np.array(chosen.runtimes), item.get("batch") or 1)
    if reference is not None:
        other = _chosen(results, runners, reference)
        if other is chosen:
            raise InterchangeError(f"{results}: {chosen.name} is compared with itself")
        facts["reference"] = other.name
        facts["differs"].append("Polygraphy's own inputs, unless it was given ours")
        compared = drift.compare(chosen.outputs, other.outputs)
        numbers |= {name: float(np.nan_to_num(value)) for name, value in compared.items()}
    return _row(item, numbers, facts, {"results": results})


def _chosen(
    path: Path, runners: Sequence[polygraphy.Runner], part: str | None
) -> polygraphy.Runner:
    found = [one for one in runners if part is None or part in one.name]
    if len(found) != 1:
        names = ", ".join(one.name for one in runners)
        raise InterchangeError(f"{path}: name one of its runners by a part of its name: {names}")
    return found[0]


def _row(
    item: Mapping[str, Any],
    numbers: Mapping[str, float],
    facts: Mapping[str, Any],
    files: Mapping[str, Path | None],
) -> Row:
    given = {name: path for name, path in files.items() if path is not None}
    digest = hashlib.sha256()
    for path in given.values():
        digest.update(path.read_bytes())
    own = item["id"].partition("/")[2]
    return {
        "item": f"{CHECK}/{facts['tool']}/{own}",
        "beside": item["id"],
        "check": CHECK,
        "key": digest.hexdigest(),
        "round": None,
        "status": "ok",
        "reason": "",
        "message": "",
        **{name: item.get(name) for name in _CELL},
        "numbers": dict(numbers),
        "facts": dict(facts),
        "files": {name: str(path) for name, path in given.items()},
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "seconds": 0.0,
        "target": {},
    }


def planned_item(plan: Mapping[str, Any], name: str) -> tuple[Mapping[str, Any], str]:
    """Return an item of a plan and its runtime's version. Raises InterchangeError."""
    items = {item["id"]: item for item in plan["items"]}
    if name not in items:
        raise InterchangeError(
            f"{name!r} is no item of this run; the report prints each latency item's id"
        )
    item = items[name]
    if item["check"] not in ("latency", "accuracy"):
        raise InterchangeError(
            f"{name}: only a latency or an accuracy item has something beside it"
        )
    versions = {target["name"]: str(target["version"]) for target in plan["targets"]}
    return item, versions[item["runtime"]]


def keep(out: Path, row: Row) -> None:
    """Write a row into the folder's file, in the place of an earlier one of the same item."""
    others = [one for one in read(out) if one["item"] != row["item"]]
    atomic.write_text(out / FILE, "".join(map(as_line, [*others, row])))


def read(out: Path) -> list[Row]:
    """Return the rows that were read into an output folder."""
    return list(read_records(out / FILE))


def measured(records: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the rows that the run itself made."""
    mine = (r for r in records if r["check"] in CROSSCHECKS and r["status"] == "ok")
    return [of_record(record) for record in mine]


def of_record(record: Mapping[str, Any]) -> Row:
    """Make the row of what a target's own trtexec said in the run (``[bench] trtexec``)."""
    facts = dict(record["facts"])
    log = Log(facts["tool_version"], tuple(facts["arguments"]), facts["passed"])
    facts["differs"] = list(levelling.differences(log, str(record["target"]["version"])))
    own = record["item"].partition("/")[2]
    name = f"{CHECK}/{record['check']}/{own}"
    return {**record, "item": name, "beside": f"latency/{own}", "check": CHECK, "facts": facts}


def medians(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return our own median of each latency item, that of its rounds."""
    found: dict[str, list[float]] = defaultdict(list)
    for record in records:
        if record["check"] == "latency" and record["status"] == "ok":
            found[record["item"]].append(float(record["numbers"]["median_s"]))
    return {item: median(values) for item, values in found.items()}


def beside(row: Mapping[str, Any], ours: float | None, band: float) -> dict[str, Any]:
    """Return our own median of the item, the ratio to it, and a word for it.

    ``agrees`` and ``differs`` (by more than `band` either way) are said of levelled times only; the
    word decides nothing.
    """
    theirs = row["numbers"].get("median_s")
    if ours is None or theirs is None:
        return {"ours_s": None, "ratio": None, "word": "nothing beside it"}
    ratio = theirs / ours
    word = "agrees" if 1 / (1 + band) <= ratio <= 1 + band else "differs"
    if row["facts"]["differs"]:
        word = "not comparable"
    return {"ours_s": ours, "ratio": ratio, "word": word}


def drifts(row: Mapping[str, Any]) -> str:
    """Say how the outputs of two of Polygraphy's runners differ; empty for other rows."""
    numbers, facts = row["numbers"], row["facts"]
    shown = [f"{key} {numbers[key]:.6g}" for key in _DRIFT if key in numbers]
    return f"{facts['runner']} against {facts['reference']}: {', '.join(shown)}" if shown else ""


def plan_of(out: Path) -> dict[str, Any]:
    """Read the plan of an output folder. Raises InterchangeError."""
    try:
        found: dict[str, Any] = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InterchangeError(
            f"{out}: holds no finished run (no readable plan.json); run the matrix first, or name "
            "another folder with --out"
        ) from None
    return found
