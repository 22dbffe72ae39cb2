"""The targets of a first matrix: what this machine can really run, and why each is there."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version
from pydantic import ValidationError

from compat.config import TargetConfig
from compat.starting.surroundings import Surroundings
from compat.suite.driver import Driver
from compat.targets import Release, TargetSpec, catalogue, gpus
from compat.targets.facts import Image, facts

IMAGE = "nvcr.io/nvidia/tensorrt"
# No kernels for Blackwell before it: CUDA 12.8 is the first that compiles for sm_100 and sm_120,
# and the first image with CUDA 12.8 has TensorRT 10.8 (tags 24.12 and 25.01).
_FIRST_BLACKWELL = Version("10.8")
_BLACKWELL = 100
# The newest release whose whole wheels stand on the public index knows no GPU after Hopper.
_LAST_OF_OLD_WHEELS = 90


@dataclass(frozen=True, slots=True)
class Target:
    """One table of ``compat.toml``; `why` is the comment above it, `keys` what it says besides."""

    name: str
    flavour: str
    version: str
    role: str
    why: str
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proposal:
    """The targets, and notes on what is not among them."""

    targets: tuple[Target, ...]
    notes: tuple[str, ...]


def propose(found: Surroundings, folder: Path) -> Proposal:
    """Return targets for a machine: TensorRT where it can run, and what runs everywhere."""
    targets: list[Target] = []
    notes: list[str] = []
    installed = _installed(found, folder, notes)
    if installed is not None:
        targets.append(installed)
    if found.has_gpu and found.engine:
        targets += _images(found, installed)
    elif found.has_gpu and installed is None:
        targets += _old_wheel(found.driver)
    targets += _rtx(found, notes)
    targets += _pair(_newest("onnxruntime"), "ort", "ONNX Runtime on the CPU, from wheels")
    return Proposal(tuple(targets), (*notes, *_absent(found)))


def _installed(found: Surroundings, folder: Path, notes: list[str]) -> Target | None:
    """Return the TensorRT that is installed as what is in production now."""
    if found.installed is None:
        return None
    version, python = found.installed.version, found.installed.python
    try:
        said = {"flavour": "tensorrt", "version": version, "provider": "local"}
        TargetConfig.model_validate(said)
    except ValidationError:
        notes.append(
            f"{python} has TensorRT {version}, which does not tell all four parts of its version; "
            "a target needs them, because the last one counts for compatibility."
        )
        return None
    inside = python.is_relative_to(folder)
    return Target(
        name=f"trt-{version}",
        flavour="tensorrt",
        version=version,
        role="current",
        why=f"TensorRT as it is installed in Python {found.installed.python_version}: what you "
        "have now. Nothing is installed into that interpreter.",
        keys={
            "provider": "local",
            "python": str(python.relative_to(folder) if inside else python),
        },
    )


def _images(found: Surroundings, installed: Target | None) -> Iterator[Target]:
    """Yield the images to compare that this driver and GPU take; one where TensorRT is installed.

    Tags say less than images do: the version is asked inside, and must be the one written here.
    """
    images = [image for image in _known_images() if _runs(image, found.driver)]
    if installed is not None:
        own = Version(installed.version)
        images = [image for image in images if Version(str(image.tensorrt)) > own]
    chosen = images[-1:] if installed is not None else _pair_of(images)
    for image in chosen:
        last = image is chosen[-1] and (installed is not None or len(chosen) > 1)
        yield Target(
            name=f"trt-{image.tensorrt}",
            flavour="tensorrt",
            version=str(image.tensorrt),
            role="candidate" if last else "current",
            why="What you may move to." if last else "Write here the image that you use now.",
            keys={"provider": "container", "image": f"{IMAGE}:{image.tag}-py3"},
        )


def _pair_of(images: Sequence[Image]) -> Sequence[Image]:
    """Return the newest, and before it the newest of the major version before, if there is one."""
    majors = [Version(str(image.tensorrt)).major for image in images]
    older = [image for image, major in zip(images, majors, strict=True) if major < majors[-1]]
    return [*older[-1:], images[-1]] if older else images[-2:]


def _known_images() -> list[Image]:
    """Return an image for each TensorRT that somebody has seen in one, the oldest version first.

    A target is pinned to four parts, so an image of which fewer are told is not proposed.
    """
    found = {
        image.tensorrt: image
        for image in facts().images
        if image.tensorrt and image.tensorrt.count(".") == 3 and image.confidence != "memory"
    }
    return sorted(found.values(), key=lambda image: Version(str(image.tensorrt)))


def _runs(image: Image, driver: Driver) -> bool:
    version = str(image.tensorrt)
    if _capability(driver) >= _BLACKWELL and Version(version) < _FIRST_BLACKWELL:
        return False
    return _takes("tensorrt", version, image.cuda.split(".")[0], driver)


def _takes(flavour: str, version: str, cuda: str | None, driver: Driver) -> bool:
    """Say whether neither the driver nor the first GPU stands in the way of a release."""
    spec = TargetSpec("", flavour, version, "wheel", "other")
    first = driver._replace(gpus=driver.gpus[:1])
    return all(one.level != "missing" for one in gpus.examine(spec, cuda, first))


def _capability(driver: Driver) -> int:
    return int(driver.gpus[0].arch.removeprefix("sm_"))


def _old_wheel(driver: Driver) -> Iterator[Target]:
    """Yield the newest TensorRT that the public package index has as a whole."""
    if _capability(driver) > _LAST_OF_OLD_WHEELS:
        return
    for release in _newest("tensorrt")[-1:]:
        yield Target(
            name=f"trt-{release.version}",
            flavour="tensorrt",
            version=release.version,
            role="current",
            why="The newest TensorRT that the public package index has as a whole; later ones need "
            "Docker, Podman or NVIDIA's own index. Its wheels are for CPython 3.10 and older.",
        )


def _rtx(found: Surroundings, notes: list[str]) -> list[Target]:
    pair = _newest("tensorrt_rtx")
    if found.has_gpu and pair and not _takes("tensorrt_rtx", pair[-1].version, None, found.driver):
        gpu = found.driver.gpus[0]
        notes.append(f"TensorRT-RTX is left out: it loads no engine on {gpu.name} ({gpu.arch}).")
        return []
    what = "TensorRT-RTX, the edition for consumer and workstation GPUs, from wheels"
    if not found.has_gpu:
        what += ". Its builder needs no GPU; loading an engine does"
    return _pair(pair, "rtx", what)


def _newest(flavour: str) -> list[Release]:
    """Return the newest release of the two newest lines ("1.31") with wheels for this processor."""
    known, machine = catalogue(), platform.machine()
    usable = [
        release
        for release in known.releases
        if release.flavour == flavour
        and any(
            known.has_wheels(known.recipe(release, cuda, python), python, machine)
            for cuda in list(release.pins)[:1]
            for python in release.pythons
        )
    ]
    usable.sort(key=lambda release: Version(release.version))
    return list({_line(release): release for release in usable}.values())[-2:]


def _line(release: Release) -> str:
    return ".".join(release.version.split(".")[:2])


def _pair(releases: Sequence[Release], prefix: str, what: str) -> list[Target]:
    """Return two releases as current and candidate."""
    names = [f"{prefix}-{_line(release)}" for release in releases]
    whys = [f"{what}. The line before the newest.", "The newest one."]
    rows = zip(names, releases, ("current", "candidate"), whys, strict=False)
    return [
        Target(name, release.flavour, release.version, role, why)
        for name, release, role, why in rows
    ]


def _absent(found: Surroundings) -> Iterator[str]:
    if not found.has_gpu:
        yield f"No GPU can be used here: {found.driver.problem}. Full TensorRT needs one."
    if found.engine is None:
        yield "Neither Docker nor Podman is on PATH, so no target is an image."
