"""The commands that plan, run and judge a matrix."""

from __future__ import annotations

import argparse

from compat.cli.options import Commands, add, as_json, output, planning, work

_PHASES = ("build", "check", "bench")


def register(commands: Commands) -> None:
    """Add the commands that plan, run and judge a matrix."""
    plan = "print every cell with its expectation; run nothing"
    add(commands, "plan", "run.plan", plan, planning, as_json)
    add(commands, "run", "run.run", "run the matrix, write the report, gate on it", _running)
    add(commands, "report", "run.report", "write the report of an output folder anew", output)
    add(commands, "gate", "run.gate", "judge an output folder and exit with the code", output)


def _running(parser: argparse.ArgumentParser) -> None:
    planning(parser)
    output(parser)
    parser.add_argument(
        "--item",
        action="append",
        default=[],
        metavar="ID",
        help="run this item again, and what it needs; may be given several times",
    )
    parser.add_argument(
        "--retry", action="store_true", help="run failed, crashed and timed-out items again"
    )
    parser.add_argument(
        "--phase",
        action="append",
        choices=_PHASES,
        help="run only this phase, without a report; may be given several times",
    )
    parser.add_argument("--on", metavar="TARGET", help="with --phase: only on this target")
    parser.add_argument(
        "--offline", action="store_true", help="install from find-links and the cache only"
    )
    work(parser)
