"""``trt-compat merge``: several runs of one configuration become one report. Runs nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from compat import analysis, atomic, report
from compat.analysis.observations import RAN
from compat.analysis.results import Results
from compat.bundle.parts import BundleError
from compat.bundle.source import Record, Source, read
from compat.conductor.lock import locked
from compat.config import load_config
from compat.engine.rules import expect
from compat.interchange.rows import FILE as CROSSCHECK_FILE
from compat.matrix import CROSSCHECKS, Selection, as_text, plan
from compat.records import as_line

Say = Callable[[str], None]
_Series = tuple[str, ...]


def merge(paths: Sequence[Path], out: Path, config: Path | None, say: Say) -> Results:
    """Merge runs into one plan, records and report in `out`.

    Args:
        paths: results files of far runs, and output folders of ordinary ones.
        out: the report's folder; the unpacked results stand in its `results`.
        config: limits and gate to judge by, instead of those of the plans.
        say: told what was merged and what was set aside.

    Raises:
        BundleError: something is no run, or the runs are not of one matrix.
    """
    names = _names(paths)
    with locked(out, "--out"):
        sources = [
            read(path, out / "results", name) for path, name in zip(paths, names, strict=True)
        ]
        if problems := _conflicts(sources):
            raise BundleError("these runs cannot be merged:\n  " + "\n  ".join(problems))
        planned = _plan(sources)
        if config is not None:
            planned = _judged_by(config, planned)
        chosen, aside = choose(sources)
        beside, apart = choose_beside(sources, chosen)
        aside += apart
        atomic.write_text(out / "plan.json", as_text(planned))
        for name, lines in (
            ("records.jsonl", chosen),
            (CROSSCHECK_FILE, beside),
            ("set-aside.jsonl", aside),
        ):
            atomic.write_text(out / name, "".join(map(as_line, lines)))
        results = analysis.compile(planned, chosen, work=out, drift_cache=out / "drift.json")
        page = report.write(results, out, records_path=out / "records.jsonl")
    for machine, count in Counter(record["machine"] for record in chosen).items():
        say(f"{count} records of {machine}")
    for source in sources:
        for kind, count in source.left_out.items():
            say(f"{source.path}: {count} {kind} had no room in it")
    if aside:
        say(f"{len(aside)} records of what another run answers are in set-aside.jsonl")
    say(f"report: {page}")
    return results


def _names(paths: Sequence[Path]) -> list[str]:
    """Name each run by its place; the same one given twice is a mistake."""
    real = [path.resolve() for path in paths]
    twice = [str(path) for path, count in Counter(real).items() if count > 1]
    if twice:
        raise BundleError(f"given twice: {', '.join(twice)}")
    return [f"{number:02d}" for number in range(1, len(paths) + 1)]


def _conflicts(sources: Sequence[Source]) -> list[str]:
    """Return every reason why the runs are not of one matrix."""
    first = sources[0]
    problems = []
    for other in sources[1:]:
        pair = f"{first.path} and {other.path}"
        if first.plan["config"]["sha256"] != other.plan["config"]["sha256"]:
            problems.append(f"{pair} are of different configurations")
        if first.plan["quick"] != other.plan["quick"]:
            problems.append(f"{pair}: one is a quick run, the other is not")
    known: dict[str, Source] = {}
    for source in sources:
        for name, digest in source.models.items():
            earlier = known.setdefault(name, source)
            if earlier.models[name] != digest:
                problems.append(f"{earlier.path} and {source.path} have another model {name}")
    return problems


def _plan(sources: Sequence[Source]) -> dict[str, Any]:
    """Return the union of the plans; each may hold a part of the matrix only."""
    merged = dict(sources[0].plan)
    for key, names in (("items", ("id",)), ("targets", ("name",)), ("upgrades", ("from", "to"))):
        merged[key] = _union((source.plan[key] for source in sources), names)
    merged["code"] = _union((source.plan.get("code") or [] for source in sources), ("from", "to"))
    merged["items"] = [_expected(item, merged["targets"]) for item in merged["items"]]
    merged["models"] = _models(sources)
    merged["golden"] = {}
    accuracy: dict[str, dict[str, Any]] = {}
    for source in reversed(sources):  # the first one given wins
        merged["golden"].update(source.plan.get("golden") or {})
        for model, limits in source.plan["limits"]["accuracy"].items():
            accuracy.setdefault(model, {}).update(limits)
    merged["limits"] = {**merged["limits"], "accuracy": accuracy}
    merged["machines"] = {source.machine: source.plan.get("machine") for source in sources}
    if len(merged["machines"]) > 1:
        merged["machine"] = _together([source.plan.get("machine") or {} for source in sources])
    return merged


def _expected(item: dict[str, Any], targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a load what the rules of this version say of it: rules are mended, runs are not."""
    if item["check"] != "load":
        return item
    by_name = {target["name"]: target for target in targets}
    builder, runtime = by_name[item["builder"]], by_name[item["runtime"]]
    expected = expect(
        builder["flavour"],
        builder["version"],
        runtime["version"],
        runtime_flavour=runtime["flavour"],
        variant=item["variant"],
    )
    return {**item, "expectation": expected.as_dict()}


