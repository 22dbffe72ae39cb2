"""The commands ``trt-compat targets``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json, names, work


def register(commands: Commands) -> None:
    """Add the commands that ask about targets."""
    parser = commands.add_parser(
        "targets", help="list the targets, or say what each one lacks here"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    add(parts, "list", "targets.listing", "list the targets", _which_targets, as_json)
    look = "look whether each target can be had and used here; install nothing"
    codes = "Exit codes: 0 all can be used, 1 something is missing, 2 wrong call."
    options = (_which_targets, _looking, as_json, work)
    add(parts, "doctor", "targets.doctor", look, *options, epilog=codes)


def _which_targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="F", help="default: ./compat.toml")
    parser.add_argument(
        "--targets", type=names, default=(), metavar="a,b", help="only these targets"
    )


def _looking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deep", action="store_true", help="make each environment and import the runtime, too"
    )
    parser.add_argument(
        "--offline", action="store_true", help="count on find-links and the cache only"
    )
