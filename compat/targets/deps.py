"""The suite's own packages, in a folder per Python that is shared by all targets of that Python."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from platform import machine

from compat.targets import stamp
from compat.targets.catalogue import Catalogue, Recipe
from compat.targets.failure import failed, unavailable
from compat.targets.process import Outcome
from compat.targets.spec import Unavailable
from compat.targets.uv import Uv

_TO_DOWNLOAD = re.compile(r"Would download (\d+) package")


def folder(
    uv: Uv, work: Path, catalogue: Catalogue, python: Path, minor: str
) -> Path | Unavailable:
    """Return the folder with what the suite itself needs, for an interpreter; make it once.

    minor: the interpreter's version as "3.11".
    """
    if message := problem(catalogue, minor):
        return unavailable(uv, "interpreter-missing", message)
    return _laid(uv, work, catalogue, minor, "", ("--python", str(python)))


def folder_for(
    uv: Uv, work: Path, catalogue: Catalogue, minor: str, platform: str
) -> Path | Unavailable:
    """Return the same for an interpreter that uv cannot start, such as one inside an image.

    platform: what uv calls its machine and C library, such as "x86_64-manylinux_2_28".
    """
    if message := problem(catalogue, minor):
        return unavailable(uv, "interpreter-missing", message)
    where = ("--python-version", minor, "--python-platform", platform)
    return _laid(uv, work, catalogue, minor, platform, ("--python", sys.executable, *where))


def _laid(
    uv: Uv, work: Path, catalogue: Catalogue, minor: str, platform: str, choice: Sequence[str]
) -> Path | Unavailable:
    """Lay the suite's packages out once. choice: uv's options that say for which interpreter."""
    recipe = catalogue.suite_recipe(minor)
    path, identity = _place(work, catalogue, minor, platform)
    if stamp.read(path, identity) is not None:
        return path
    with stamp.locked(path, uv.deadline, uv.progress) as lock:
        if stamp.read(path, identity) is not None:
            return path
        stamp.clear(path)
        path.mkdir(parents=True)
        uv.progress(f"{uv.target.name}: laying out the suite's packages for Python {minor}")
        options = [*choice, "--target", str(path)]
        outcome = _install(replace(uv, lock=lock), recipe, options)
        failure = _failure(uv, recipe, outcome)
        if failure is None:
            stamp.write(path, identity, {"python": minor})
            return path
    return failure


def problem(catalogue: Catalogue, minor: str) -> str:
    """Return why the suite does not run on a Python ("3.11"); empty where it does."""
    if minor in catalogue.suite:
        return ""
    known = ", ".join(catalogue.suite)
    return f"Python {minor} is not one that the suite runs on ({known})."


def stand(work: Path, catalogue: Catalogue, minor: str, platform: str = "") -> bool:
    """Say whether the folder of a Python that the suite runs on is there and whole.

    platform: as for `folder_for`, "" for an interpreter of this machine.
    """
    path, identity = _place(work, catalogue, minor, platform)
    return stamp.read(path, identity) is not None


def _place(work: Path, catalogue: Catalogue, minor: str, platform: str) -> tuple[Path, str]:
    """Return the folder and the digest of what belongs into it."""
    lines = catalogue.suite_recipe(minor).lines()
    identity = stamp.digest([lines, minor, platform or machine()])
    return work / "deps" / f"py{minor}-{identity[:12]}", identity


def install(uv: Uv, recipe: Recipe, python: Path, into: Path | None) -> Unavailable | None:
    """Install a recipe's wheels, never a source package; into=None is the environment itself."""
    options = [] if into is None else ["--target", str(into)]
    return _failure(uv, recipe, _install(uv, recipe, ["--python", str(python), *options]))


def _failure(uv: Uv, recipe: Recipe, outcome: Outcome) -> Unavailable | None:
    return None if outcome.code == 0 and not outcome.timed_out else failed(uv, recipe, outcome)


def to_download(uv: Uv, recipe: Recipe, minor: str, platform: str = "") -> int | Unavailable:
    """Return how many wheels of a recipe are not here yet, for a Python ("3.10"); install nothing.

    platform: as for `folder_for`, "" for this machine.
    """
    count = _dry_run(uv, recipe, minor, platform)
    here = {pin for folder in uv.target.find_links for pin in _pins(folder)}
    rest = tuple(pin for pin in recipe.pins if pin not in here)
    if isinstance(count, Unavailable) or not count or len(rest) == len(recipe.pins):
        return count
    # uv counts the wheels of find-links as downloads.
    return _dry_run(uv, replace(recipe, pins=rest), minor, platform) if rest else 0


def _dry_run(uv: Uv, recipe: Recipe, minor: str, platform: str) -> int | Unavailable:
    with tempfile.TemporaryDirectory() as folder:
        # Any interpreter will do: the wheels are chosen for `minor`.
        where = ["--python", sys.executable, "--python-version", minor, "--target", folder]
        where += ["--python-platform", platform] if platform else []
        outcome = _install(uv, recipe, ["--dry-run", *where])
    if outcome.code != 0 or outcome.timed_out:
        return failed(uv, recipe, outcome)
    found = _TO_DOWNLOAD.search(outcome.output)
    return int(found[1]) if found else 0


def _pins(folder: Path) -> Iterator[str]:
    """Yield name and version of every wheel in a folder, as a pin has them."""
    for path in folder.glob("*-*-*-*-*.whl"):
        name, version = path.name.split("-")[:2]
        yield f"{name.replace('_', '-').lower()}=={version}"


def _install(uv: Uv, recipe: Recipe, more: Sequence[str]) -> Outcome:
    options = [
        "--only-binary",
        ":all:",
        "--no-python-downloads",
        *uv.sources(),
        *more,
    ]
    if not recipe.resolve:
        options.append("--no-deps")
    if recipe.complete:
        options.append("--require-hashes")
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as requirements:
        requirements.write(recipe.lines())
        requirements.flush()
        return uv.call("pip", "install", *options, "--requirements", requirements.name)
