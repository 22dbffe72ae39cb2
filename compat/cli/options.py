"""Commands and the options that several of them take."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
EPILOG = "Exit codes: 0 holds, 1 stop, 2 wrong configuration or call, 4 not enough evidence."


def add(
    commands: Commands,
    name: str,
    call: str,
    help_: str,
    *options: Callable[[argparse.ArgumentParser], None],
    epilog: str = EPILOG,
) -> None:
    """Add a command; `call` is its module and function in ``compat.commands``."""
    description = help_[0].upper() + help_[1:] + "."
    parser = commands.add_parser(name, help=help_, description=description, epilog=epilog)
    parser.set_defaults(call=call)
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    for add in options:
        add(parser)


def names(text: str) -> tuple[str, ...]:
    """Return the words of a list with commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def planning(parser: argparse.ArgumentParser) -> None:
    """Add what chooses the part of a matrix."""
    parser.add_argument("--config", type=Path, metavar="F", help="default: ./compat.toml")
    for what in ("targets", "models", "precisions"):
        parser.add_argument(
            f"--{what}", type=names, default=(), metavar="a,b", help=f"only these {what}"
        )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small versions of the same architectures; latency is shown but not judged",
    )


def work(parser: argparse.ArgumentParser) -> None:
    """Add the work folder."""
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(".trt-compat"),
        metavar="DIR",
        help="models, engines, environments and records (default: .trt-compat)",
    )


def output(parser: argparse.ArgumentParser) -> None:
    """Add the report's folder."""
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("reports/latest"),
        metavar="DIR",
        help="the report's folder (default: reports/latest)",
    )


def as_json(parser: argparse.ArgumentParser) -> None:
    """Add JSON for machines."""
    parser.add_argument("--json", action="store_true", help="print JSON")
