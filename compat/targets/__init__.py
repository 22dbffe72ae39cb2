"""How a pinned runtime is reached: the release catalogue, and an environment per target.

Imports nothing of this project but its errors and the suite's question to the NVIDIA driver.
`provide` is the way in: it returns an Environment that is ready to run, or an Unavailable that says
why not and what to do. `examine` says beforehand what is missing.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from pathlib import Path

from compat.targets import local, wheel
from compat.targets import uv as _uv
from compat.targets.catalogue import Catalogue, Recipe, Release, catalogue
from compat.targets.checkup import examine
from compat.targets.doctor import doctor
from compat.targets.failure import unavailable
from compat.targets.spec import (
    Environment,
    Finding,
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
    "Environment",
    "Finding",
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
    "provide",
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
    if target.provider == "container":
        message = "Container targets are not part of this release; use provider wheel or local."
        return unavailable(uv, "provider-not-ready", message)
    provider = wheel.provide if target.provider == "wheel" else local.provide
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


def command(environment: Environment, args: Sequence[str]) -> list[str]:
    """Return the argv that runs Python with these arguments in the target."""
    return [str(environment.python), *args]
