"""The command ``trt-compat predict``."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.cli.options import Commands, add, as_json

PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-x86_64")
VARIANTS = ("plain", "vc", "vc-lean-excluded", "hc-ampere-plus", "hc-same-cc", "stripped")
_CODES = (
    "Exit codes: 0 every engine must load (nothing of the environment is ruled out); 1 one must be "
    "refused or is no whole engine (the environment is ruled out); 2 wrong call; 4 neither: of one "
    "no text says it, or the file does not state what the answer depends on."
)


def register(commands: Commands) -> None:
    """Add the command that foretells what happens before anything is run."""
    what = (
        "say by the documented rules whether an engine will load in a runtime, or whether an "
        "environment can work at all, without TensorRT and without a GPU"
    )
    add(
        commands,
        "predict",
        "predict.predict",
        what,
        _engines,
        _environment,
        as_json,
        epilog=_CODES,
    )


def _engines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILE",
        help="engines, folders (their *.engine, *.plan and *.trt), patterns such as 'x/**/*.plan'",
    )
    parser.add_argument(
        "--runtime",
        action="append",
        default=[],
        metavar="NAME==V",
        help="what is to load them, such as tensorrt_lean==10.16.1.11; several times for several",
    )
    parser.add_argument(
        "--gpu",
        metavar="NAME",
        help='where it is to run: sm_90, T4, "RTX 4090", volta (default: where the engine was '
        "built); several with commas",
    )
    parser.add_argument(
        "--host-code",
        action="store_true",
        help="the runtime is told engine_host_code_allowed = True (TensorRT's default is False)",
    )
    parser.add_argument(
        "--platform",
        choices=PLATFORMS,
        help="where it is to run (default: where the engine was built)",
    )
    stated = parser.add_argument_group("what file and manifest do not state of the engines")
    stated.add_argument("--variant", choices=VARIANTS, default="", help="how they were built")
    stated.add_argument("--built-for", metavar="ARCH", help="GPU of the builder, such as sm_80")
    stated.add_argument("--built-on", choices=PLATFORMS, default="", help="platform of the builder")


def _environment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--environment",
        action="store_true",
        help="judge an environment instead of engines, by any two or more of: --gpu and",
    )
    parts = parser.add_argument_group("parts of an environment")
    parts.add_argument("--driver", metavar="V", help="such as 535.104.05, or a branch such as 535")
    parts.add_argument("--cuda", metavar="V", help="such as 12.4, or a major such as 12")
    parts.add_argument(
        "--tensorrt", metavar="V", help="such as 10.13.2.6, 10.13, or tensorrt_lean==10.16.1.11"
    )
    parts.add_argument("--cudnn", metavar="V", help="such as 9 or 8.9.7")
    parts.add_argument("--python", metavar="V", help="such as 3.10")
