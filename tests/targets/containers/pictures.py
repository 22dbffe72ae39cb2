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
BASE = f"localhost/trt-compat-tests/base:{SUITE}"
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
    said = subprocess.run(["podman", "info"], env=variables(), capture_output=True, text=True)
    return "" if said.returncode == 0 else f"containers: podman info: {said.stderr.strip()[-200:]}"


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


def podman(*arguments: str, check: bool = True) -> str:
    """Call podman and return what it printed."""
    done = subprocess.run(["podman", *arguments], env=variables(), capture_output=True, text=True)
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
    """An image of the tests: its name, and the lines after FROM."""

    name: str
    pins: tuple[str, ...]

    @property
    def reference(self) -> str:
        return f"localhost/trt-compat-tests/{self.name}:{_tag(self.pins)}"

    def make(self) -> str:
        """Make it of the base and wheels, if it is not there yet."""
        base()
        if not has(self.reference):
            with tempfile.TemporaryDirectory(dir=cache()) as folder:
                install(self.pins, Path(folder) / "site", "3.11")
                build(self.reference, Path(folder), [f"COPY site {_SITE}"])
        return self.reference


def _tag(words: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:12]


def install(pins: Sequence[str], into: Path, python: str) -> None:
    """Lay wheels out for a Python that need not be here."""
    import uv

    command = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--target", str(into)]
    command += ["--python", sys.executable, "--python-version", python]
    subprocess.run([*command, "--only-binary", ":all:", *pins], check=True, capture_output=True)


def build(name: str, context: Path, lines: Sequence[str], parent: str = BASE) -> None:
    """Make an image of the base (or another parent) and the lines of a Containerfile."""
    (context / "Containerfile").write_text("\n".join([f"FROM {parent}", *lines, ""]))
    podman("build", "--quiet", "--network=none", "--layers=false", "--tag", name, str(context))


_ORT = ("flatbuffers==25.12.19", "numpy==2.4.6", "packaging==26.3", "protobuf==7.36.2")
ORT_130 = Picture("ort", ("onnxruntime==1.30.0", *_ORT))
ORT_131 = Picture("ort", ("onnxruntime==1.31.1", *_ORT))


def _rtx(version: str) -> Picture:
    wheels = (f"tensorrt-rtx-cu12-libs=={version}", f"tensorrt-rtx-cu12-bindings=={version}")
    return Picture("rtx", wheels)


RTX_16, RTX_17 = _rtx("1.6.1.120"), _rtx("1.7.1.116")
