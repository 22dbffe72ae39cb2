"""What the commands ``trt-compat targets`` do with the targets of a configuration."""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict

from rich.console import Console

from compat.commands.catalogue import asked_machine, cited
from compat.commands.configuration import config_of, config_path
from compat.matrix import known_targets
from compat.settings import target_spec
from compat.suite.driver import probe
from compat.targets import Environment, Finding, Unavailable, catalogue, examine, pin_line, provide
from compat.targets.devices import Machine, this_machine
from compat.targets.facts import Facts, facts
from compat.targets.matching import Match, match
from compat.targets.spec import TargetSpec

_ENGINES = ("docker", "podman")
_SIGNS = {"yes": "✓", "limits": "✓", "unknown": "?", "no": "✗"}
_TARGET_KEYS = ("flavour", "version", "role", "provider")


def listing(arguments: argparse.Namespace, console: Console) -> int:
    """List the targets of the configuration."""
    path, config = config_path(arguments), config_of(arguments)
    rows = [
        {"name": name, **{key: getattr(config.targets[name], key) for key in _TARGET_KEYS}}
        for name in known_targets(config, arguments.targets)
    ]
    for row in rows:
        target = config.targets[row["name"]]
        if target.image is not None:
            spec = target_spec(row["name"], config, path.parent, offline=True)
            row |= {"image": target.image, "digest": target.digest, "problem": pin_line(spec)}
    if arguments.json:
        console.print_json(json.dumps(rows))
        return 0
    widths = {
        key: max((len(row[key]) for row in rows), default=0) for key in ("name", *_TARGET_KEYS)
    }
    for row in rows:
        line = "  ".join(f"{row[key]:<{width}}" for key, width in widths.items())
        console.print(line.rstrip(), markup=False)
        if "image" in row:
            console.print(f"    {row['problem'] or row['digest']}", markup=False)
    return 0


def check(arguments: argparse.Namespace, console: Console) -> int:
    """Compare a machine's driver and GPUs with every target; 1 where one cannot run there."""
    config, known = config_of(arguments), facts()
    machine, engines = _machine(arguments, known)
    found = []
    for name in known_targets(config, arguments.targets):
        target = config.targets[name]
        spec = TargetSpec(
            name, target.flavour, target.version, target.provider, target.role, cuda=target.cuda
        )
        image = getattr(target, "image", None)
        asked = config.containers.engine
        found.append(match(spec, image, machine, catalogue(), known, engines=engines, choice=asked))
    impossible = [one for one in found if one.verdict == "no"]
    if arguments.json:
        rows = [
            {
                "name": one.target.name,
                "verdict": one.verdict,
                "reasons": [asdict(reason) for reason in one.reasons],
                "notes": list(one.notes),
            }
            for one in found
        ]
        console.print_json(json.dumps({"machine": str(machine), "targets": rows}))
        return 1 if impossible else 0
    console.print(f"machine: {machine}", markup=False)
    for one in found:
        for line in _told(one):
            console.print(line, markup=False)
    unknown = sum(one.verdict == "unknown" for one in found)
    more = f", of {unknown} no text says it" if unknown else ""
    text = f"{len(impossible)} of {len(found)} targets cannot run there{more}"
    console.print(text, markup=False)
    return 1 if impossible else 0


def _machine(arguments: argparse.Namespace, known: Facts) -> tuple[Machine, tuple[str, ...] | None]:
    """Return the machine asked for, else this one with its container engines."""
    if arguments.driver is not None or arguments.gpu is not None:
        return asked_machine(known, arguments.driver, arguments.gpu), None
    return this_machine(known, probe()), tuple(filter(shutil.which, _ENGINES))


def _told(one: Match) -> Iterator[str]:
    target = one.target
    yield f"{_SIGNS[one.verdict]} {target.name}: {target.flavour} {target.version}"
    for reason in one.reasons:
        source = f" {cited(reason)}" if reason.source and reason.verdict != "yes" else ""
        yield f"    {reason.verdict:<9}{reason.about}: {reason.text}{source}"
    for note in one.notes:
        yield f"    note     {note}"


def doctor(arguments: argparse.Namespace, console: Console) -> int:
    """Say what each target lacks on this machine; 1 where something does."""

    def say(text: str) -> None:
        if not arguments.json:
            console.print(text, markup=False)

    path, config, found = config_path(arguments), config_of(arguments), []
    driver = probe()
    gpus = ", ".join(f"{gpu.name} ({gpu.arch})" for gpu in driver.gpus)
    say(f"driver: {driver.problem or f'CUDA {driver.cuda}, {gpus}'}")
    for name in known_targets(config, arguments.targets):
        target = config.targets[name]
        spec = target_spec(name, config, path.parent, offline=arguments.offline)
        work = arguments.work.resolve()
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
    if got.launcher is not None:
        text = f"its containers are ready to start: {got.facts['image']}, {got.facts['digest']}"
        return Finding("environment", "ok", text)
    return Finding("environment", "ok", f"made, and the runtime is the pinned one: {got.python}")
