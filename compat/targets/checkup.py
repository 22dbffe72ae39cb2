"""What one target needs, and what of it is here: asked in seconds, nothing installed."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from compat.suite.driver import Driver
from compat.targets import containers, deps, gpus, interpreter, local, wheel
from compat.targets import uv as uvs
from compat.targets.catalogue import Catalogue, Recipe
from compat.targets.spec import Finding, Progress, TargetSpec, Unavailable

_LIMIT_S = 120.0
# TensorRT 8.6.0 is 0.8 GB of wheels, its cuDNN 0.7 GB, both once more in uv's cache.
_ROOM_GB = {"tensorrt": 5.0}
_SMALL_ROOM_GB = 0.5


def examine(
    target: TargetSpec, work: Path, driver: Driver, catalogue: Catalogue, progress: Progress
) -> list[Finding]:
    """Look at all that a target needs on this machine.

    Args:
        target: as the configuration asks for it.
        work: the work folder, which need not be there.
        driver: what this machine's NVIDIA driver said.
        catalogue: the releases known.
        progress: told what takes longer.

    Raises:
        TargetError: uv is not here, so no target can be made at all.
    """
    log = work / "logs" / f"doctor-{target.name}.log"
    uv = uvs.Uv(target, uvs.find(), log, time.monotonic() + _LIMIT_S, progress)
    if target.provider == "container":

        def packages(minor: str, platform: str) -> Iterator[Finding]:
            return _suite(uv, work, catalogue, minor, [], platform)

        return list(containers.examine(target, work, driver, catalogue, log, packages))
    if target.provider == "local":
        python = local.interpreter(target.python, sys.executable)
        answer = local.ask(uv, python, catalogue, {})
        if isinstance(answer, Unavailable):
            return [Finding("module", "missing", answer.message)]
        said = f"{target.flavour} {answer.full} on Python {answer.python}"
        suite = _suite(uv, work, catalogue, answer.minor, [])
        return [Finding("module", "ok", said), *suite, *gpus.examine(target, None, driver)]
    way = wheel.way(uv, catalogue)
    if isinstance(way, Unavailable):
        return [Finding("release", "missing", way.message)]
    return [*_environment(uv, work, way, catalogue), *gpus.examine(target, way.cuda, driver)]


def _environment(uv: uvs.Uv, work: Path, way: wheel.Way, catalogue: Catalogue) -> Iterator[Finding]:
    wanted = uv.target.python
    chosen = interpreter.choose(wanted, way.pythons, interpreter.found(uv))
    needed = chosen.version if chosen else wanted or way.pythons[-1]
    minor = ".".join(needed.split(".")[:2])
    recipe = catalogue.recipe(way.release, way.cuda, minor)
    yield from _release(way, recipe)
    if wheel.stands(uv, work, way, catalogue):
        yield Finding("environment", "ok", f"stands in {work / 'envs' / uv.target.name}")
        if problem := deps.problem(catalogue, minor):
            yield Finding("python", "missing", problem)
        return
    if chosen is not None:
        yield Finding("python", "ok", f"Python {needed}")
    elif uv.target.offline:
        names = wanted or " or ".join(way.pythons)
        text = f"Python {names} is not here: install it (pyenv, uv python install {needed})"
        yield Finding("python", "missing", text)
    else:
        yield Finding("python", "note", f"Python {needed} is not here; uv will try to fetch it")
    yield from _suite(uv, work, catalogue, minor, [recipe])
    yield _disk(uv.target, work)


def _release(way: wheel.Way, recipe: Recipe) -> Iterator[Finding]:
    pins = ", ".join(recipe.pins)
    if way.release.listed:
        yield Finding("release", "ok", f"pinned: {pins}")
    else:
        text = f"no row of the catalogue; tried by the flavour's rule, without digests: {pins}"
        yield Finding("release", "note", text)
    for link, aim in way.release.beside.items():
        yield Finding("release", "note", f"{link} is laid beside it, as a link to {aim}")


def _suite(
    uv: uvs.Uv,
    work: Path,
    catalogue: Catalogue,
    minor: str,
    recipes: Sequence[Recipe],
    platform: str = "",
) -> Iterator[Finding]:
    """Look for the wheels of recipes, and for the suite's own where they are not laid out yet.

    platform: what uv calls that of an image, "" for this machine.
    """
    if problem := deps.problem(catalogue, minor):
        yield Finding("python", "missing", problem)
    elif deps.stand(work, catalogue, minor, platform):
        yield Finding("wheels", "ok", f"the suite's packages for Python {minor} are laid out")
    else:
        recipes = [*recipes, catalogue.suite_recipe(minor)]
    if recipes:
        yield _wheels(uv, recipes, minor, platform)


def _wheels(uv: uvs.Uv, recipes: Sequence[Recipe], minor: str, platform: str) -> Finding:
    """Let uv resolve as it would for the installation: no index, no wheel, no digest is guessed."""
    lacking = [str(folder) for folder in uv.target.find_links if not folder.is_dir()]
    if lacking:
        text = f"find-links {', '.join(lacking)}: no such folder; correct the path or make it"
        return Finding("wheels", "missing", text)
    count = 0
    for recipe in recipes:
        load = deps.to_download(uv, recipe, minor, platform)
        if isinstance(load, Unavailable):
            return Finding("wheels", "missing", load.message)
        count += load
    if count and uv.target.offline:
        text = f"{count} of the wheels are not here: run once with a network, or use find-links"
        return Finding("wheels", "missing", text)
    if count:
        return Finding("wheels", "note", f"{count} of the wheels have to be downloaded")
    return Finding("wheels", "ok", "all wheels are in find-links or in uv's cache")


def _disk(target: TargetSpec, work: Path) -> Finding:
    place = next(one for one in (work, *work.absolute().parents) if one.exists())
    free = shutil.disk_usage(place).free / 1e9
    needed = _ROOM_GB.get(target.flavour, _SMALL_ROOM_GB)
    if free >= needed:
        return Finding("disk", "ok", f"{free:.0f} GB free in {place}")
    text = f"{free:.1f} GB free in {place}, about {needed:g} GB are needed: make room or use --work"
    return Finding("disk", "missing", text)
