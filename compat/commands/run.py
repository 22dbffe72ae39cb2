"""What the commands that plan, run and judge a matrix do."""

from __future__ import annotations

import argparse
import json
from collections import Counter

from rich.console import Console

from compat import workflow
from compat.commands.options import options_of
from compat.matrix import Plan


def plan(arguments: argparse.Namespace, console: Console) -> int:
    """Print the plan: every item with its expectation."""
    _, planned = workflow.lay_out(options_of(arguments))
    if arguments.json:
        console.print_json(json.dumps(planned.as_dict(), default=list))
        return 0
    _print_plan(planned, console)
    return 0


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Run the matrix."""
    return workflow.run(options_of(arguments), console)


def report(arguments: argparse.Namespace, console: Console) -> int:
    """Write the report of an output folder anew; 0 whatever the gate says."""
    workflow.judge(arguments.out, console, render=True)
    return 0


def gate(arguments: argparse.Namespace, console: Console) -> int:
    """Judge an output folder again."""
    return workflow.judge(arguments.out, console, render=False)


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
