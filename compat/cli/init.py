"""The command ``trt-compat init``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json


def register(commands: Commands) -> None:
    """Add the command that writes a first matrix."""
    first = "write a first compat.toml and noxfile.py from what is found in a folder"
    codes = "Exit codes: 0 written (or printed), 2 wrong call, or a file stands there already."
    add(commands, "init", "init.init", first, _starting, as_json, epilog=codes)


def _starting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="your repository (default: this folder)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the files; write nothing")
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace an earlier compat.toml, and a noxfile.py that this command wrote",
    )
    parser.add_argument(
        "--python",
        type=Path,
        metavar="PATH",
        help="the interpreter that has your TensorRT (default: this one, the active environment, "
        "DIR/.venv, python3 on PATH)",
    )
