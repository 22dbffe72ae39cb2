"""Collect the Python surface of every TensorRT release: `python -m compat.api.collect --work DIR`.

The bindings on PyPI need their native libraries only to be importable. So each release's bindings
are imported against stand-in libraries that define the few symbols they ask for (``gcc`` and ``nm``
are needed, no GPU and no TensorRT), read out by ``readout.py`` in a process of its own, and all
releases are folded into ``surface.json.gz``: per symbol and flavour the ranges of releases with the
same text. Of the full wheels of 8.5 and 8.6.0 only the bindings are fetched, by ranged requests.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compat.api.surface import DATA, fold, version_key, write

# Of a flavour: the projects whose wheels hold its bindings, in order of preference.
_PROJECTS = {
    "tensorrt": (
        "tensorrt-cu12-bindings",
        "tensorrt-cu13-bindings",
        "tensorrt-bindings",
        "tensorrt",
    ),
    "tensorrt_lean": (
        "tensorrt-lean-cu12-bindings",
        "tensorrt-lean-cu13-bindings",
        "tensorrt-lean-bindings",
        "tensorrt-lean",
    ),
    "tensorrt_dispatch": (
        "tensorrt-dispatch-cu12-bindings",
        "tensorrt-dispatch-cu13-bindings",
        "tensorrt-dispatch-bindings",
        "tensorrt-dispatch",
    ),
    "tensorrt_rtx": ("tensorrt-rtx-cu12-bindings", "tensorrt-rtx-cu13-bindings"),
}
_PYTHONS = ("cp311", "cp310")
# What the loader finds in the C library and its kin carries a version; these do not.
_SYSTEM = re.compile(
    r"_?Py|_ITM|__gmon|__cxa|pthread|__pthread|_Unwind|GOMP|dl(open|sym|close|error)$"
)
_KEEP = re.compile(r"^tensorrt[a-z_]*/(?!.*(libnv|nvinfer)).*\.(py|so|so\.\d+)$")


@dataclass(frozen=True)
class Wheel:
    """A wheel on the index that holds the bindings of a release."""

    flavour: str
    version: str
    url: str
    python: str


def _opened(url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Any:
    """Open an address of the index; files of this machine are none."""
    if not url.startswith("https://"):
        raise ValueError(f"not an address of an index: {url}")
    asked = urllib.request.Request(url, headers=dict(headers or {}), method=method)  # noqa: S310
    return urllib.request.urlopen(asked, timeout=180)  # noqa: S310


class _Ranged(io.RawIOBase):
    """A file on a server, read in pieces."""

    def __init__(self, url: str, size: int) -> None:
        self._url, self._size, self._at = url, size, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        end = min(self._at + len(buffer), self._size) - 1
        with _opened(self._url, {"Range": f"bytes={self._at}-{end}"}) as answer:
            got = answer.read(len(buffer))
        buffer[: len(got)] = got
        self._at += len(got)
        return len(got)


def listed(flavour: str, index: str) -> tuple[list[Wheel], dict[str, str]]:
    """Return the wheels of a flavour, and for releases without one the reason.

    index: the simple index; the JSON of each project is taken from beside it, as PyPI has it.
    """
    wheels: dict[str, Wheel] = {}
    without: dict[str, str] = {}
    for project in _PROJECTS[flavour]:
        page = urllib.parse.urljoin(index.rstrip("/"), f"pypi/{project}/json")
        with _opened(page) as answer:
            releases: dict[str, list[dict[str, Any]]] = json.load(answer)["releases"]
        for version, files in releases.items():
            if version in wheels or version_key(version) < version_key("1.0"):
                continue
            found = [wheel for python in _PYTHONS for wheel in _of(files, python)]
            if found:
                # A mirror may give addresses relative to its own.
                address = urllib.parse.urljoin(page, found[0]["url"])
                wheels[version] = Wheel(flavour, version, address, _python(found[0]))
                without.pop(version, None)
            elif files and project.endswith("bindings"):
                kinds = {Path(one["filename"]).suffix for one in files}
                have = "no Linux wheel" if ".whl" in kinds else "only a source package that fetches"
                more = "" if ".whl" in kinds else " the wheel from an index of NVIDIA's own"
                without[version] = f"{project} {version} has {have}{more} on PyPI"
    return sorted(wheels.values(), key=lambda one: version_key(one.version)), without


def _of(files: Iterable[dict[str, Any]], python: str) -> Iterator[dict[str, Any]]:
    for one in files:
        name = one["filename"]
        if f"-{python}-" in name and "linux" in name and "x86_64" in name and not one["yanked"]:
            yield one


def _python(file: Mapping[str, Any]) -> str:
    tag = str(file["filename"]).split("-")[2]
    return f"{tag[2]}.{tag[3:]}"


def fetch(wheel: Wheel, folder: Path) -> None:
    """Lay the bindings of a wheel down, without the native libraries it may hold."""
    if (folder / "done").exists():
        return
    with _opened(wheel.url, method="HEAD") as answer:
        size = int(answer.headers["Content-Length"])
    with zipfile.ZipFile(io.BufferedReader(_Ranged(wheel.url, size), 1 << 18)) as archive:
        for name in archive.namelist():
            if _KEEP.match(name):
                archive.extract(name, folder)
    (folder / "done").touch()


def stand_ins(folder: Path) -> None:
    """Make the libraries that the bindings need, with the symbols they ask for and no more."""
    for binding in sorted(folder.rglob("tensorrt*.so")):
        dynamic = _ran(["readelf", "-d", str(binding)])
        needed = re.findall(r"NEEDED.*\[(lib(?:nv|tensorrt)[^\]]*|libcu[^\]]*)\]", dynamic)
        listing = _ran(["nm", "-D", "--undefined-only", str(binding)])
        symbols = [line.split()[-1] for line in listing.splitlines()]
        wanted = sorted(n for n in symbols if "@" not in n and not _SYSTEM.match(n))
        code = "".join(f"void *{name}(void) {{ return 0; }}\n" for name in wanted)
        for library in needed:
            made = folder / "libs" / library
            made.parent.mkdir(exist_ok=True)
            # The symbols are looked up over all libraries, so one of them is enough to hold them.
            text = code if library == needed[0] else ""
            subprocess.run(
                ["gcc", "-shared", "-w", "-fPIC", f"-Wl,-soname,{library}", "-x", "c", "-",
                 "-o", str(made)],
                input=text, text=True, check=True,
            )  # fmt: skip


def _ran(argv: Sequence[str]) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def read(wheel: Wheel, folder: Path, pythons: Mapping[str, str]) -> dict[str, list[str]]:
    """Import the bindings and return symbol -> [kind, text]; raises CalledProcessError."""
    module = next(path.parent.name for path in sorted(folder.glob("tensorrt*/__init__.py")))
    answer = subprocess.run(
        [pythons[wheel.python], str(Path(__file__).with_name("readout.py")), module, wheel.flavour],
        env={"PYTHONPATH": str(folder), "LD_LIBRARY_PATH": str(folder / "libs")},
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    # NVIDIA's own logger may write lines before it.
    rows: dict[str, list[str]] = json.loads(answer.stdout.splitlines()[-1])["rows"]
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Collect all releases, or those of some flavours, and write the data anew."""
    parser = argparse.ArgumentParser(prog="python -m compat.api.collect", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a folder to work in")
    parser.add_argument("--file", type=Path, default=DATA, help="file to write")
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="3.10=PATH",
        help="an interpreter with numpy",
    )
    parser.add_argument(
        "--index",
        default=os.environ.get("PIP_INDEX_URL"),
        metavar="URL",
        help="the package index, such as https://HOST/simple (default: PIP_INDEX_URL)",
    )
    options = parser.parse_args(arguments)
    if not str(options.index).startswith("https://"):
        parser.error("--index: name the package index, such as https://HOST/simple")
    pythons = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    pythons |= dict(pair.split("=", 1) for pair in options.python)
    surfaces: dict[str, dict[str, dict[str, list[str]]]] = {}
    missing: dict[str, dict[str, str]] = {}
    for flavour in _PROJECTS:
        wheels, missing[flavour] = listed(flavour, options.index)
        surfaces[flavour] = {}
        folders = [options.work / f"{one.flavour}-{one.version}" for one in wheels]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(fetch, wheels, folders))
        for wheel, folder in zip(wheels, folders, strict=True):
            try:
                stand_ins(folder)
                rows = read(wheel, folder, pythons)
            except (subprocess.CalledProcessError, KeyError, StopIteration) as error:
                why = getattr(error, "stderr", "") or repr(error)
                missing[flavour][wheel.version] = str(why).strip().splitlines()[-1]
                sys.stdout.write(f"{flavour} {wheel.version}: {why}\n")
                continue
            surfaces[flavour][wheel.version] = rows
            sys.stdout.write(f"{flavour} {wheel.version}: {len(rows)} symbols\n")
    write(fold(surfaces, missing), options.file)
    sys.stdout.write(f"{options.file}: {options.file.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
