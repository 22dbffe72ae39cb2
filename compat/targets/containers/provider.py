"""From a container target to an Environment: engine, image, what is in it, the suite's packages."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path

from compat.suite.driver import probe
from compat.targets import deps, stamp
from compat.targets.catalogue import Catalogue
from compat.targets.containers import engine as engines
from compat.targets.containers import gpus, images, inside, owner, question
from compat.targets.containers.engine import Engine, Trouble
from compat.targets.containers.images import Found
from compat.targets.containers.inside import Inside
from compat.targets.containers.launch import Launcher, cannot_mount
from compat.targets.failure import unavailable
from compat.targets.spec import Environment, Image, TargetSpec, Unavailable
from compat.targets.uv import Uv

_PYTHONS = ("python3", "python")


def provide(uv: Uv, work: Path, catalogue: Catalogue) -> Environment | Unavailable:
    """Return the environment inside an image, after asking the image what it holds."""
    target, image = uv.target, image_of(uv.target)
    if text := cannot_mount([work]):
        return unavailable(uv, "platform", text)
    found = _image(uv, image)
    if isinstance(found, Trouble):
        return _refusal(uv, found)
    engine, picture = found
    _swept(engine)
    if not image.is_pinned:
        uv.progress(f"target {target.name}: {not_pinned(picture)}")
    asked = _known(uv, work, engine, picture, catalogue)
    if isinstance(asked, Trouble):
        return _refusal(uv, asked)
    launcher, said = asked
    laid = _packages(uv, work, catalogue, said)
    if isinstance(laid, Unavailable):
        return laid
    named = {"image": image.name, "digest": picture.digest, "engine": str(engine)}
    pinned = "yes" if image.is_pinned else f'no; write digest = "{picture.digest}"'
    facts = {**named, "pinned": pinned, **said.record()}
    return Environment(
        target,
        Path(launcher.python),
        laid.absolute(),
        {},
        said.fingerprint(picture.id),
        cached=True,
        launcher=launcher,
        facts=facts,
    )


def image_of(target: TargetSpec) -> Image:
    """Return a container target's image, which the configuration makes sure of."""
    assert target.image is not None, f"{target.name}: a container target without an image"
    return target.image


def not_pinned(found: Found) -> str:
    """Return the words for an image that is taken as it is, with the line that pins it."""
    return f'its image is not pinned; to pin it write: digest = "{found.digest}"'


def _modules(catalogue: Catalogue, target: TargetSpec) -> tuple[str, ...] | Trouble:
    """Return the import names to try: the wheels' own module, else the one that users import."""
    release = catalogue.find(target.flavour, target.version)
    if release is None:
        return Trouble("version-not-found", f"{target.flavour} is not a flavour of the catalogue.")
    facade = target.flavour.startswith("tensorrt")
    return tuple(dict.fromkeys((release.module, *([target.flavour] if facade else []))))


def look_inside(
    target: TargetSpec, engine: Engine, found: Found, catalogue: Catalogue, log: Path
) -> tuple[Launcher, Inside] | Trouble:
    """Ask an image what it holds, and compare that with what the configuration says."""
    modules = _modules(catalogue, target)
    if isinstance(modules, Trouble):
        return modules
    image, driver = image_of(target), probe()
    options = gpus.options(image.gpus, engine, target, driver)
    launcher = Launcher(engine, target.name, found.id, image, options, found.entrypoint, "")
    programs = (target.python,) if target.python is not None else _PYTHONS
    unfit = functools.partial(deps.problem, catalogue)
    asked = inside.ask(launcher, programs, modules, unfit, log)
    if isinstance(asked, Trouble):
        return gpus.refused(engine, options, asked)
    program, said = asked
    wrong = inside.differs(target, said) or gpus.problem(engine, options, driver, said.gpus)
    return wrong or (replace(launcher, python=program), said)


def _image(uv: Uv, image: Image) -> tuple[Engine, Found] | Trouble:
    working = engines.find(image.engine)
    if isinstance(working, Trouble):
        return working
    found = images.find(working, image)
    if not isinstance(found, Trouble) or found.reason != "image-missing" or not image.pull:
        return found
    if uv.target.offline:
        return replace(found, message=f"{found.message} (this run is offline)")
    failure = images.pull(
        working[0], image, target=uv.target.name, log=uv.log, progress=uv.progress
    )
    return failure or images.find(working[:1], image)


def _known(
    uv: Uv, work: Path, engine: Engine, found: Found, catalogue: Catalogue
) -> tuple[Launcher, Inside] | Trouble:
    """Return what an image said, now or before: importing a large runtime takes seconds."""
    target, image = uv.target, image_of(uv.target)
    driver = probe()
    options = gpus.options(image.gpus, engine, target, driver)
    parts = [found.id, found.entrypoint, target.flavour, question.SCRIPT, target.python, options]
    identity = stamp.digest([*parts, str(engine), driver._asdict()])
    folder = work / "containers" / target.name
    kept = stamp.read(folder, identity)
    if kept is not None:
        said = Inside(json.loads(kept["facts"]), kept["version"], kept["full"])
        named = target.name, found.id, image, options, found.entrypoint, kept["python"]
        launcher = Launcher(engine, *named)
        return inside.differs(target, said) or (launcher, said)
    asked = look_inside(target, engine, found, catalogue, uv.log)
    if isinstance(asked, Trouble):
        return asked
    launcher, said = asked
    with stamp.locked(folder, uv.deadline, uv.progress):
        stamp.clear(folder)
        folder.mkdir(parents=True)
        facts = {"facts": json.dumps(said.facts), "version": said.version, "full": said.full}
        stamp.write(folder, identity, {**facts, "python": launcher.python})
    return asked


def _packages(uv: Uv, work: Path, catalogue: Catalogue, said: Inside) -> Path | Unavailable:
    platform = said.platform()
    if isinstance(platform, Trouble):
        return _refusal(uv, platform)
    return deps.folder_for(uv, work, catalogue, said.minor, platform)


@functools.cache
def _swept(engine: Engine) -> int:
    """Take away once what killed runs have left with an engine."""
    return owner.sweep(engine)


def _refusal(uv: Uv, trouble: Trouble) -> Unavailable:
    named = image_of(uv.target).name
    text = trouble.message
    known = trouble.reason.startswith("engine") or named in text
    return unavailable(uv, trouble.reason, text if known else f"{named}: {text}")
