"""What each command of ``trt-compat`` does; the command line itself is ``compat.cli``."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from compat import models, workflow
from compat import report as reports
from compat.bundle import merge as merging
from compat.bundle.create import Request, create
from compat.bundle.parts import parse_size
from compat.config import Config, find_config, load_config
from compat.matrix import PHASES, Plan, Selection, known_targets
from compat.models.fetching import fetch
from compat.settings import target_spec
from compat.suite.driver import probe
from compat.targets import Environment, Finding, Unavailable, catalogue, examine, provide
from compat.workflow import Options

_TARGET_KEYS = ("flavour", "version", "role", "provider")


def plan(arguments: argparse.Namespace, console: Console) -> int:
    """Print the plan: every item with its expectation."""
    _, planned = workflow.lay_out(_options(arguments))
    if arguments.json:
        console.print_json(json.dumps(planned.as_dict(), default=list))
        return 0
    _print_plan(planned, console)
    return 0


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the matrix."""
    return workflow.run(_options(arguments), console)


def report(arguments: argparse.Namespace, console: Console) -> int:
    """Write the report of an output folder anew; 0 whatever the gate says."""
    workflow.judge(arguments.out, console, render=True)
    return 0


def gate(arguments: argparse.Namespace, console: Console) -> int:
    """Judge an output folder again."""
    return workflow.judge(arguments.out, console, render=False)


def targets_list(arguments: argparse.Namespace, console: Console) -> int:
    """List the targets of the configuration."""
    config = _config(arguments)
    rows = [
        {"name": name, **{key: getattr(config.targets[name], key) for key in _TARGET_KEYS}}
        for name in known_targets(config, arguments.targets)
    ]
    if arguments.json:
        console.print_json(json.dumps(rows))
        return 0
    widths = {
        key: max((len(row[key]) for row in rows), default=0) for key in ("name", *_TARGET_KEYS)
    }
    for row in rows:
        line = "  ".join(f"{row[key]:<{width}}" for key, width in widths.items())
        console.print(line.rstrip(), markup=False)
    return 0


def targets_doctor(arguments: argparse.Namespace, console: Console) -> int:
    """Say what each target lacks on this machine; 1 where something does."""

    def say(text: str) -> None:
        if not arguments.json:
            console.print(text, markup=False)

    path, config, found = _config_path(arguments), _config(arguments), []
    driver = probe()
    gpus = ", ".join(f"{gpu.name} ({gpu.arch})" for gpu in driver.gpus)
    say(f"driver: {driver.problem or f'CUDA {driver.cuda}, {gpus}'}")
    for name in known_targets(config, arguments.targets):
        target = config.targets[name]
        spec = target_spec(name, target, path.parent, offline=arguments.offline)
        work = arguments.work.absolute()
        findings = examine(spec, work, driver, catalogue(), say)
        if arguments.deep and not any(
            one.level == "missing" and one.about not in ("driver", "gpu") for one in findings
        ):
            findings += [_provided(provide(spec, work, progress=say))]
        found.append((name, findings))
        lacking = any(one.level == "missing" for one in findings)
        say(f"{'✗' if lacking else '✓'} {name}: {target.flavour} {target.version}")
        for one in findings:
            say(f"    {one.level:<8}{one.about}: {one.text}")
    usable = {name: all(one.level != "missing" for one in those) for name, those in found}
    if arguments.json:
        rows = [
            {"name": name, "usable": usable[name], "findings": [asdict(one) for one in those]}
            for name, those in found
        ]
        console.print_json(json.dumps({"driver": driver._asdict(), "targets": rows}))
    say(f"{sum(usable.values())} of {len(usable)} targets can be used here")
    return 0 if all(usable.values()) else 1


def _provided(got: Environment | Unavailable) -> Finding:
    if isinstance(got, Unavailable):
        return Finding("environment", "missing", got.message)
    return Finding("environment", "ok", f"made, and the runtime is the pinned one: {got.python}")


def models_list(arguments: argparse.Namespace, console: Console) -> int:
    """List the built-in models."""
    if arguments.json:
        console.print_json(json.dumps(sorted([*models.BUILTINS, *models.TRAINED])))
        return 0
    for name in sorted([*models.BUILTINS, *models.TRAINED]):
        console.print(f"builtin:{name}", markup=False)
    return 0


def models_describe(arguments: argparse.Namespace, console: Console) -> int:
    """Say what an ONNX file holds and which profile it would get."""
    described = models.describe(arguments.file)
    if arguments.json:
        console.print_json(json.dumps(asdict(described), default=str))
        return 0
    for line in _description(described):
        console.print(line, markup=False)
    return 0


