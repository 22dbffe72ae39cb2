"""The configuration and the options that a command line names."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.config import Config, find_config, load_config
from compat.matrix import PHASES, Selection
from compat.workflow import Options


def config_path(arguments: argparse.Namespace) -> Path:
    """Return the configuration's path; raises UserError where there is none."""
    return find_config(arguments.config, Path.cwd()).absolute()


def config_of(arguments: argparse.Namespace) -> Config:
    """Read the configuration for its targets; its models need not be here."""
    return load_config(config_path(arguments), sources=False)


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
