"""Real images without a registry: a Debian base made by debootstrap, and runtimes from wheels.

Podman keeps them in a store of their own in a cache folder, so that a second run of the tests finds
them, and nobody's own images are touched. ``TRT_COMPAT_TESTS_CACHE`` names another folder.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
_PREFIX = "localhost/trt-compat-tests"
BASE = f"{_PREFIX}/base:{SUITE}"
# Some builds of Python keep their core in a library that they look for where they were installed.
_PYTHON = ("COPY python /opt/python", "ENV LD_LIBRARY_PATH=/opt/python/lib")
_PROGRAMS = ("podman", "runc", "debootstrap")
# podman 4.3 with crun fails on hybrid control groups; systemd may not be there.
_CONF = """
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=32768:32768"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
_SITE = "/usr/local/lib/python3.11/dist-packages"


def cache() -> Path:
    """The folder that outlives a test session."""
    named = os.environ.get("TRT_COMPAT_TESTS_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "trt-compat-tests"


@functools.cache
def problem() -> str:
    """Why no container can run here; empty where one can."""
    if not sys.platform.startswith("linux") or os.getuid() != 0:
        return "containers: debootstrap needs Linux and root"
    lacking = [name for name in _PROGRAMS if shutil.which(name) is None]
    if lacking:
        return f"containers: {', '.join(lacking)} not installed"
    if shutil.disk_usage(Path.home()).free < 4e9:
        return "containers: less than 4 GB free for images"
    try:
        podman("info")
        podman("run", "--rm", "--network=none", base(), "python3", "-c", "")
    except (RuntimeError, subprocess.CalledProcessError) as error:
        return f"containers: {str(error)[-300:]}"
    return ""


def variables() -> dict[str, str]:
    """The variables under which podman uses our store and the settings that work everywhere."""
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    conf, storage = folder / "containers.conf", folder / "storage.conf"
    conf.write_text(_CONF)
    run = f"/run/trt-compat-tests-{hashlib.sha256(str(folder).encode()).hexdigest()[:8]}"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{folder / "storage"}"\nrunroot = "{run}"\n'
    )
    return {**os.environ, "CONTAINERS_CONF": str(conf), "CONTAINERS_STORAGE_CONF": str(storage)}


def _call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["podman", *arguments], env=variables(), capture_output=True, text=True, check=False
    )


def podman(*arguments: str, check: bool = True) -> str:
    """Call podman and return what it printed."""
    done = _call(*arguments)
    if check and done.returncode != 0:
        raise RuntimeError(f"podman {' '.join(arguments)}: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()


def has(name: str) -> bool:
    return podman("image", "inspect", "--format", "{{.Id}}", name, check=False) != ""


def base() -> str:
    """A small Debian with its own Python 3.11 and without pip, numpy or a network."""
    if not has(BASE):
        with tempfile.TemporaryDirectory(dir=cache()) as folder:
            root = Path(folder) / "root"
            subprocess.run(
                ["debootstrap", "--variant=minbase", "--include=python3", SUITE, str(root)],
                check=True,
                capture_output=True,
            )
            for heavy in ("usr/share/doc", "usr/share/locale", "var/cache/apt", "var/lib/apt"):
                shutil.rmtree(root / heavy, ignore_errors=True)
            pack = f"tar -C '{root}' --numeric-owner -c . | podman import - {BASE}"
            subprocess.run(["bash", "-ec", pack], env=variables(), check=True, capture_output=True)
    return BASE


@dataclass(frozen=True)
class Picture:
    """An image of the tests: its name, its wheels, and another Python than Debian's."""

    name: str
    pins: tuple[str, ...] = ()
    python: str = ""

    @property
    def reference(self) -> str:
        words = " ".join([*self.pins, self.python, *(_PYTHON if self.python else ())])
        return f"{_PREFIX}/{self.name}:{hashlib.sha256(words.encode()).hexdigest()[:12]}"

    def make(self) -> str:
        """Make it of the base and wheels, if it is not there yet."""
        base()
        if not has(self.reference):
            site, lines = _SITE, []
            with tempfile.TemporaryDirectory(dir=cache()) as folder:
                if self.python:
                    own = interpreter(self.python)
                    assert own is not None, f"no Python {self.python} here"
                    _copy(own, Path(folder) / "python")
                    site, lines = f"/opt/python/lib/python{self.python}/site-packages", [*_PYTHON]
                if self.pins:
                    install(self.pins, Path(folder) / "site", self.python or "3.11")
                    lines = [*lines, f"COPY site {site}"]
                build(self.reference, Path(folder), lines)
        return self.reference


def interpreter(minor: str) -> Path | None:
    """The folder of an old Python that can be copied, or None where there is none."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = sorted(root.glob(f"{minor}.*")) + sorted(
        (Path.home() / ".local/share/uv/python").glob(f"cpython-{minor}.*")
    )
    return next((one for one in found if (one / "bin" / f"python{minor}").is_file()), None)


def _copy(python: Path, to: Path) -> None:
    heavy = ("test", "*.a", "__pycache__", "idlelib", "tkinter", "share", "site-packages")
    shutil.copytree(python, to, symlinks=True, ignore=shutil.ignore_patterns(*heavy))


def install(pins: Sequence[str], into: Path, python: str) -> None:
    """Lay wheels out for a Python that need not be here."""
    import uv

    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--target", str(into)]
    command += ["--python", sys.executable, "--python-version", python]
    subprocess.run([*command, "--only-binary", ":all:", *pins], check=True, capture_output=True)


def build(name: str, context: Path, lines: Sequence[str], parent: str = BASE) -> None:
    """Make an image of the base, or another one, and the lines of a Containerfile."""
    (context / "Containerfile").write_text("\n".join([f"FROM {parent}", *lines, ""]))
    podman("build", "--quiet", "--network=none", "--layers=false", "--tag", name, str(context))


_ORT = ("flatbuffers==25.12.19", "numpy==2.4.6", "packaging==26.3", "protobuf==7.36.2")
ORT_130 = Picture("ort", ("onnxruntime==1.30.0", *_ORT))
ORT_131 = Picture("ort", ("onnxruntime==1.31.1", *_ORT))


def _rtx(version: str) -> Picture:
    wheels = (f"tensorrt-rtx-cu12-libs=={version}", f"tensorrt-rtx-cu12-bindings=={version}")
    return Picture("rtx", wheels)


RTX_16, RTX_17 = _rtx("1.6.1.120"), _rtx("1.7.1.116")

# The last of Python 3.8, with what it requires.
ORT_OLD = Picture(
    "old",
    (
        *("onnxruntime==1.19.2", "coloredlogs==15.0.1", "humanfriendly==10.0", "sympy==1.13.3"),
        *("mpmath==1.3.0", "flatbuffers==25.12.19", "numpy==1.24.4", "packaging==26.2"),
        "protobuf==5.29.6",
    ),
    "3.8",
)
TOO_OLD = Picture("tooold", python="3.6")
