"""The suite's own packages, in a folder per Python that is shared by all targets of that Python."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import replace
from pathlib import Path

from compat.targets import stamp
from compat.targets.catalogue import Catalogue, Recipe
from compat.targets.failure import failed, unavailable
from compat.targets.spec import Unavailable
from compat.targets.uv import Uv


def folder(
    uv: Uv, work: Path, catalogue: Catalogue, python: Path, minor: str
) -> Path | Unavailable:
    """Return the folder with what the suite itself needs, for an interpreter; make it once.

    minor: the interpreter's version as "3.11".
    """
    if minor not in catalogue.suite:
        known = ", ".join(catalogue.suite)
        message = f"Python {minor} is not one that the suite runs on ({known})."
        return unavailable(uv, "interpreter-missing", message)
    recipe = catalogue.suite_recipe(minor)
    identity = stamp.digest([recipe.lines(), minor, platform.machine()])
    path = work / "deps" / f"py{minor}-{identity[:12]}"
    if stamp.read(path, identity) is not None:
        return path
    with stamp.locked(path, uv.deadline, uv.progress) as lock:
        if stamp.read(path, identity) is not None:
            return path
        stamp.clear(path)
        path.mkdir(parents=True)
        uv.progress(f"{uv.target.name}: laying out the suite's packages for Python {minor}")
        failure = install(replace(uv, lock=lock), recipe, python, path)
        if failure is None:
            stamp.write(path, identity, {"python": minor})
            return path
    return failure


def install(uv: Uv, recipe: Recipe, python: Path, into: Path | None) -> Unavailable | None:
    """Install a recipe's wheels, never a source package; into=None is the environment itself."""
    options = [
        "--python",
        str(python),
        "--only-binary",
        ":all:",
        "--no-python-downloads",
        *uv.sources(),
    ]
    if into is not None:
        options += ["--target", str(into)]
    if not recipe.resolve:
        options.append("--no-deps")
    if recipe.complete:
        options.append("--require-hashes")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write(recipe.lines())
        requirements.flush()
        outcome = uv.call("pip", "install", *options, "--requirements", requirements.name)
    return None if outcome.code == 0 and not outcome.timed_out else failed(uv, recipe, outcome)
