"""The command ``trt-compat``.

Exit codes: 0 the gate holds; 1 the gate says stop; 2 the configuration or the call is wrong;
4 not enough evidence; 130 interrupted (the same call goes on where it stopped).
"""

from __future__ import annotations

import argparse
import errno
import io
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from rich.console import Console

from compat import __version__
from compat.cli import (
    api,
    bundle,
    crosscheck,
    images,
    init,
    inspect,
    models,
    predict,
    run,
    targets,
)
from compat.cli.options import EPILOG
from compat.errors import UserError

# What the machine may refuse in the middle of a run, and what to do about it.
_MACHINE_TROUBLE = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "mend the permissions",
    errno.EPERM: "mend the permissions",
    errno.EIO: "look at the disk",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    arguments = _parser().parse_args(argv)
    keeps_records = "work" in arguments  # records stand in a work folder, and nowhere else
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show
    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        module, _, function = arguments.call.partition(".")
        # pandas and onnx are loaded only where a command runs.
        command = getattr(import_module(f"compat.commands.{module}"), function)
        return int(command(arguments, console))
    except UserError as error:
        if arguments.debug:
            traceback.print_exc()
        errors.print(f"error: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        kept = "; what is finished is on record, the same command goes on" if keeps_records else ""
        errors.print(f"interrupted{kept}")
        return 130
    except OSError as error:
        if arguments.debug or error.errno not in _MACHINE_TROUBLE:
            raise
        place = error.filename or ("the work or output folder" if keeps_records else "the output")
        kept = "; what is finished is on record" if keeps_records else ""
        errors.print(
            f"error: {error.strerror}: {place}{kept}: {_MACHINE_TROUBLE[error.errno]} and run the "
            "same command again",
            markup=False,
        )
        return 4


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trt-compat",
        description="Say what a TensorRT upgrade does to engines, accuracy, latency and code, "
        "before it happens.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"trt-compat {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    parts = (init, run, targets, models, bundle, images, inspect, predict, api, crosscheck)
    for part in parts:
        part.register(commands)
    return parser
