"""The configuration that a command line names."""

from __future__ import annotations

import argparse
from pathlib import Path

from compat.config import Config, find_config, load_config


def config_path(arguments: argparse.Namespace) -> Path:
    """Return the configuration's path; raises UserError where there is none."""
    return find_config(arguments.config, Path.cwd()).absolute()


def config_of(arguments: argparse.Namespace) -> Config:
    """Read the configuration for its targets; its models need not be here."""
    return load_config(config_path(arguments), sources=False)
