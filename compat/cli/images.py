"""The commands ``trt-compat images``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json


def register(commands: Commands) -> None:
    """Add the commands that ask and fill registries."""
    parser = commands.add_parser(
        "images", help="compare a mirror with its upstream registry, and fill it"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    status = "say which images the mirror lacks, which tags moved, which pinned digests are gone"
    codes = (
        "Exit codes: 0 all hold, 1 a pinned image is missing or something is older than the "
        "allowed lag, 2 wrong configuration or call, 4 a registry could not be asked."
    )
    add(parts, "status", "images.status", status, _what, _judging, as_json, epilog=codes)
    sync = "plan the copies that the mirror needs, and with --run make them by skopeo"
    codes = (
        "Exit codes: 0 planned or copied, 1 a copy failed or cannot be had, 2 wrong configuration "
        "or call, 4 a registry could not be asked."
    )
    add(parts, "sync", "images.sync", sync, _what, _copying, as_json, epilog=codes)


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="F",
        help="its targets' images are asked about (default: ./compat.toml, if there)",
    )
    parser.add_argument(
        "--upstream",
        metavar="PLACE",
        help="HOST[/PREFIX] that images come from (default: each image's own registry)",
    )
    parser.add_argument("--mirror", metavar="PLACE", help="HOST[/PREFIX] that holds their copies")
    parser.add_argument(
        "--repository",
        action="append",
        default=[],
        metavar="NAME",
        help="only this repository, such as nvcr.io/nvidia/tensorrt, or below the upstream "
        "nvidia/tensorrt; may be given several times",
    )
    parser.add_argument(
        "--tags",
        action="append",
        default=[],
        metavar="PATTERN",
        help="these tags too, such as '25.*-py3' (default: all of a --repository); several times",
    )
    parser.add_argument(
        "--ca", type=Path, metavar="FILE", help="certificates in PEM form to trust as well"
    )


def _judging(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-lag",
        metavar="TIME",
        help="how long the mirror or a pin may stay behind, such as 36h, 14d or 2w",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a Markdown page")
    parser.add_argument(
        "--summary",
        action="store_true",
        help="add the page to the job's summary that the variable GITHUB_STEP_SUMMARY names",
    )


def _copying(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--run", action="store_true", help="make the copies")
    how.add_argument("--dry-run", action="store_true", help="only plan them (the default)")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="write the plan as JSON")
    parser.add_argument(
        "--skopeo-image",
        metavar="IMAGE",
        help="run skopeo from this image, where it is not installed",
    )
    parser.add_argument(
        "--engine", choices=("podman", "docker"), help="what runs that image (default: either)"
    )
