"""The sessions: `compat` runs the matrix, the others run a part of it or check this project."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import nox

ROOT = Path(__file__).parent
DEFAULT = ROOT / "compat.toml"
# `nox -l` has to know the targets before any option is read, so this one is a variable.
CONFIG = Path(os.environ.get("TRT_COMPAT_CONFIG", DEFAULT))
# The host side needs 3.11; where nox runs on an older one, uv finds or fetches a newer.
PYTHON = None if sys.version_info >= (3, 11) else "3.12"
# What runs before there is anything but an old Python on the far machine.
FAR_SIDE = ("compat/bundle/run.py", "compat/bundle/layout.py", "compat/bundle/unzstd.py")
PHASES = {
    "build": "Build every engine with",
    "check": "Load every engine and check its accuracy in",
    "bench": "Benchmark the engines of",
}

# uv trusts what the machine trusts, as pip does: company proxies have certificates of their own.
os.environ.setdefault("UV_SYSTEM_CERTS", "1")

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "tests"]


def install(session: nox.Session, *groups: str) -> None:
    """Install this project once per state of pyproject.toml, so that a rerun needs no network."""
    stamp = Path(session.virtualenv.location) / "trt-compat.stamp"
    state = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == state:
        return
    session.install("-e", ".", *(word for group in groups for word in ("--group", group)))
    stamp.write_text(state)


def trt_compat(session: nox.Session, *arguments: str) -> None:
    """Run the command; leave nox with its exit code, of which nox itself would make a 1."""
    install(session)
    if CONFIG != DEFAULT and arguments[0] in ("run", "plan") and "--config" not in arguments:
        arguments = (*arguments, "--config", str(CONFIG))
    try:
        session.run("trt-compat", *arguments, interrupt_timeout=30)
    except nox.command.CommandFailed as failure:
        sys.exit(failure.return_code)


@nox.session(python=PYTHON)
def compat(session: nox.Session) -> None:
    """Run the whole matrix and gate on it: plan, prepare, build, check, bench, report."""
    trt_compat(session, "run", *session.posargs)


@nox.session(python=PYTHON)
def plan(session: nox.Session) -> None:
    """Print every cell with its expectation; run nothing."""
    trt_compat(session, "plan", *session.posargs)


@nox.session(python=PYTHON)
def report(session: nox.Session) -> None:
    """Write the report of the last run anew, without running anything."""
    trt_compat(session, "report", *session.posargs)


@nox.session(python=PYTHON)
def gate(session: nox.Session) -> None:
    """Judge the last run and exit with the gate's code: 0 holds, 1 stop, 4 not enough evidence."""
    trt_compat(session, "gate", *session.posargs)


def add_target_session(phase: str, target: str, what: str) -> None:
    """Register one phase of one target; its docstring is what `nox -l` prints."""

    def run_phase(session: nox.Session) -> None:
        trt_compat(session, "run", "--phase", phase, "--on", target, *session.posargs)

    run_phase.__doc__ = f"{PHASES[phase]} {what}."
    nox.session(run_phase, name=f"{phase}-{target}", python=PYTHON, default=False)


for name, target in nox.project.load_toml(CONFIG).get("targets", {}).items():
    for phase in PHASES:
        what = f"{target.get('flavour', '?')} {target.get('version', '?')}"
        add_target_session(phase, name, what)


@nox.session(python=PYTHON)
def tests(session: nox.Session) -> None:
    """Run this project's own tests; those that need a GPU or the network say why they skip."""
    install(session, "test")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHON)
def lint(session: nox.Session) -> None:
    """Check format, style, types, and that the suite still speaks Python 3.8."""
    install(session, "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("mypy")
    session.run(
        "vermin", "--quiet", "--no-tips", "-t=3.8-", "--violations", "compat/suite", *FAR_SIDE
    )