def _union(lists: Iterable[Iterable[dict[str, Any]]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return every entry once; entries with the same values under these names are one."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for one in (entry for entries in lists for entry in entries):
        found.setdefault(tuple(one[name] for name in names), one)
    return list(found.values())


def _models(sources: Sequence[Source]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for model in (model for source in sources for model in source.plan["models"]):
        known = found.setdefault(model["name"], {**model, "precisions": []})
        known["precisions"] += [p for p in model["precisions"] if p not in known["precisions"]]
    return list(found.values())


def _together(machines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one description of several machines; where they differ, all values."""
    names = dict.fromkeys(name for machine in machines for name in machine)
    merged: dict[str, Any] = {}
    for name in names:
        values = [machine.get(name) for machine in machines]
        if all(value == values[0] for value in values):
            merged[name] = values[0]
        elif name == "gpus":
            merged[name] = [gpu for value in values for gpu in value or ()]
        else:
            merged[name] = " / ".join(str(value) for value in values)
    return merged


def choose(sources: Sequence[Source]) -> tuple[list[Record], list[Record]]:
    """Return the record of each item and round, and those that another machine's stood before.

    What ran wins over what did not. Latencies of one model and precision come from one machine
    only, the one that timed most of them, since times of two machines cannot be compared.
    """
    home = _homes(sources)
    found: dict[tuple[str, Any], list[Record]] = defaultdict(list)
    for source in sources:
        for record in source.records:
            found[record["item"], record.get("round")].append(record)
    chosen, aside = [], []
    for records in found.values():
        best = max(
            records, key=lambda r: (r["status"] in RAN, r["machine"] == home.get(_series(r)))
        )
        timed = best["check"] in ("latency", *CROSSCHECKS) and best["status"] in RAN
        if timed and best["machine"] != home[_series(best)]:
            aside += records
            continue
        chosen.append(best)
        aside += [record for record in records if record is not best]
    return chosen, aside


def choose_beside(
    sources: Sequence[Source], chosen: Sequence[Record]
) -> tuple[list[Record], list[Record]]:
    """Return the cross-check rows that stand beside a chosen record, and the others.

    A row stands beside its own machine's record only, as times of two machines cannot be compared.
    """
    machines = {record["item"]: record["machine"] for record in chosen}
    found: dict[str, Record] = {}
    aside = []
    for row in (row for source in sources for row in source.crosschecks):
        if row["machine"] != machines.get(row["beside"]) or row["item"] in found:
            aside.append(row)
        else:
            found[row["item"]] = row
    return list(found.values()), aside


def _homes(sources: Sequence[Source]) -> dict[_Series, str]:
    """Return the machine that each series of latencies is taken from."""
    counts: dict[_Series, Counter[str]] = defaultdict(Counter)
    for record in (record for source in sources for record in source.records):
        weight = record["status"] in RAN
        counts[_series(record)][record["machine"]] += weight * (
            1000 if record["check"] == "latency" else 1
        )
    return {series: count.most_common(1)[0][0] for series, count in counts.items()}


def _series(record: Mapping[str, Any]) -> _Series:
    return record["model"], record["precision"], record["typing"]


def _judged_by(config: Path, planned: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plan with the limits and the gate of another configuration."""
    laid = plan(
        load_config(config, sources=False),
        source=planned["config"],
        quick=planned["quick"],
        selection=Selection(),
    )
    lacking = [m["name"] for m in planned["models"] if m["name"] not in laid.limits["accuracy"]]
    if lacking:
        raise BundleError(f"{config}: has no limits for {', '.join(lacking)}; name these models")
    return {**planned, "limits": laid.limits, "gate": dict(laid.gate), "judged-by": str(config)}
