"""The command ``trt-compat inspect``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json

_CODES = (
    "Exit codes: 0 every file is an engine that is whole and as its manifest says, "
    "1 one is not, 2 wrong call."
)


def register(commands: Commands) -> None:
    """Add the command that reads engine files."""
    what = "say what built an engine file, for what, and whether all of it is there"
    add(commands, "inspect", "inspect.inspect", what, _files, as_json, epilog=_CODES)


def _files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="engines, folders (their *.engine, *.plan and *.trt), patterns such as 'x/**/*.plan'",
    )
    parser.add_argument(
        "--digest",
        action="store_true",
        help="read each file as a whole and check the SHA-256 of its manifest",
    )
