"""The whole program: plan, prepare, provide, build, check, bench, analyse, report, gate.

One direction, no way back. Every stage reads files and writes files, so that a run can stop
anywhere and go on.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from compat import analysis, atomic, models, report
from compat.api.moves import Move, broken
from compat.conductor import machine, slots
from compat.conductor.jobs import Kitchen
from compat.conductor.lock import locked
from compat.conductor.phases import Conductor, take_leftovers
from compat.conductor.progress import Progress
from compat.config import Config, ConfigError, load_config
from compat.errors import UserError
from compat.matrix import PHASES, Plan, Selection, SelectionError, plan
from compat.models import ModelSpec
from compat.prepared import PreparedModel
from compat.records import RecordStore, as_line, is_broken, read_records
from compat.settings import model_specs, opsets, resolve_axes, target_spec
from compat.targets import Environment, Unavailable, provide, tidy

# Latency is shown but not judged in a quick run: two short blocks per target show it.
QUICK_BENCH = {"rounds": 2, "seconds": 0.1, "warmup": 0.05}


class ReportError(UserError):
    """An output folder holds no run."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a run was asked to do. `only` names one target, `phases` the phases to run."""

    config: Path
    work: Path
    out: Path
    selection: Selection = field(default_factory=Selection)
    quick: bool = False
    offline: bool = False
    retry: bool = False
    phases: tuple[str, ...] = PHASES
    only: str | None = None


def lay_out(options: Options) -> tuple[Config, Plan]:
    """Read the configuration and lay out every item. Raises ConfigError, ModelError."""
    config = resolve_axes(load_config(options.config), options.config.parent)
    if options.quick:
        bench = config.bench.model_copy(update=QUICK_BENCH)
        config = config.model_copy(update={"bench": bench})
    digest = hashlib.sha256(options.config.read_bytes()).hexdigest()
    source = {"path": os.path.relpath(options.config), "sha256": digest}
    planned = plan(config, source=source, quick=options.quick, selection=options.selection)
    return config, replace(planned, code=_code(config, options.config, planned))


def _code(config: Config, file: Path, planned: Plan) -> tuple[Mapping[str, Any], ...]:
    """Return what the upgrades break in the code that ``[code] paths`` names."""
    folder = file.parent
    paths = [folder / path.expanduser() for path in config.code.paths]
    for path in paths:
        if not path.exists():
            problem = f"  code.paths: {path}: no such file or folder; name what to scan"
            raise ConfigError(file, [problem])
    sides = ((u["from"], config.targets[u["from"]], u["to"]) for u in planned.upgrades)
    made = [
        Move(name, to, current.flavour, current.version, config.targets[to].version)
        for name, current, to in sides
    ]
    return tuple(broken(paths, folder, made)) if paths else ()


def run(options: Options, console: Console) -> int:
    """Run the matrix and return the gate's exit code."""
    config, planned = lay_out(options)
    _check(options, planned)
    with locked(options.work, "--work"), locked(options.out, "--out"):
        whole = options.only is None and options.phases == PHASES
        if whole:  # an interrupted run must not leave last week's answer for `gate`
            for name in ("verdict.json", "plan.json"):
                (options.out / name).unlink(missing_ok=True)
        kitchen, unavailable = set_up(options, config, planned, _plainly(console))
        store = RecordStore(options.work / "records.jsonl")
        if found := take_leftovers(options.work, store):
            console.print(f"{found} results of an interrupted run are on record now")
        rounds, gpus = config.bench.rounds, slots.of_this_machine(_plainly(console))
        with Progress(console, planned.items, store, rounds, len(gpus)) as progress:
            chosen = frozenset(options.selection.items)
            conductor = Conductor(
                kitchen, store, progress, unavailable, options.retry, chosen, gpus
            )
            try:
                for phase in PHASES:
                    look_only = phase not in options.phases
                    conductor.run_phase(phase, only=options.only, look_only=look_only)
            finally:
                tidy(kitchen.environments.values())
        records = list(conductor.answers.values())
        if not whole:
            return _phase_result(options, records, console)
        return _conclude(options, kitchen, records, console)


