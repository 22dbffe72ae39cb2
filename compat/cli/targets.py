"""The commands ``trt-compat targets``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json, names, work


def register(commands: Commands) -> None:
    """Add the commands that ask about targets."""
    parser = commands.add_parser(
        "targets", help="list targets, find releases, say what a machine can run"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    add(parts, "list", "targets.listing", "list the targets", _which_targets, as_json)
    add(
        parts,
        "suggest",
        "catalogue.suggest",
        "find images and wheels by release, Python, driver and GPU, for a machine that need not "
        "be here",
        _wishes,
        _other_machine,
        as_json,
        epilog="Exit codes: 0 something was found, 1 nothing, 2 wrong call.",
    )
    add(
        parts,
        "show",
        "catalogue.show",
        "print all that is known of an image, a release, a GPU, a JetPack or a target, with its "
        "source",
        _name,
        as_json,
        epilog="Exit codes: 0 found, 2 nothing has that name.",
    )
    add(
        parts,
        "check",
        "targets.check",
        "compare driver and GPUs of this machine, or of another, with what each target needs by "
        "the rules; touch nothing, ask no index (whether a target can be had here: see doctor)",
        _which_targets,
        _other_machine,
        as_json,
        epilog="Exit codes: 0 no target is ruled out, 1 one is, 2 wrong call.",
    )
    add(
        parts,
        "doctor",
        "targets.doctor",
        "look whether each target can be had and used on this machine: Python, wheels, room, "
        "driver; install nothing (another machine: see check)",
        _which_targets,
        _looking,
        as_json,
        work,
        epilog="Exit codes: 0 all can be used, 1 something is missing, 2 wrong call.",
    )


def _which_targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="F", help="default: ./compat.toml")
    parser.add_argument(
        "--targets", type=names, default=(), metavar="a,b", help="only these targets"
    )


def _wishes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tensorrt", metavar="V", help="10.13 is all of 10.13.x")
    parser.add_argument("--python", metavar="V", help="such as 3.10")
    parser.add_argument(
        "--provider",
        choices=("container", "wheel", "local"),
        help="local is what JetPack has (default: the first two, and local for a Jetson)",
    )
    parser.add_argument(
        "--flavour",
        choices=("tensorrt", "tensorrt_lean", "tensorrt_dispatch", "tensorrt_rtx", "all"),
        default="tensorrt",
        help="default: tensorrt",
    )
    parser.add_argument(
        "--newest", action="store_true", help="only the newest one of each provider and flavour"
    )
    parser.add_argument(
        "--why-not", action="store_true", help="say what is ruled out or unknown, why, and by whom"
    )


def _other_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--driver", metavar="V", help="such as 535.104.05, or a branch such as 535")
    parser.add_argument(
        "--gpu", metavar="NAME", help='such as T4, "RTX 4090", sm_86, volta; several with commas'
    )


def _name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="24.08, 10.13, T4, jetpack-6.2, a target")
    parser.add_argument("--config", type=Path, metavar="F", help="default: ./compat.toml")


def _looking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deep", action="store_true", help="make each environment and import the runtime, too"
    )
    parser.add_argument(
        "--offline", action="store_true", help="count on find-links and the cache only"
    )
