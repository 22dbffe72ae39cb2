"""The container engine: found, asked what it is, and called with argument lists."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from compat.targets.spec import EngineChoice, Reason

Kind = Literal["podman", "docker"]
KINDS: tuple[Kind, ...] = ("podman", "docker")
# An engine that hangs, such as one whose socket nobody serves, must not hang the run.
_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Said:
    """How a call ended: exit code, standard output, and the last line of standard error."""

    code: int
    output: str
    error: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something of the engine cannot be had, and the way out, in one line."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers.

    kind: whose command line it speaks. rootless: container root is the caller. remapped: Docker's
    own user namespace, in which the caller's files belong to nobody. alone: rootless without user
    ids of its own (/etc/subuid), so that container root is the only user there is.
    """

    kind: Kind
    program: Path
    version: str
    rootless: bool
    remapped: bool = False
    alone: bool = False

    def call(self, *arguments: str, limit_s: float = _LIMIT_S) -> Said:
        """Run the engine with these arguments to its end."""
        return _call([str(self.program), *arguments], limit_s)

    def inspect(self, what: Literal["image", "container"], *names: str) -> list[dict[str, Any]]:
        """Return what the engine knows of images or containers; those it has not are left out."""
        said = self.call(what, "inspect", *names)
        try:
            found = json.loads(said.output or "[]")
        except ValueError:
            return []
        return [one for one in found if isinstance(one, dict)]

    def __str__(self) -> str:
        return f"{self.kind} {self.version}{' (rootless)' if self.rootless else ''}"


def find(choice: EngineChoice) -> list[Engine] | Trouble:
    """Return the engines of this choice that answer, the preferred one first, or why none does."""
    kinds = KINDS if choice == "auto" else (choice,)
    programs = {kind: found for kind in kinds if (found := shutil.which(kind)) is not None}
    if not programs:
        names = " nor ".join(kinds)
        other = "" if choice == "auto" else ', or write engine = "auto" into [containers]'
        message = f"{'neither ' if len(kinds) > 1 else ''}{names} is on PATH: install it{other}"
        return Trouble("engine-missing", message)
    asked = [_ask(kind, Path(program)) for kind, program in programs.items()]
    working = [one for one in asked if isinstance(one, Engine)]
    troubles = [one for one in asked if isinstance(one, Trouble)]
    if working:
        return working
    return Trouble(troubles[0].reason, "; ".join(one.message for one in troubles))


@functools.cache
def _ask(kind: Kind, program: Path) -> Engine | Trouble:
    """Ask an engine what it is. It costs 0.1 s and more, so each is asked once in a process."""
    said = _call([str(program), "info", "--format", "{{json .}}"], _LIMIT_S)
    try:
        info = json.loads(said.output)
        known = _podman(program, info) if kind == "podman" else _docker(program, info)
    except (ValueError, KeyError, TypeError, AttributeError):
        known = None
    # Docker's client says what it knows of itself with exit code 0 when its daemon is down.
    return known if said.code == 0 and known else Trouble("engine-not-ready", _why(kind, said))


def _podman(program: Path, info: dict[str, Any]) -> Engine:
    host = info["host"]
    rootless = bool(host["security"]["rootless"])
    mapped = sum(int(one["size"]) for one in (host.get("idMappings") or {}).get("uidmap") or ())
    version = str(info["version"]["Version"])
    return Engine("podman", program, version, rootless, alone=rootless and mapped == 1)


def _docker(program: Path, info: dict[str, Any]) -> Engine | None:
    if info.get("ServerErrors") or not info.get("ServerVersion"):
        return None
    options = " ".join(info.get("SecurityOptions") or ())
    rootless, remapped = "name=rootless" in options, "name=userns" in options
    return Engine("docker", program, str(info["ServerVersion"]), rootless, remapped)


def _why(kind: Kind, said: Said) -> str:
    """Say in one line why an engine does not answer, and what may help."""
    words = said.error
    try:
        words = words or "; ".join(json.loads(said.output)["ServerErrors"])
    except (ValueError, KeyError, TypeError):
        words = words or said.output.strip()[-200:]
    if "permission denied" in words.lower() and kind == "docker":
        remedy = "you may not use its daemon: ask to be put into the group docker, or use podman"
    elif kind == "docker":
        remedy = "its daemon does not answer: start it (systemctl start docker), or use podman"
    else:
        remedy = "it cannot run here: `podman info` has to work first"
    return f"{kind}: {remedy} ({' '.join(words.split()) or f'exit code {said.code}'})"


def _call(argv: Sequence[str], limit_s: float) -> Said:
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
            start_new_session=True,  # Ctrl-C is for us: we have containers to end first
        )
    except subprocess.TimeoutExpired:
        return Said(124, "", f"no answer in {limit_s:.0f} s")
    except OSError as error:
        return Said(127, "", f"{argv[0]}: {error.strerror}")
    words = last_line(done.stderr.decode(errors="replace"))
    return Said(done.returncode, done.stdout.decode(errors="replace"), words)


def last_line(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
