"""The words of this package: what is asked for, and what comes back.

TargetError     the machine cannot make any target at all: no uv, work folder not writable
Unavailable     (a value, not an exception) one target cannot be had; the others go on
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from compat.errors import UserError

if TYPE_CHECKING:
    from compat.targets.containers.launch import Launcher

Provider = Literal["wheel", "container", "local"]
Role = Literal["current", "candidate", "other"]
Cuda = Literal["12", "13"]
EngineChoice = Literal["auto", "podman", "docker"]
GpuWay = Literal["auto", "cdi", "flag", "none"]
Progress = Callable[[str], None]
Reason = Literal[
    "interpreter-missing",
    "version-not-found",
    "no-network",
    "install-failed",
    "hash-mismatch",
    "disk-full",
    "version-differs",
    "provider-not-ready",
    "platform",
    "engine-missing",
    "engine-not-ready",
    "image-missing",
    "digest-moved",
    "gpu-not-passed",
]


class TargetError(UserError):
    """No target can be provided here; the message names the path or program and the way out."""


@dataclass(frozen=True, slots=True)
class Image:
    """The image of a container target, and how its containers are run.

    digest: "sha256:..." that the name has to stand for; None takes what is there. gpus: how they
    are passed in. memory, shm_size: bytes, None is the engine's default. pull: fetch an image that
    is not here.
    """

    name: str
    digest: str | None = None
    engine: EngineChoice = "auto"
    gpus: GpuWay = "auto"
    memory: int | None = None
    shm_size: int | None = None
    pull: bool = False

    @property
    def is_pinned(self) -> bool:
        """Whether only one content may stand under this name."""
        return self.digest is not None or "@" in self.name


@dataclass(frozen=True, slots=True)
class TargetSpec:
    """One pinned runtime as the configuration asks for it.

    python: for a wheel target a version such as "3.11" (None: the best one found that the release
    supports); for a local target an interpreter's path, or its name on PATH (None: the one that
    runs this code); for a container target the same inside the image (None: python3, then python).
    image: of a container target.
    cuda: None is the catalogue's default. offline: wheels come from find_links and uv's cache only.
    """

    name: str
    flavour: str
    version: str
    provider: Provider
    role: Role
    python: str | None = None
    cuda: Cuda | None = None
    index: str | None = None
    find_links: tuple[Path, ...] = ()
    offline: bool = False
    image: Image | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """A target that is ready to run.

    deps: folder with pytest, pytest-benchmark and numpy for this Python; belongs behind the
    target's own packages on sys.path. env: to be added to the process's variables.
    fingerprint: sha256 over the exact distributions, Python and platform, and the image's id.
    cached: nothing had to be made. launcher: starts the target's containers; `python` is a path
    inside them then. facts: what every record of the target says of it besides.
    """

    target: TargetSpec
    python: Path
    deps: Path
    env: Mapping[str, str]
    fingerprint: str
    cached: bool
    launcher: Launcher | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A target that cannot be had here, with a stable reason and the way out in words."""

    target: TargetSpec
    reason: Reason
    message: str
    log: Path | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `note` is worth knowing, `missing` stops the target or a part of it."""

    about: Literal[
        "release",
        "python",
        "wheels",
        "environment",
        "module",
        "driver",
        "gpu",
        "disk",
        "engine",
        "image",
    ]
    level: Literal["ok", "note", "missing"]
    text: str
