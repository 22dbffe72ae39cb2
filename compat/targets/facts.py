"""What is known of images, GPUs, drivers and JetPack: rows with source and confidence.

ngc.toml, gpus.toml, cuda.toml, jetpack.toml and pypi.toml, checked on load. Nothing here decides
what a target is: a container and an environment are asked for their versions when they are used.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from compat.targets.spec import TargetError

Confidence = Literal["documented", "measured", "reported", "memory"]
Numbers = tuple[int, ...]

IMAGE = "nvcr.io/nvidia/tensorrt"
_FOLDER = Path(__file__).parent


def numbers(version: str) -> Numbers:
    """Return the parts of a version, without a suffix such as ".post1"."""
    return tuple(int(part) for part in version.partition(".post")[0].split("."))


def _version(text: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)*(\.post\d+)?", text):
        raise ValueError(f"{text!r} is not a version such as 10.13.3.9")
    return text


def _tag(text: str) -> str:
    if not re.fullmatch(r"\d\d\.(0[1-9]|1[0-2])", text):
        raise ValueError(f"{text!r} is not a tag such as 24.08")
    return text


def _source(text: str) -> str:
    if not text.startswith(("https://", "tensorrt-facts")):
        raise ValueError("a source is a public address, or a section of tensorrt-facts")
    return text


Version = Annotated[str, AfterValidator(_version)]
Source = Annotated[str, AfterValidator(_source)]


class _Row(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
    )


class Claim(_Row):
    """Something said, by whom, and how sure that is."""

    source: Source
    confidence: Confidence
    note: str = ""


class Image(Claim):
    """One NGC image; the keys are explained in ngc.toml."""

    tag: Annotated[str, AfterValidator(_tag)]
    tensorrt: Version | None = None
    likely: Version | None = None
    cuda: Version
    cudnn: Version | None = None
    python: Version
    os: str
    driver: Version | None = None
    data_centre: tuple[Version, ...] = ()
    driver_source: Source | None = None
    stack_source: Source
    memory: tuple[str, ...] = ()

    @property
    def release(self) -> str | None:
        """The TensorRT release with as many parts as can be told."""
        return self.likely or self.tensorrt

    @property
    def reference(self) -> str:
        """What a container engine is asked for."""
        return f"{IMAGE}:{self.tag}-py3"


class Support(Claim):
    """Which releases of one flavour take a GPU; the keys are explained in gpus.toml."""

    added: Version | None = None
    first: Version | None = None
    named: Version | None = None
    named_source: Source | None = None
    dropped: Version | None = None
    refused: bool = False


class FirstDriver(Claim):
    """The first driver branch that knows a GPU."""

    branch: Version


class Capability(_Row):
    """All GPUs of one compute capability."""

    sm: int
    family: str
    names: tuple[str, ...] = ()
    data_centre: tuple[str, ...] = ()
    jetson: tuple[str, ...] = ()
    driver: FirstDriver | None = None
    tensorrt: Support
    tensorrt_rtx: Support | None = None


class Unlisted(_Row):
    """What holds for GPUs whose row says nothing of a flavour."""

    tensorrt_rtx: Support


class Toolkit(Claim):
    """A CUDA toolkit, or a whole major, and the Linux driver that it needs."""

    cuda: Version
    driver: Version


class Statement(Claim):
    """One sentence."""

    text: str


class Forward(Statement):
    """The forward compatibility package; `elsewhere` is what it does on GPUs not meant for it."""

    elsewhere: str


class JetPack(Claim):
    """One JetPack release; the keys are those of ngc.toml."""

    version: Version
    l4t: Version
    tensorrt: Version | None = None
    cuda: Version | None = None
    cudnn: Version | None = None
    python: Version | None = None
    os: str
    boards: tuple[str, ...]
    memory: tuple[str, ...] = ()


class Package(_Row):
    """A release whose full library is on NVIDIA's own index only."""

    version: Version
    cuda: tuple[str, ...]
    pythons: str


class Trap(Claim):
    """What people run into with a wheel or an image of some releases."""

    provider: Literal["wheel", "container"]
    versions: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All five files."""

    images: tuple[Image, ...]
    capabilities: tuple[Capability, ...]
    unlisted: Unlisted
    majors: tuple[Toolkit, ...]
    toolkits: tuple[Toolkit, ...]
    forward: Forward
    jetpacks: tuple[JetPack, ...]
    servers: Statement
    packages: tuple[Package, ...]
    package_source: str
    traps: tuple[Trap, ...]


def load(folder: Path = _FOLDER) -> Facts:
    """Read and check the files of a folder.

    Raises:
        TargetError: a file is not there or wrong; the text names file, key and what is expected.
    """
    ngc, gpus, cuda, jetpack, pypi = (
        _read(folder / f"{name}.toml") for name in ("ngc", "gpus", "cuda", "jetpack", "pypi")
    )
    return Facts(
        images=_rows(ngc, "image", tuple[Image, ...]),
        capabilities=_rows(gpus, "capability", tuple[Capability, ...]),
        unlisted=_rows(gpus, "unlisted", Unlisted),
        majors=_rows(cuda, "major", tuple[Toolkit, ...]),
        toolkits=_rows(cuda, "toolkit", tuple[Toolkit, ...]),
        forward=_rows(cuda, "forward", Forward),
        jetpacks=_rows(jetpack, "jetpack", tuple[JetPack, ...]),
        servers=_rows(jetpack, "servers", Statement),
        packages=_rows(pypi, "package", tuple[Package, ...]),
        package_source=_rows(pypi, "source", Source),
        traps=_rows(pypi, "trap", tuple[Trap, ...]),
    )


@functools.cache
def facts() -> Facts:
    """Return what comes with this program."""
    return load()


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    tables: Mapping[str, Any]


def _read(path: Path) -> _File:
    try:
        return _File(path, tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        message = f"{path}: it cannot be read: {error}. Install this program again."
        raise TargetError(message) from None


def _rows(file: _File, key: str, kind: Any) -> Any:
    """Check one table of a file; pydantic knows its type, mypy does not."""
    if key not in file.tables:
        raise TargetError(f"{file.path}: {key}: this key is required")
    try:
        return TypeAdapter(kind).validate_python(file.tables[key])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join([key, *(str(part) for part in first["loc"])])
        said = str(first["msg"]).removeprefix("Value error, ")
        raise TargetError(f"{file.path}: {where}: {said}") from None
