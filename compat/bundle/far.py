"""The far machine: the same conductor over the same plan, from what the bundle brought.

``python -m compat.bundle.far JSON`` is started by the bundle's ``run.py``; JSON holds its options.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from compat.bundle import far_models, layout, results
from compat.conductor import machine, slots
from compat.conductor.jobs import Kitchen
from compat.conductor.lock import locked
from compat.conductor.phases import Conductor, take_leftovers
from compat.conductor.progress import Progress
from compat.config import Config
from compat.errors import UserError
from compat.matrix import PHASES, Item, Plan
from compat.records import RecordStore, is_broken
from compat.targets import Environment, TargetSpec, Unavailable, catalogue, local, probe
from compat.targets.uv import Uv

_PROBE_LIMIT_S = 300.0


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of ``run.py``."""

    work: Path
    phases: tuple[str, ...]
    results: Path
    limit: str
    engines: bool
    retry: bool
    pack_only: bool
    build_limit: float | None


def main(argv: Sequence[str]) -> int:
    """Run the phases and pack the results; return the exit code of ``run.py``."""
    console = Console(highlight=False, soft_wrap=True)
    try:
        return run(_asked(json.loads(argv[0])), console)
    except UserError as error:
        console.print(f"error: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        console.print("interrupted; what is finished is on record, the same command goes on")
        return 130


def _asked(raw: Mapping[str, Any]) -> Asked:
    work = Path(raw["work"])
    return Asked(
        work=work,
        phases=tuple(raw["phase"] or PHASES),
        results=Path(raw["results"] or work / "results.tar.gz"),
        limit=raw["limit"],
        engines=raw["engines"],
        retry=raw["retry"],
        pack_only=raw["pack_only"],
        build_limit=raw["build_limit"],
    )


def run(asked: Asked, console: Console) -> int:
    """Run what has no record yet, then pack. Raises UserError."""
    far = layout.read(str(asked.work))
    limit = results.limit(asked.limit)
    with locked(asked.work, "--work"):
        kitchen, lost = kitchen_of(asked.work, far, console)
        store = RecordStore(asked.work / "records.jsonl")
        if found := take_leftovers(asked.work, store):
            console.print(f"{found} results of an interrupted run are on record now")
        rounds, gpus = kitchen.config.bench.rounds, slots.of_this_machine(console.print)
        with Progress(console, kitchen.plan.items, store, rounds, len(gpus)) as progress:
            conductor = Conductor(
                kitchen,
                store,
                progress,
                lost,
                asked.retry,
                slots=gpus,
                build_limit=asked.build_limit,
            )
            for phase in PHASES:
                look_only = asked.pack_only or phase not in asked.phases
                conductor.run_phase(phase, look_only=look_only)
                if not look_only and phase != PHASES[-1]:  # a lent machine may go at any time
                    _pack(asked, kitchen, conductor, limit, engines=False)
        packed = _pack(asked, kitchen, conductor, limit, engines=asked.engines)
        records = list(conductor.answers.values())
    broken = sum(is_broken(record) for record in records)
    console.print(f"{len(records)} results on record, {broken} of them failed")
    console.print(f"results: {asked.results} ({packed})", markup=False)
    return 1 if broken else 0


def _pack(
    asked: Asked, kitchen: Kitchen, conductor: Conductor, limit: int | None, *, engines: bool
) -> str:
    """Write the results file of what is answered by now; return what it holds in words."""
    records = list(conductor.answers.values())
    digests = {name: model.digest for name, model in kitchen.models.items()}
    return results.pack(asked.work, kitchen.plan, records, digests, asked.results, limit, engines)


def kitchen_of(
    work: Path, far: Mapping[str, Any], console: Console
) -> tuple[Kitchen, dict[str, Unavailable]]:
    """Return everything that the conductor needs, and the targets that cannot be had here."""
    facts = machine.describe_machine()
    prepared = far_models.models_of(work, far, lambda text: console.print(text, markup=False))
    golden = {
        name: {point: str(path.relative_to(work)) for point, path in model.golden.items()}
        for name, model in prepared.items()
    }
    config = Config.model_validate(far["config"])
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # each waits for an interpreter
        found = pool.map(lambda name: _provide(work, far, name, config, console), far["targets"])
        provided = dict(zip(far["targets"], found, strict=True))
    lost = {name: one for name, one in provided.items() if isinstance(one, Unavailable)}
    for name, one in lost.items():
        console.print(f"target {name} cannot be had ({one.reason}): {one.message}", markup=False)
    kitchen = Kitchen(
        config=config,
        plan=replace(plan_of(far["plan"]), golden=golden, machine=facts),
        work=work,
        machine=machine.identity(facts),
        models=prepared,
        environments={n: e for n, e in provided.items() if isinstance(e, Environment)},
    )
    return kitchen, lost


def plan_of(raw: Mapping[str, Any]) -> Plan:
    """Return the plan that was written as JSON."""
    names = [one.name for one in fields(Item)]
    items = tuple(Item(**{name: item[name] for name in names}) for item in raw["items"])
    kept = {one.name: raw[one.name] for one in fields(Plan) if one.name != "items"}
    return Plan(**kept, items=items)


def _provide(
    work: Path, far: Mapping[str, Any], name: str, config: Config, console: Console
) -> Environment | Unavailable:
    """Return a target's environment, after asking it what it really is."""
    target, brought = config.targets[name], far["targets"][name]
    spec = TargetSpec(
        name, target.flavour, target.version, target.provider, target.role, target.python
    )
    if (lost := brought.get("unavailable")) is not None:
        return Unavailable(spec, lost["reason"], lost["message"], None)
    if "local" in brought:
        return _local(work, spec, brought["python"], console)
    folder = layout.env_folder(str(work), name)
    python = Path(folder, "bin", "python")
    env = _variables(brought, folder, layout.base(str(work), far, brought["python"]).libraries)
    uv = _uv(work, spec, console)
    log = uv.log
    answer = probe.ask(uv, python, brought["module"], env)
    if isinstance(answer, str):
        return Unavailable(spec, "install-failed", answer, log)
    if answer.error is not None:
        message = f"{brought['module']} cannot be imported: {answer.error}"
        return Unavailable(spec, "install-failed", message, log)
    if answer.version != target.version:
        message = f"{brought['module']} says that it is {answer.version}, not {target.version}"
        return Unavailable(spec, "version-differs", message, log)
    deps = Path(layout.deps_folder(str(work), brought["python"]))
    return Environment(spec, python, deps, env, answer.fingerprint, cached=True)


def _local(work: Path, spec: TargetSpec, minor: str, console: Console) -> Environment | Unavailable:
    """Return the far machine's own interpreter: the one named, else the one that runs run.py.

    It gets the variables that run.py was started with, or it might not find its own packages.
    """
    started = json.loads(os.environ[layout.STARTED])
    python = local.interpreter(spec.python, started["python"])
    uv = _uv(work, spec, console)
    answer = local.ask(uv, python, catalogue(), started["env"])
    if isinstance(answer, Unavailable):
        return answer
    if answer.minor != minor:
        message = (
            f"{python} is Python {answer.minor}, and this bundle has the suite's packages for "
            f"{minor}; name another interpreter in the target's python, or create the bundle "
            f"with --python-version {answer.minor}"
        )
        return Unavailable(spec, "interpreter-missing", message, uv.log)
    deps = Path(layout.deps_folder(str(work), minor))
    env = started["env"]
    return Environment(
        spec,
        python.absolute(),
        deps,
        env,
        answer.fingerprint,
        cached=True,
        facts=answer.facts(),
    )


def _uv(work: Path, spec: TargetSpec, console: Console) -> Uv:
    """Return what runs and logs the questions to an interpreter; there is no uv here."""
    log = work / "logs" / f"target-{spec.name}.log"
    return Uv(spec, Path("uv"), log, time.monotonic() + _PROBE_LIMIT_S, console.print)


def _variables(brought: Mapping[str, Any], folder: str, libraries: Sequence[str]) -> dict[str, str]:
    """Return a target's variables; what the machine has set for libraries stays behind them."""
    env = {key: value.replace(layout.PLACE, folder) for key, value in brought["env"].items()}
    first = [*filter(None, [env.get("LD_LIBRARY_PATH")]), *libraries]
    return {**env, "LD_LIBRARY_PATH": layout.search_path(first)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