def _check(options: Options, planned: Plan) -> None:
    """Raise what the call itself gets wrong."""
    names = [str(target["name"]) for target in planned.targets]
    if options.only is not None and options.only not in names:
        raise SelectionError(
            f"--on {options.only}: no such target; the configuration has {', '.join(names)}"
        )
    if options.work.resolve() == options.out.resolve():
        raise SelectionError(f"--work and --out are the same folder, {options.out}; name two")


def _plainly(console: Console) -> Callable[[str], None]:
    """Return a printer for texts that may hold brackets, which rich would read as markup."""
    return lambda text: console.print(text, markup=False)


def judge(out: Path, console: Console, *, render: bool) -> int:
    """Judge the plan and records of an output folder again; render it anew if asked."""
    try:
        planned = json.loads((out / "plan.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ReportError(
            f"{out}: holds no finished run (no readable plan.json); "
            "run the matrix first, or name another folder with --out"
        ) from None
    records = list(read_records(out / "records.jsonl"))
    results = analysis.compile(planned, records)
    report.terminal(results, console)
    if render:
        page = report.write(results, out, records_path=out / "records.jsonl")
        console.print(f"report: {page}", markup=False)
    return int(results.gate.exit_code)


def prepare(
    options: Options, config: Config, planned: Plan, say: Callable[[str], None]
) -> dict[str, PreparedModel]:
    """Make every model of the plan ready. Raises ModelError."""
    specs, wanted = to_prepare(options, config, planned)
    return {
        spec.name: models.prepare(spec, options.work, opsets=wanted, progress=say) for spec in specs
    }


def to_prepare(
    options: Options, config: Config, planned: Plan
) -> tuple[list[ModelSpec], tuple[int, ...]]:
    """Return what to prepare for the models of the plan, and the opsets to write."""
    chosen = [model["name"] for model in planned.models]
    specs = model_specs(config, chosen, options.config.parent, quick=options.quick)
    return specs, opsets(config)


def set_up(
    options: Options, config: Config, planned: Plan, say: Callable[[str], None]
) -> tuple[Kitchen, Mapping[str, Unavailable]]:
    """Provide targets, then prepare models: what is missing is told before the long part."""
    names = {str(target["name"]) for target in planned.targets}
    provided = {
        name: provide(
            target_spec(name, config, options.config.parent, offline=options.offline),
            options.work,
            progress=say,
        )
        for name in config.targets
        if name in names
    }
    for name, got in provided.items():
        if isinstance(got, Unavailable):
            say(f"target {name} cannot be had ({got.reason}): {got.message}")
    prepared = prepare(options, config, planned, say)
    golden = {
        name: {p: str(path.relative_to(options.work)) for p, path in model.golden.items()}
        for name, model in prepared.items()
    }
    facts = machine.describe_machine()
    kitchen = Kitchen(
        config=config,
        plan=replace(planned, golden=golden, machine=facts),
        work=options.work,
        machine=machine.identity(facts),
        models=prepared,
        environments={n: e for n, e in provided.items() if isinstance(e, Environment)},
    )
    return kitchen, {n: u for n, u in provided.items() if isinstance(u, Unavailable)}


def _phase_result(options: Options, records: Iterable[Mapping[str, Any]], console: Console) -> int:
    """Tell how one session of one target went; the gate speaks only after all of them."""
    mine = [
        record
        for record in records
        if record["phase"] in options.phases and options.only in (None, record["runtime"])
    ]
    broken = [record for record in mine if is_broken(record)]
    for record in broken:
        console.print(f"{record['item']}: {record['status']} ({record['reason']})", markup=False)
    console.print(f"{len(mine)} results on record, {len(broken)} of them failed")
    return 1 if broken else 0


def _conclude(
    options: Options, kitchen: Kitchen, records: list[Mapping[str, Any]], console: Console
) -> int:
    """Analyse, write the report, and return the gate's exit code."""
    atomic.write_text(options.out / "plan.json", kitchen.plan.text())
    chosen = options.out / "records.jsonl"
    atomic.write_text(chosen, "".join(map(as_line, records)))
    results = analysis.compile(
        json.loads((options.out / "plan.json").read_text(encoding="utf-8")),
        records,
        work=kitchen.work,
        drift_cache=kitchen.work / "drift.json",
    )
    page = report.write(results, options.out, records_path=chosen)
    report.terminal(results, console)
    console.print(f"report: {page}", markup=False)
    report.github_summary(results, os.environ)
    return int(results.gate.exit_code)
