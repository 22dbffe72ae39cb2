"""How a pinned runtime is reached: the release catalogue, and an environment per target.

Imports nothing of this project but its errors and the suite's question to the NVIDIA driver.
`provide` is the way in: it returns an Environment that is ready to run, or an Unavailable that says
why not and what to do. `examine` says beforehand what is missing.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compat.targets import containers, local, wheel
from compat.targets import uv as _uv
from compat.targets.catalogue import Catalogue, Recipe, Release, catalogue
from compat.targets.checkup import examine
from compat.targets.containers import Container, Mounts, pin_line
from compat.targets.doctor import doctor
from compat.targets.failure import unavailable
from compat.targets.spec import (
    Environment,
    Finding,
    Image,
    Progress,
    Provider,
    Reason,
    Role,
    TargetError,
    TargetSpec,
    Unavailable,
)

__all__ = [
    "Catalogue",
    "Command",
    "Container",
    "Environment",
    "Finding",
    "Image",
    "Mounts",
    "Provider",
    "Reason",
    "Recipe",
    "Release",
    "Role",
    "TargetError",
    "TargetSpec",
    "Unavailable",
    "catalogue",
    "command",
    "doctor",
    "examine",
    "pin_line",
    "provide",
    "tidy",
]


def provide(
    target: TargetSpec,
    work: Path,
    *,
    progress: Progress,
    timeout_s: float = 900,
    releases: Catalogue | None = None,
) -> Environment | Unavailable:
    """Make one target ready in the work folder, or say why that cannot be.

    releases: the catalogue to use instead of the built-in one. Raises TargetError where no target
    could be made at all: no uv, or a work folder that cannot be written.
    """
    if not target.name or target.name.startswith(".") or "/" in target.name:
        message = f"target {target.name!r}: its name has to serve as the name of a folder."
        raise TargetError(message)
    uv = _uv.Uv(
        target=target,
        program=_uv.find(),
        log=work / "logs" / f"target-{target.name}.log",
        deadline=time.monotonic() + timeout_s,
        progress=progress,
    )
    ways = {"wheel": wheel.provide, "local": local.provide, "container": containers.provide}
    provider = ways[target.provider]
    try:
        return provider(uv, work, releases or catalogue())
    except TimeoutError as error:
        message = f"Another run holds {error} and did not end in {timeout_s:.0f} s."
        return unavailable(uv, "install-failed", message)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            message = f"{work}: {error.strerror}. Free some room, or give another work folder."
            return unavailable(uv, "disk-full", message)
        message = f"{error.filename or work}: {error.strerror}. Give another work folder."
        raise TargetError(message) from error


@dataclass(frozen=True, slots=True)
class Command:
    """What runs Python in a target: argv, variables to add, and the container it runs in, if any.

    With a container, argv and the variables are those inside: `Container.prefixed` starts it.
    """

    argv: list[str]
    env: Mapping[str, str]
    container: Container | None = None


def command(
    environment: Environment, args: Sequence[str], env: Mapping[str, str], mounts: Mounts
) -> Command:
    """Return what runs Python with these arguments in the target.

    env: added to the environment's own variables. mounts: what a container has to see.
    """
    argv, variables = [str(environment.python), *args], {**environment.env, **env}
    if environment.launcher is None:
        return Command(argv, variables)
    return Command(argv, {}, environment.launcher.container(mounts, variables))


def tidy(environments: Iterable[Environment]) -> None:
    """Remove what this process left with the container engines of its targets, if anything."""
    engines = {one.launcher.engine for one in environments if one.launcher is not None}
    for engine in engines:
        containers.sweep(engine, own=True)