def _description(found: models.Description) -> Iterator[str]:
    """Yield what a person asks of an ONNX file, the profile to write last."""
    external = f" + {len(found.external)} external files" if found.external else ""
    yield f"{found.path}: {found.bytes / 1e6:.1f} MB{external}"
    yield f"opset {found.opset}, IR {found.ir_version}, made by {found.producer or 'unknown'}"
    for kind, tensors in (("input", found.inputs), ("output", found.outputs)):
        for tensor in tensors:
            shape = ", ".join(map(str, tensor.shape))
            yield f"{kind} {tensor.name}: {tensor.dtype} [{shape}]"
    yield "ops: " + ", ".join(f"{count} {name}" for name, count in found.operators.items())
    if found.domains:
        yield "domains beside the standard one: " + ", ".join(found.domains)
    if found.types:
        yield "weights: " + ", ".join(f"{count} {name}" for name, count in found.types.items())
    for axis, span in found.axes.items():
        yield f"profile: {axis} = {list(span)} (proposed)"
    for axis in found.missing:
        yield f"profile: {axis} = [min, opt, max] has to be written in compat.toml"


def models_fetch(arguments: argparse.Namespace, console: Console) -> int:
    """Fetch pretrained weights or an ONNX file."""
    path = fetch(
        arguments.source,
        arguments.work / "models",
        endpoint=arguments.endpoint,
        revision=arguments.revision,
        sha256=arguments.sha256,
        progress=lambda text: console.print(text, markup=False),
    )
    console.print(f"{path}", markup=False)
    return 0


def bundle_create(arguments: argparse.Namespace, console: Console) -> int:
    """Pack a matrix for a machine without a network."""

    def say(text: str) -> None:
        console.print(text, markup=False)

    request = Request(
        options=_options(arguments),
        to=arguments.to,
        part_size=parse_size(arguments.part_size),
        python=arguments.python_version,
        interpreters=tuple(arguments.interpreter),
        without=tuple(arguments.without),
        make_models=arguments.make_models,
    )
    made = create(request, say)
    files = list(made.glob("bundle.part*"))
    size = sum(file.stat().st_size for file in files) / 1e6
    say(f"{made}: {len(files)} parts, {size:.1f} MB; on the far machine: python3 run.py")
    return 0


def merge(arguments: argparse.Namespace, console: Console) -> int:
    """Make one report of several runs and return the gate's exit code."""
    results = merging.merge(
        arguments.results,
        arguments.out,
        arguments.config,
        lambda text: console.print(text, markup=False),
    )
    reports.terminal(results, console)
    return int(results.gate.exit_code)


def _config_path(arguments: argparse.Namespace) -> Path:
    return find_config(arguments.config, Path.cwd()).absolute()


def _config(arguments: argparse.Namespace) -> Config:
    """Read the configuration for its targets; its models need not be here."""
    return load_config(_config_path(arguments), sources=False)


def _options(arguments: argparse.Namespace) -> Options:
    """Gather what the command line says; a planning command lacks the running options."""
    given = vars(arguments)
    return Options(
        config=_config_path(arguments),
        work=given.get("work", Path(".trt-compat")).absolute(),
        out=given.get("out", Path("reports/latest")),
        selection=Selection(
            targets=arguments.targets,
            models=arguments.models,
            precisions=arguments.precisions,
            items=tuple(given.get("item", ())),
        ),
        quick=arguments.quick,
        offline=given.get("offline", False),
        retry=given.get("retry", False),
        phases=tuple(given.get("phase") or PHASES),
        only=given.get("on"),
    )


def _print_plan(planned: Plan, console: Console) -> None:
    """Print one line per item, its id first as `--item` takes it; then the counts."""
    width = max((len(item.id) for item in planned.items), default=0)
    for item in planned.items:
        expected = item.expectation
        said = f"expected: {expected['outcome']} ({expected['rule']})" if expected else ""
        at = f"batch {item.batch}" if item.batch is not None else ""
        line = f"{item.id:<{width}}  {at or said}" if at or said else item.id
        console.print(line, markup=False)
    counts = Counter(item.check for item in planned.items)
    console.print(
        f"{len(planned.items)} items: " + ", ".join(f"{n} {check}" for check, n in counts.items())
    )
    for upgrade in planned.upgrades:
        console.print(f"upgrade to judge: {upgrade['from']} -> {upgrade['to']}", markup=False)
