"""Finding and calling uv, with settings under which a missing network is said soon."""

from __future__ import annotations

import importlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compat.targets import process
from compat.targets.spec import Progress, TargetError, TargetSpec

# uv's own defaults (3 retries, 30 s) take minutes to say that there is no network. Measured with
# uv 0.13.8: 2 retries against a closed port end after about 4 s. A user's own setting wins.
_PATIENCE = {"UV_HTTP_RETRIES": "2", "UV_HTTP_CONNECT_TIMEOUT": "5", "UV_HTTP_TIMEOUT": "30"}
# Trust what the machine trusts, as pip does: company proxies come with certificates of their own.
_TRUST = {"UV_SYSTEM_CERTS": "1"}
# A virtual environment or Python choice of the caller must not leak into the target's.
_FOREIGN = ("VIRTUAL_ENV", "UV_PYTHON", "UV_PROJECT_ENVIRONMENT", "PYTHONHOME", "PYTHONPATH")


def find() -> Path:
    """Return uv's path: the one installed beside this program, else the one on PATH."""
    try:
        # By name: this module is called uv too, and the package may be missing.
        return Path(importlib.import_module("uv").find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        message = "uv was not found. Install it into this environment (`pip install uv`)."
        raise TargetError(message)
    return Path(found)


@dataclass(frozen=True, slots=True)
class Uv:
    """uv at work for one target: same log, deadline and lock for all its calls."""

    target: TargetSpec
    program: Path
    log: Path
    deadline: float
    progress: Progress
    lock: int | None = None

    def call(self, *arguments: str) -> process.Outcome:
        """Run uv with these arguments."""
        return self.run([str(self.program), *arguments, "--no-progress", "--color", "never"])

    def run(self, argv: Sequence[str], limit_s: float | None = None) -> process.Outcome:
        """Run any command under this target's log, lock and deadline (or limit_s, if sooner)."""
        deadline = self.deadline
        if limit_s is not None:
            deadline = min(deadline, time.monotonic() + limit_s)
        return process.run(
            argv,
            log=self.log,
            deadline=deadline,
            env=environment(),
            beat=self._beat,
            keep_open=() if self.lock is None else (self.lock,),
        )

    def sources(self) -> list[str]:
        """Return the options that say where this target's wheels come from."""
        options = [part for path in self.target.find_links for part in ("--find-links", str(path))]
        if self.target.index is not None:
            options += ["--index", self.target.index]
        if self.target.offline:
            options.append("--offline")
        return options

    def _beat(self, seconds: float) -> None:
        self.progress(f"{self.target.name}: still installing ({seconds:.0f} s)")


def environment() -> dict[str, str]:
    """Return this process's variables, less what would leak, plus uv's patience."""
    kept = {key: value for key, value in os.environ.items() if key not in _FOREIGN}
    return {**_PATIENCE, **_TRUST, **kept}
