"""Provider `local`: an interpreter as it is, nothing installed into it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from compat.targets import deps, probe
from compat.targets.catalogue import Catalogue
from compat.targets.failure import unavailable
from compat.targets.spec import Environment, Unavailable
from compat.targets.uv import Uv


def provide(uv: Uv, work: Path, catalogue: Catalogue) -> Environment | Unavailable:
    """Return the environment around an interpreter, after asking it for its version."""
    python = interpreter(uv.target.python, sys.executable)
    answer = ask(uv, python, catalogue, {})
    if isinstance(answer, Unavailable):
        return answer
    laid = deps.folder(uv, work, catalogue, python, answer.minor)
    if isinstance(laid, Unavailable):
        return laid
    # Absolute, but not resolved: the link in a virtual environment is what makes it one.
    return Environment(
        uv.target,
        python.absolute(),
        laid.absolute(),
        {},
        answer.fingerprint,
        cached=True,
        facts=answer.facts(),
    )


def interpreter(named: str | None, own: str) -> Path:
    """Return the interpreter that a target names by path or by its name on PATH; else `own`."""
    if named is None:
        return Path(own)
    found = shutil.which(named) if "/" not in named else None
    return Path(found or named).expanduser()


def ask(
    uv: Uv, python: Path, catalogue: Catalogue, variables: Mapping[str, str]
) -> probe.Answer | Unavailable:
    """Ask an interpreter for the runtime of uv's target, which must be of the target's version."""
    target = uv.target
    release = catalogue.find(target.flavour, target.version)
    if release is None:
        message = f"{target.flavour} is not a flavour of the catalogue."
        return unavailable(uv, "version-not-found", message)
    if not python.is_file():
        message = (
            f"{python} does not exist. Give the path of an interpreter in the target's python."
        )
        return unavailable(uv, "interpreter-missing", message)
    answer = _ask(uv, python, _modules(target.flavour, release.module), variables)
    if isinstance(answer, Unavailable) or target.version in (answer.version, answer.full):
        return answer
    message = (
        f"{python} has {target.flavour} {answer.full}, and the target says "
        f"{target.version}. Correct the version, or name another interpreter in the "
        "target's python."
    )
    return unavailable(uv, "version-differs", message)


def _modules(flavour: str, module: str) -> tuple[str, ...]:
    """Return the import names to try: other ways of installing bring the facade module."""
    facade = flavour.startswith("tensorrt") and module != flavour
    return (module, flavour) if facade else (module,)


def _ask(
    uv: Uv, python: Path, modules: tuple[str, ...], variables: Mapping[str, str]
) -> probe.Answer | Unavailable:
    for module in modules:
        answer = probe.ask(uv, python, module, variables)
        if isinstance(answer, str):
            return unavailable(uv, "interpreter-missing", f"{answer}.")
        if answer.error is None:
            return answer
        if not answer.missing:
            message = f"{python} cannot import {module}: {answer.error}"
            return unavailable(uv, "install-failed", message)
    message = f"{python} has no module {' or '.join(modules)}."
    return unavailable(uv, "version-not-found", message)
