"""Provider `wheel`: an environment of its own per target, made by uv from pinned wheels."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from compat.targets import deps, interpreter, probe, stamp
from compat.targets.catalogue import Catalogue, Recipe, Release
from compat.targets.failure import failed, unavailable
from compat.targets.interpreter import Interpreter
from compat.targets.spec import Environment, Unavailable
from compat.targets.uv import Uv

# The user's own site-packages and PYTHONPATH are no part of a pinned environment.
_ISOLATED = {"PYTHONNOUSERSITE": "1", "PYTHONPATH": ""}


@dataclass(frozen=True, slots=True)
class Way:
    """One target's way: the release, the CUDA and the Pythons that may carry it."""

    release: Release
    cuda: str
    pythons: tuple[str, ...]


def provide(uv: Uv, work: Path, catalogue: Catalogue) -> Environment | Unavailable:
    """Return the target's environment, made now or before."""
    plan = way(uv, catalogue)
    if isinstance(plan, Unavailable):
        return plan
    path = work / "envs" / uv.target.name
    identity = _identity(uv, path, plan, catalogue)
    facts = _ready(path, identity)
    if facts is not None:
        return _environment(uv, work, catalogue, plan, path, facts, cached=True)
    with stamp.locked(path, uv.deadline, uv.progress) as lock:
        facts = _ready(path, identity)
        cached = facts is not None
        made = facts or _make(replace(uv, lock=lock), path, identity, plan, catalogue)
    if isinstance(made, Unavailable):
        return made
    return _environment(uv, work, catalogue, plan, path, made, cached=cached)


def way(uv: Uv, catalogue: Catalogue) -> Way | Unavailable:
    """Return which release, CUDA and Pythons serve a target here, or why none does."""
    target = uv.target
    what = f"{target.flavour} {target.version}"
    near = ", ".join(catalogue.nearest(target.flavour, target.version))
    release = catalogue.find(target.flavour, target.version)
    if release is None or not release.pins:
        message = f"{what} is not in the catalogue of wheels. Nearest known: {near or 'none'}."
        return unavailable(uv, "version-not-found", message)
    cuda: str = target.cuda or next(iter(release.pins))
    if cuda not in release.pins:
        message = f"{what} has no wheels for CUDA {cuda}, only for {', '.join(release.pins)}."
        return unavailable(uv, "version-not-found", message)
    if not sys.platform.startswith("linux"):
        return unavailable(uv, "platform", f"{what}: wheel targets run on Linux only.")
    pythons = tuple(
        python
        for python in release.pythons
        if catalogue.has_wheels(catalogue.recipe(release, cuda, python), python, platform.machine())
    )
    if not pythons:
        message = f"{what} (CUDA {cuda}) has no wheels for Linux on {platform.machine()}."
        return unavailable(uv, "platform", message)
    wanted = target.python
    if wanted is not None and ".".join(wanted.split(".")[:2]) not in pythons:
        message = f"{what} has wheels for Python {', '.join(pythons)}, not for {wanted}."
        return unavailable(uv, "platform", message)
    return Way(release, cuda, pythons)


def stands(uv: Uv, work: Path, plan: Way, catalogue: Catalogue) -> bool:
    """Say whether the target's environment is there and whole."""
    path = work / "envs" / uv.target.name
    return _ready(path, _identity(uv, path, plan, catalogue)) is not None


def _identity(uv: Uv, path: Path, plan: Way, catalogue: Catalogue) -> str:
    """Return the digest of all that decides what the environment holds.

    Where the wheels come from matters only as long as they are not verified by digest.
    """
    target = uv.target
    recipes = [catalogue.recipe(plan.release, plan.cuda, python) for python in plan.pythons]
    parts: list[object] = [
        str(path.absolute()),
        target.flavour,
        target.version,
        target.python,
        platform.machine(),
        [recipe.lines() for recipe in recipes],
    ]
    if not all(recipe.complete for recipe in recipes):
        parts += [target.index, [_listing(folder) for folder in target.find_links]]
    return stamp.digest(parts)


def _listing(folder: Path) -> list[object]:
    files = sorted(folder.glob("*.whl")) if folder.is_dir() else []
    return [str(folder), [[one.name, one.stat().st_size, one.stat().st_mtime_ns] for one in files]]


def _ready(path: Path, identity: str) -> dict[str, str] | None:
    """Return the facts of a whole environment whose base interpreter is still the same file."""
    facts = stamp.read(path, identity)
    if facts is None or facts.get("base") != _base(path):
        return None
    return facts


def _python(path: Path) -> Path:
    return path / "bin" / "python"


def _base(path: Path) -> str | None:
    """Return what identifies the interpreter behind an environment; None if it is gone."""
    try:
        real = _python(path).resolve(strict=True)
        state = real.stat()
    except OSError:
        return None
    return f"{real} {state.st_size} {state.st_mtime_ns}"


