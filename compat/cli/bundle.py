"""The commands ``trt-compat bundle`` and ``trt-compat merge``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, output, planning, work


def register(commands: Commands) -> None:
    """Add the commands of a run on a machine without a network."""
    parser = commands.add_parser("bundle", help="pack a matrix for a machine without a network")
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    create = "pack plan, models, wheels and interpreters into parts"
    add(parts, "create", "bundle.create", create, planning, _packing, work)
    merged = "make one report of several runs and gate on it; run nothing"
    add(commands, "merge", "bundle.merge", merged, _merging, output)


def _packing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where the parts go")
    parser.add_argument(
        "--part-size", default="60MB", metavar="SIZE", help="largest part (default: 60MB)"
    )
    parser.add_argument(
        "--python-version",
        default="3.12",
        metavar="V",
        help="the far machine's own Python (default: 3.12)",
    )
    parser.add_argument(
        "--interpreter",
        action="append",
        default=[],
        metavar="V",
        help="bring this Python along; those that a target needs beside the far one come anyway",
    )
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="PATTERN",
        help="leave these files out of the wheels, such as nvidia/cudnn/lib/libcudnn_*",
    )
    parser.add_argument(
        "--make-models",
        action="store_true",
        help="do not pack the built-in models with seeded weights: the far machine makes them",
    )
    parser.add_argument(
        "--compress",
        choices=("zstd", "none"),
        default="zstd",
        help="how the parts are compressed (default: zstd, with its decoder in the bundle)",
    )
    parser.add_argument(
        "--offline", action="store_true", help="take wheels from find-links and the work folder"
    )


def _merging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "results",
        nargs="+",
        type=Path,
        metavar="RESULT",
        help="a results file of a far run, or the output folder of an ordinary one",
    )
    parser.add_argument(
        "--config", type=Path, metavar="F", help="judge by the limits and the gate of this file"
    )
