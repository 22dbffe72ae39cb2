"""Finding the interpreter that a target needs, and letting uv fetch one if there is none."""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compat.targets.diagnosis import last_words
from compat.targets.uv import Uv

_RELEASE = re.compile(r"3\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A CPython on this machine: full version such as "3.11.7" and path."""

    version: str
    path: Path

    @property
    def minor(self) -> str:
        """The version as "3.11"."""
        return ".".join(self.version.split(".")[:2])


def found(uv: Uv) -> list[Interpreter]:
    """Return the CPythons here, the running one first, then newest first; pre-releases left out."""
    own = Interpreter(platform.python_version(), Path(getattr(sys, "_base_executable", "")))
    others = [*_seen_by_uv(uv), *_of_pyenv()]
    others.sort(key=lambda one: tuple(map(int, one.version.split("."))), reverse=True)
    first = [own] if _RELEASE.fullmatch(own.version) and own.path.is_file() else []
    return list({one.path: one for one in [*first, *others]}.values())


def _seen_by_uv(uv: Uv) -> list[Interpreter]:
    """Return what uv finds: its own, the system's, PATH."""
    outcome = uv.call("python", "list", "--only-installed", "--output-format", "json")
    rows = next((line for line in outcome.output.splitlines() if line.startswith("[{")), "[]")
    return [
        Interpreter(row["version"], Path(row["path"]))
        for row in json.loads(rows)
        if row["implementation"] == "cpython"
        and row["variant"] == "default"
        and _RELEASE.fullmatch(row["version"])
        # A pyenv shim is another Python tomorrow; the real ones are listed below.
        and "shims" not in Path(row["path"]).parts
    ]


def _of_pyenv() -> list[Interpreter]:
    """Return pyenv's interpreters: uv sees only the shims, and those only work when activated."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    return [
        Interpreter(folder.name, folder / "bin" / "python")
        for folder in (root.iterdir() if root.is_dir() else ())
        if _RELEASE.fullmatch(folder.name) and (folder / "bin" / "python").is_file()
    ]


def choose(
    wanted: str | None, allowed: Sequence[str], here: Sequence[Interpreter]
) -> Interpreter | None:
    """Return the first fitting interpreter.

    wanted: "3.11" or "3.11.7", or None for any of `allowed` ("3.11", ...).
    """
    for one in here:
        if wanted is None and one.minor in allowed:
            return one
        if wanted is not None and wanted in (one.minor, one.version):
            return one
    return None


def fetch(uv: Uv, version: str) -> Interpreter | str:
    """Let uv download a Python; a string says why that failed."""
    uv.progress(f"{uv.target.name}: fetching Python {version}")
    if uv.target.offline:
        return "the target is offline"
    outcome = uv.call("python", "install", version)
    if outcome.code != 0:
        return last_words(outcome)
    fetched = choose(version, (), found(uv))
    return fetched or f"uv fetched Python {version} but does not list it"
