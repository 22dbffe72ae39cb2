"""What the doctor finds of a container target: engine, image, digest, what is inside, GPUs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from compat.suite.driver import Driver
from compat.targets import gpus as needs
from compat.targets.catalogue import Catalogue
from compat.targets.containers import engine as engines
from compat.targets.containers import images, provider
from compat.targets.containers.engine import Trouble
from compat.targets.containers.inside import Inside
from compat.targets.containers.launch import cannot_mount
from compat.targets.facts import facts
from compat.targets.spec import Finding, TargetSpec
from compat.targets.suggestion import image_of


def examine(
    target: TargetSpec,
    work: Path,
    driver: Driver,
    catalogue: Catalogue,
    log: Path,
    packages: Callable[[str, str], Iterator[Finding]],
) -> Iterator[Finding]:
    """Yield what a container target finds on this machine; the image is started once to ask it.

    packages: looks for the suite's own, for a Python ("3.10") and what uv calls its platform.
    """
    image = provider.image_of(target)
    if text := cannot_mount([work]):
        yield Finding("disk", "missing", text)
        return
    working = engines.find(image.engine)
    if isinstance(working, Trouble):
        yield Finding("engine", "missing", working.message)
        return
    found = images.find(working, image)
    if isinstance(found, Trouble):
        yield Finding("engine", "ok", ", ".join(map(str, working)))
        can_pull = found.reason == "image-missing" and image.pull and not target.offline
        yield Finding("image", "note" if can_pull else "missing", _to_come(found, can_pull))
        return
    engine, picture = found
    yield Finding("engine", "ok", str(engine))
    if not image.is_pinned:
        yield Finding("image", "note", f"{image.name}: {provider.not_pinned(picture)}")
    else:
        yield Finding("image", "ok", f"{image.name} is the pinned one, {picture.digest}")
    asked = provider.look_inside(target, engine, picture, catalogue, log)
    if isinstance(asked, Trouble):
        is_engine = asked.reason == "gpu-not-passed"
        yield Finding("engine" if is_engine else "module", "missing", asked.message)
        return
    launcher, said = asked
    yield Finding("module", "ok", _what(target, said))
    platform = said.platform()
    if isinstance(platform, Trouble):
        yield Finding("python", "missing", platform.message)
    else:
        yield from packages(said.minor, platform)
    if launcher.gpus:
        yield Finding("engine", "ok", f"{' '.join(launcher.gpus)} shows it {said.gpus} GPUs")
    row = image_of(facts(), image.name)
    yield from needs.examine(target, said.known("cuda") or None, driver, row)


def pin_line(target: TargetSpec) -> str:
    """Return "" for a target that is pinned, else that it is not, with the line that pins it."""
    image = target.image
    if image is None or image.is_pinned:
        return ""
    working = engines.find(image.engine)
    found = working if isinstance(working, Trouble) else images.find(working, image)
    if isinstance(found, Trouble):
        return f"its image is not pinned ({found.message})"
    return provider.not_pinned(found[1])


def _to_come(trouble: Trouble, can_pull: bool) -> str:
    return "the image is not here; a run will pull it" if can_pull else trouble.message


def _what(target: TargetSpec, said: Inside) -> str:
    facts, cuda, cudnn = said.facts, said.known("cuda"), said.known("cudnn")
    parts = [f"{target.flavour} {said.full}", f"Python {facts['python']}", facts["os"]]
    parts += [facts["libc"], f"CUDA {cuda}" if cuda else "", f"cuDNN {cudnn}" if cudnn else ""]
    parts += [f"trtexec at {facts['trtexec']}" if facts["trtexec"] else ""]
    return ", ".join(part for part in parts if part)
