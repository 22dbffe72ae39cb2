"""What this machine has that a first matrix follows from. Looks, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from compat.suite.driver import Driver, probe

# Runs in a foreign interpreter, so any Python 3. os._exit: some runtimes crash on unloading where
# there is no driver.
_QUESTION = """
import importlib, json, os, platform, sys
for name in ("tensorrt", "tensorrt_bindings"):
    try:
        version = str(importlib.import_module(name).__version__)
    except Exception:
        continue
    text = json.dumps({"version": version, "python": platform.python_version()})
    sys.stdout.write("\\ntrt-compat-init " + text + "\\n")
    break
sys.stdout.flush()
os._exit(0)
"""
_MARK = "trt-compat-init "
_LIMIT_S = 60.0
_ENGINES = ("podman", "docker")  # as a run with [containers] engine = "auto" takes them


@dataclass(frozen=True, slots=True)
class Installed:
    """TensorRT as an interpreter has it; `python` is the interpreter's path."""

    version: str
    python: Path
    python_version: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was found. `engine` is the container engine on PATH, if any."""

    driver: Driver
    engine: str | None
    installed: Installed | None

    @property
    def has_gpu(self) -> bool:
        """Whether a GPU can be used."""
        return not self.driver.problem


def look(folder: Path, python: Path | None, env: Mapping[str, str] = os.environ) -> Surroundings:
    """Ask the driver, PATH and the interpreters at hand.

    Args:
        folder: the repository, which may have a ``.venv``.
        python: the interpreter to ask for TensorRT, instead of those at hand.
        env: this process's variables.
    """
    places = [python] if python is not None else list(_interpreters(folder, env))
    return Surroundings(
        driver=probe(),
        engine=next((one for one in _ENGINES if shutil.which(one, path=env.get("PATH"))), None),
        installed=next((found for found in map(_installed, places) if found), None),
    )


def _interpreters(folder: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """Yield each interpreter once: this one, the active environment's, the folder's, PATH's."""
    named = shutil.which("python3", path=env.get("PATH"))
    active = env.get("VIRTUAL_ENV")
    places = [
        Path(sys.executable),
        Path(active) / "bin" / "python" if active else None,
        folder / ".venv" / "bin" / "python",
        Path(named) if named else None,
    ]
    # Not resolved: the link in a virtual environment is what makes it one.
    yield from dict.fromkeys(p.absolute() for p in places if p is not None and p.is_file())


def _installed(python: Path) -> Installed | None:
    """Return the TensorRT that an interpreter imports, None where it has none or cannot say."""
    try:
        done = subprocess.run(
            [str(python), "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    said = [line for line in lines if line.startswith(_MARK)]
    if not said:
        return None
    facts = json.loads(said[-1].removeprefix(_MARK))
    return Installed(facts["version"].partition("+")[0], python, facts["python"])
