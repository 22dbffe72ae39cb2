"""The options of a run that a command line gives."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.commands.configuration import config_path
from compat.matrix import PHASES, Selection
from compat.workflow import Options


def options_of(arguments: argparse.Namespace) -> Options:
    """Gather what the command line says; a planning command lacks the running options."""
    given = vars(arguments)
    return Options(
        config=config_path(arguments),
        work=given.get("work", Path(".trt-compat")).resolve(),  # a container sees no ".."
        out=given.get("out", Path("reports/latest")),
        selection=Selection(
            targets=arguments.targets,
            models=arguments.models,
            precisions=arguments.precisions,
            items=tuple(given.get("item", ())),
        ),
        quick=arguments.quick,
        offline=given.get("offline", False),
        retry=given.get("retry", False),
        phases=tuple(given.get("phase") or PHASES),
        only=given.get("on"),
    )
