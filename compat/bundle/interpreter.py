"""Pack an interpreter of this machine, so that a machine without it can run what needs it."""

from __future__ import annotations

import gzip
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compat.bundle.parts import BundleError
from compat.targets import interpreter
from compat.targets.uv import Uv

_SYSTEM = ("/usr", "/usr/local", "/")
# Nothing of these is needed to run: tests, sources to link with, tools with windows, and pip.
_LEFT_OUT = re.compile(
    r"(^|/)(__pycache__|test|tests|idlelib|turtledemo|tkinter|ensurepip|lib2to3|site-packages|"
    r"config-3[^/]*|pkgconfig)(/|$)|^(include|share)(/|$)|\.(a|pyc)$|_test[a-z]*\.cpython"
)
_LIBRARY = re.compile(r"=> (/\S+)")
# Belong to the system's loader: with another machine's copies no program starts.
_GLIBC = re.compile(r"/(libc|libm|libdl|libpthread|librt|libutil|ld-linux[^/]*|libgcc_s)\.so")


@dataclass(frozen=True, slots=True)
class Packed:
    """An interpreter as an archive; `python` is its program, relative to the unpacked folder."""

    version: str
    archive: Path
    python: str


def pack(uv: Uv, version: str, folder: Path) -> Packed:
    """Pack the interpreter of a version ("3.10" or "3.10.13") found on this machine.

    Raises:
        BundleError: there is none, or it belongs to the system and cannot stand elsewhere.
    """
    here = interpreter.found(uv)
    fitting = [one for one in here if version in (one.minor, one.version)]
    if not fitting:
        seen = ", ".join(dict.fromkeys(one.version for one in here)) or "none"
        raise BundleError(
            f"Python {version} is needed on the far machine and is not on this one (found: "
            f"{seen}); install it here first, for example with `uv python install {version}`"
        )
    for one in fitting:
        prefix = _prefix(one.path)
        if str(prefix) not in _SYSTEM:
            archive = folder / f"python-{one.version}.tar.gz"
            if not archive.is_file():
                _write(prefix, archive)
            return Packed(one.version, archive, f"bin/python{one.minor}")
    raise BundleError(
        f"Python {version} is here as the system's own ({fitting[0].path}), which cannot run "
        f"elsewhere; `uv python install {version}` brings one that can"
    )


def _prefix(python: Path) -> Path:
    said = subprocess.run(
        [python, "-I", "-c", "import sys; print(sys.base_prefix)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(said.stdout.strip()).resolve()


def _write(prefix: Path, archive: Path) -> None:
    """Write the archive: sorted and without times, so that it is the same file each time."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    draft = archive.with_suffix(".new")
    with (
        draft.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as packed,
    ):
        for path in sorted(prefix.rglob("*")):
            name = str(path.relative_to(prefix))
            if not _LEFT_OUT.search(name) and (path.is_symlink() or path.is_file()):
                _add(packed, path, name)
        for library in _libraries(prefix):
            _add(packed, library.resolve(), f"shared/{library.name}")
    draft.replace(archive)


def _add(packed: tarfile.TarFile, path: Path, name: str) -> None:
    info = packed.gettarinfo(path, name)
    info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
    if info.isreg() or info.islnk():
        info.type, info.size = tarfile.REGTYPE, path.stat().st_size
        with path.open("rb") as stream:
            packed.addfile(info, stream)
    else:
        packed.addfile(info)


def _libraries(prefix: Path) -> Iterator[Path]:
    """Yield the system's libraries that the interpreter's own modules need, glibc's left out."""
    modules = [str(path) for path in sorted(prefix.glob("lib/python3*/lib-dynload/*.so"))]
    if not modules:
        return
    said = subprocess.run(["ldd", *modules], capture_output=True, text=True, check=False)
    found = {Path(path) for path in _LIBRARY.findall(said.stdout)}
    for path in sorted(found):
        inside = path.resolve().is_relative_to(prefix)
        if not inside and not _GLIBC.search(str(path)) and path.is_file():
            yield path
