"""The commands ``trt-compat api``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json

_FLAVOURS = ("tensorrt", "tensorrt_lean", "tensorrt_dispatch", "tensorrt_rtx")


def register(commands: Commands) -> None:
    """Add the commands about TensorRT's Python API."""
    parser = commands.add_parser(
        "api", help="say what a TensorRT release changes in the Python API, or breaks in your code"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    codes = "Exit codes: 0 done, 2 wrong call."
    help_ = "list what the Python API of one release has and the other has not"
    add(parts, "diff", "api.diff", help_, _releases, _flavour, as_json, epilog=codes)
    codes = "Exit codes: 0 nothing breaks, 1 something breaks at the target release, 2 wrong call."
    help_ = "look through your code for what breaks between two releases; nothing of it is run"
    add(parts, "scan", "api.scan", help_, _paths, _between, _flavour, _format, epilog=codes)


def _releases(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="A", help="a release, or how it begins: 8.6, 10.16.1.11")
    parser.add_argument(
        "after", metavar="B", help="another one; the newest that begins so is taken"
    )


def _between(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="before", required=True, metavar="A", help="release it runs on"
    )
    parser.add_argument(
        "--to", dest="after", required=True, metavar="B", help="release it shall run on"
    )


def _flavour(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--flavour",
        choices=_FLAVOURS,
        default="tensorrt",
        help="default: tensorrt; a scan looks at imports of lean and dispatch, too",
    )


def _paths(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files and folders")


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=("table", "json", "sarif", "github"),
        default="table",
        help="sarif: 2.1.0, for code scanning; github: annotations of a workflow run",
    )
    parser.add_argument("--json", action="store_true", help="as --format json")
    parser.add_argument(
        "--confidence",
        choices=("low", "medium", "high"),
        default="low",
        help="leave out what is less certain than this (default: low, nothing)",
    )
