"""What a suite process sees of this machine, and where it may write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compat.targets import Environment, Mounts

_SUITE = Path(__file__).resolve().parents[1] / "suite"

# Where a phase writes, below the work folder. A check stamps engines, and damages copies of them;
# where trtexec is asked it leaves samples.
_WRITTEN = {
    "build": ("engines", "caches"),
    "check": ("engines", "outputs", "samples"),
    "bench": ("engines", "samples"),
}

_BYTECODE = "bytecode"

# Files of an entry that may lie outside the work folder.
_READ = ("onnx", "feeds", "calibration", "labelled")


def bytecode(environment: Environment, work: Path) -> dict[str, str]:
    """Return the variables that say where compiled Python goes: never beside its source.

    Compiling pytest, numpy and the suite takes half a second, and was most of a process's start. A
    path in an image is not the same file in the next one, so every target has its own folder. An
    interpreter of the user's own is left to itself.
    """
    if environment.target.provider == "local":
        return {"PYTHONDONTWRITEBYTECODE": "1"}
    own = f"{environment.target.name}-{environment.fingerprint[:12]}"
    # An empty variable is none: the caller's own must not undo this.
    return {"PYTHONPYCACHEPREFIX": str(work / _BYTECODE / own), "PYTHONDONTWRITEBYTECODE": ""}


def mounts(work: Path, phase: str, entries: Sequence[Mapping[str, Any]], deps: Path) -> Mounts:
    """Return what a container sees of this machine, and the folders it may write into."""
    named = [Path(entry[key]) for entry in entries for key in _READ if entry.get(key)]
    beside = {path.parent for path in named if not path.is_relative_to(work)}
    writes = tuple(work / name for name in ("jobs", "logs", _BYTECODE, *_WRITTEN[phase]))
    for folder in writes:
        folder.mkdir(exist_ok=True)
    return Mounts((work, _SUITE, deps, *sorted(beside)), writes)