def _make(
    uv: Uv, path: Path, identity: str, plan: Way, catalogue: Catalogue
) -> dict[str, str] | Unavailable:
    target = uv.target
    stamp.clear(path)
    missing = [str(folder) for folder in target.find_links if not folder.is_dir()]
    if missing:
        message = f"The wheel folder {missing[0]} (find-links of {target.name}) does not exist."
        return unavailable(uv, "install-failed", message)
    base = _interpreter(uv, plan)
    if isinstance(base, Unavailable):
        return base
    recipe = catalogue.recipe(plan.release, plan.cuda, base.minor)
    packages = f"{len(recipe.pins)} packages" if len(recipe.pins) > 1 else recipe.pins[0]
    uv.progress(f"{target.name}: making its environment (Python {base.version}, {packages})")
    failure = _install(uv, path, base, recipe)
    if failure is not None:
        return _with_nearest(uv, failure, catalogue)
    lay_beside(_site(path, base.minor), plan.release.beside)
    answer = _ask(uv, path, base, plan.release)
    if isinstance(answer, Unavailable):
        return answer
    facts = {
        "base": _base(path) or "",
        "fingerprint": answer.fingerprint,
        "python": answer.python,
        "version": target.version,
    }
    stamp.write(path, identity, facts)
    return facts


def _interpreter(uv: Uv, plan: Way) -> Interpreter | Unavailable:
    here = interpreter.found(uv)
    wanted = uv.target.python
    chosen = interpreter.choose(wanted, plan.pythons, here)
    if chosen is not None:
        return chosen
    fetched = interpreter.fetch(uv, wanted or plan.pythons[-1])
    if isinstance(fetched, Interpreter):
        return fetched
    needs = wanted or f"one of {', '.join(plan.pythons)}"
    seen = ", ".join(dict.fromkeys(one.version for one in here)) or "none"
    message = (
        f"{uv.target.flavour} {uv.target.version} needs Python {needs}; found here: {seen}. "
        f"uv could not fetch one ({fetched}). Install it (for example with pyenv), or name "
        "another in the target's python."
    )
    return unavailable(uv, "interpreter-missing", message)


def _install(uv: Uv, path: Path, base: Interpreter, recipe: Recipe) -> Unavailable | None:
    made = uv.call(
        "venv", "--no-project", "--no-python-downloads", "--python", str(base.path), str(path)
    )
    if made.code != 0 or made.timed_out:
        return failed(uv, recipe, made)
    return deps.install(uv, recipe, _python(path), None)


def _with_nearest(uv: Uv, failure: Unavailable, catalogue: Catalogue) -> Unavailable:
    if failure.reason != "version-not-found":
        return failure
    near = ", ".join(catalogue.nearest(uv.target.flavour, uv.target.version))
    return replace(failure, message=f"{failure.message} Nearest known: {near}.")


def _ask(uv: Uv, path: Path, base: Interpreter, release: Release) -> probe.Answer | Unavailable:
    """Ask the new environment which version it really has."""
    settings = variables(path, base.minor, release)
    answer = probe.ask(uv, _python(path), release.module, settings)
    if isinstance(answer, str):
        return unavailable(uv, "install-failed", f"Installed, but {answer}.")
    if answer.error is not None:
        message = f"Installed, but {release.module} cannot be imported: {answer.error}"
        return unavailable(uv, "install-failed", message)
    if answer.version != release.version:
        message = (
            f"{release.flavour} {release.version} was asked for, and {release.module} says "
            f"that it is {answer.version}. Give the version as the module says it, or another "
            "index."
        )
        return unavailable(uv, "version-differs", message)
    return answer


def lay_beside(site: Path, beside: Mapping[str, str]) -> None:
    """Put the files that a release looks for under another name or in another folder there."""
    for target, source in beside.items():
        (site / target).unlink(missing_ok=True)
        (site / target).symlink_to(os.path.relpath(site / source, (site / target).parent))


def _site(path: Path, minor: str) -> Path:
    return path.absolute() / "lib" / f"python{minor}" / "site-packages"


def variables(path: Path, minor: str, release: Release) -> dict[str, str]:
    """Return what an environment in the folder `path` adds to its process's variables."""
    if not release.library_dirs:
        return dict(_ISOLATED)
    site = _site(path, minor)
    libraries = ":".join(str(site / one) for one in release.library_dirs)
    return {**_ISOLATED, "LD_LIBRARY_PATH": libraries}


def _environment(
    uv: Uv,
    work: Path,
    catalogue: Catalogue,
    plan: Way,
    path: Path,
    facts: dict[str, str],
    *,
    cached: bool,
) -> Environment | Unavailable:
    minor = ".".join(facts["python"].split(".")[:2])
    python = _python(path).absolute()
    laid = deps.folder(uv, work, catalogue, python, minor)
    if isinstance(laid, Unavailable):
        return laid
    return Environment(
        target=uv.target,
        python=python,
        deps=laid.absolute(),
        env=variables(path, minor, plan.release),
        fingerprint=facts["fingerprint"],
        cached=cached,
    )
