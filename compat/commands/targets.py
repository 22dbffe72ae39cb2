"""What the commands ``trt-compat targets`` do."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from rich.console import Console

from compat.commands.configuration import config_of, config_path
from compat.matrix import known_targets
from compat.settings import target_spec
from compat.suite.driver import probe
from compat.targets import Environment, Finding, Unavailable, catalogue, examine, pin_line, provide

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
    return Finding("environment", "ok", f"made, and the runtime is the pinned one: {got.python}")
