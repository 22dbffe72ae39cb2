"""What the commands ``trt-compat crosscheck`` do."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from compat.config.schema import BuildConfig
from compat.interchange import commands, rows
from compat.interchange.errors import InterchangeError
from compat.records import read_records


def read(arguments: argparse.Namespace, console: Console) -> int:
    """Read another tool's result into a row beside an item."""
    plan = rows.plan_of(arguments.out)
    item, version = rows.planned_item(plan, arguments.item)
    _check(arguments, str(item["check"]))
    if arguments.trtexec is not None:
        row = rows.of_trtexec(
            item, version, arguments.trtexec, log=arguments.log, profile=arguments.profile
        )
    else:
        row = rows.of_polygraphy(
            item, arguments.polygraphy, runner=arguments.runner, reference=arguments.reference
        )
    rows.keep(arguments.out, row)
    _print([row], plan, arguments, console)
    if not arguments.json:
        console.print(
            f"`trt-compat report --out {arguments.out}` puts it on the page", markup=False
        )
    return 0


def _check(arguments: argparse.Namespace, check: str) -> None:
    """Refuse what would be read past, or stand beside nothing. Raises InterchangeError."""
    if arguments.trtexec is not None and check != "latency":
        raise InterchangeError(f"{arguments.item}: times of trtexec stand beside a latency item")
    foreign = ("runner", "reference") if arguments.trtexec is not None else ("log", "profile")
    for name in foreign:
        if getattr(arguments, name) is not None:
            tool = "--polygraphy" if arguments.trtexec is not None else "--trtexec"
            raise InterchangeError(f"--{name} goes with {tool}; leave it away")


def listing(arguments: argparse.Namespace, console: Console) -> int:
    """List every row with what stands beside it."""
    plan = rows.plan_of(arguments.out)
    records = read_records(arguments.out / "records.jsonl")
    found = [*rows.measured(records), *rows.read(arguments.out)]
    if not found and not arguments.json:
        console.print(f"{arguments.out}: no cross-check stands in it", markup=False)
        return 0
    _print(found, plan, arguments, console)
    return 0


def command(arguments: argparse.Namespace, console: Console) -> int:
    """Print the calls that measure an item with other tools."""
    plan = rows.plan_of(arguments.out)
    item, _ = rows.planned_item(plan, arguments.item)
    point = str(item["point"])
    engine, manifest = _engine(arguments.out, arguments.work, item)
    if arguments.onnx is None:
        console.print(commands.load(str(engine), manifest, point), markup=False)
    else:
        target = next(one for one in plan["targets"] if one["name"] == item["builder"])
        told = BuildConfig.model_validate(target.get("build", {}))
        console.print(commands.build(str(arguments.onnx), manifest, told, point), markup=False)
        console.print(commands.polygraphy(str(arguments.onnx), manifest, point), markup=False)
    return 0


def _engine(out: Path, work: Path, item: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """Return the engine of an item and its manifest, as its build left them in the work folder."""
    cell = ("model", "precision", "typing", "variant", "builder")
    for record in read_records(out / "records.jsonl"):
        same = record["check"] == "build" and all(record[key] == item[key] for key in cell)
        if not same or "engine" not in record.get("files", {}):
            continue
        engine = work / record["files"]["engine"]
        try:
            manifest = json.loads(Path(f"{engine}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InterchangeError(
                f"{engine}: it or its manifest is not there; name the run's work folder with --work"
            ) from None
        return engine, manifest
    raise InterchangeError(f"{item['id']}: no engine of it was built in this run")


def _print(
    found: list[rows.Row],
    plan: Mapping[str, Any],
    arguments: argparse.Namespace,
    console: Console,
) -> None:
    ours = rows.medians(read_records(arguments.out / "records.jsonl"))
    band = float(plan["limits"]["latency"])
    told = [{**row, "compared": rows.beside(row, ours.get(row["beside"]), band)} for row in found]
    if arguments.json:
        console.print_json(json.dumps(told))
        return
    for row in told:
        console.print(row["item"], markup=False)
        for line in _lines(row):
            console.print(f"    {line}", markup=False)


def _lines(row: Mapping[str, Any]) -> list[str]:
    numbers, compared, facts = row["numbers"], row["compared"], row["facts"]
    lines = []
    if "median_s" in numbers:
        name = f"{facts['tool']} {facts.get('tool_version') or ''}".strip()
        lines.append(f"{name}: median {numbers['median_s'] * 1e3:.4f} ms, n = {numbers['n']}")
    if compared["ours_s"] is not None:
        ratio = f"{compared['ratio']:.3f} times ours"
        lines.append(f"ours: {compared['ours_s'] * 1e3:.4f} ms; {ratio}: {compared['word']}")
    else:
        lines.append(f"ours: {compared['word']}")
    if "build_s" in numbers:
        lines.append(f"its own build took {numbers['build_s']:.2f} s")
    lines += filter(None, [rows.drifts(row)])
    lines += [f"not levelled: {text}" for text in facts["differs"]]
    return lines
