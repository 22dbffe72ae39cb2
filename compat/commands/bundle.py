"""What the commands ``trt-compat bundle`` and ``merge`` do."""

from __future__ import annotations

import argparse

from rich.console import Console

from compat import report as reports
from compat.bundle import create as packing
from compat.bundle import merge as merging
from compat.bundle.create import Request
from compat.bundle.parts import parse_size
from compat.commands.options import options_of


def create(arguments: argparse.Namespace, console: Console) -> int:
    """Pack a matrix for a machine without a network."""

    def say(text: str) -> None:
        console.print(text, markup=False)

    request = Request(
        options=options_of(arguments),
        to=arguments.to,
        part_size=parse_size(arguments.part_size),
        python=arguments.python_version,
        interpreters=tuple(arguments.interpreter),
        without=tuple(arguments.without),
        make_models=arguments.make_models,
        compressed=arguments.compress == "zstd",
    )
    made = packing.create(request, say)
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
