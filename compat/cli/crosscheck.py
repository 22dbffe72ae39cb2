"""The commands ``trt-compat crosscheck``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json, output, work

_CODES = "Exit codes: 0 done, 2 wrong call or a file that cannot be read. No gate looks at this."


def register(commands: Commands) -> None:
    """Add the commands that put other tools' results beside ours."""
    parser = commands.add_parser(
        "crosscheck", help="put results of trtexec and Polygraphy beside a run; never judged"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    reading = "read what trtexec or Polygraphy wrote into a row beside an item"
    listing = "list the rows of an output folder"
    calls = "print the calls of trtexec and Polygraphy that measure what an item measured"
    add(parts, "read", "crosscheck.read", reading, _reading, output, as_json, epilog=_CODES)
    add(parts, "list", "crosscheck.listing", listing, output, as_json, epilog=_CODES)
    add(parts, "command", "crosscheck.command", calls, _calling, output, work, epilog=_CODES)


def _item(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "item", metavar="ITEM", help="a latency or accuracy item, as the report prints it"
    )


def _reading(parser: argparse.ArgumentParser) -> None:
    _item(parser)
    tool = parser.add_mutually_exclusive_group(required=True)
    tool.add_argument("--trtexec", type=Path, metavar="F", help="what --exportTimes=F wrote")
    tool.add_argument(
        "--polygraphy", type=Path, metavar="F", help="what run --save-outputs F.json wrote"
    )
    parser.add_argument(
        "--log", type=Path, metavar="F", help="what trtexec printed: its version and flags"
    )
    parser.add_argument("--profile", type=Path, metavar="F", help="what --exportProfile=F wrote")
    parser.add_argument("--runner", metavar="NAME", help="a part of a Polygraphy runner's name")
    parser.add_argument(
        "--reference", metavar="NAME", help="the runner to compare its outputs with"
    )


def _calling(parser: argparse.ArgumentParser) -> None:
    _item(parser)
    parser.add_argument(
        "--onnx", type=Path, metavar="F", help="build from this file instead of loading our engine"
    )
