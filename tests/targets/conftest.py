"""A package index in miniature: tiny wheels in a folder, and a catalogue that knows them."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from compat.targets import Catalogue, Environment, Release, TargetSpec, Unavailable, provide
from compat.targets.catalogue import Flavour

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass
class Bench:
    """One work folder, one wheel folder, and a catalogue of what lies in it."""

    work: Path
    wheels: Path
    messages: list[str] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    hashes: dict[str, dict[str, str]] = field(default_factory=dict)
    suite: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def wheel(self, name: str, version: str, source: str, *, hashed: bool = True) -> None:
        """Put a one-module wheel into the folder."""
        module, tag = name.replace("-", "_"), "py3-none-any"
        info = f"{module}-{version}.dist-info"
        path = self.wheels / f"{module}-{version}-{tag}.whl"
        meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        build = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{module}.py", source)
            archive.writestr(f"{info}/METADATA", meta)
            archive.writestr(f"{info}/WHEEL", build)
            archive.writestr(f"{info}/RECORD", "")
        if hashed:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            self.hashes[f"{name}=={version}"] = {tag: digest}

    def release(self, version: str, pythons: tuple[str, ...] = (HERE,)) -> None:
        """List a version in the catalogue."""
        pins = {"cpu": (f"onnxruntime=={version}",)}
        row = Release("onnxruntime", version, "onnxruntime", 3, pythons, pins, (), (), "test")
        self.releases.append(row)

    def runtime(self, version: str, says: str | None = None, source: str | None = None) -> None:
        """List a version and put its wheel there; `says` is what the module claims to be."""
        self.release(version)
        self.wheel("onnxruntime", version, source or f"__version__ = {says or version!r}\n")

    def catalogue(self) -> Catalogue:
        """Return the catalogue as it is now."""
        pins = {"cpu": ("onnxruntime=={version}",)}
        kind = Flavour("onnxruntime", "onnxruntime", 3, True, pins, {})
        return Catalogue({"onnxruntime": kind}, tuple(self.releases), self.hashes, self.suite)

    def spec(self, version: str = "1.0.0", **more: object) -> TargetSpec:
        """Return a target of this bench, offline unless told otherwise."""
        values: dict[str, object] = {
            "name": "ort",
            "flavour": "onnxruntime",
            "version": version,
            "provider": "wheel",
            "role": "current",
            "find_links": (self.wheels,),
            "offline": True,
        }
        return TargetSpec(**{**values, **more})  # type: ignore[arg-type]

    def provide(
        self, version: str = "1.0.0", timeout_s: float = 60, **more: object
    ) -> Environment | Unavailable:
        """Provide a target of this bench."""
        return provide(
            self.spec(version, **more),
            self.work,
            progress=self.messages.append,
            timeout_s=timeout_s,
            releases=self.catalogue(),
        )

    def ready(self, version: str = "1.0.0", **more: object) -> Environment:
        """Provide a target that must come to be."""
        environment = self.provide(version, **more)  # type: ignore[arg-type]
        assert isinstance(environment, Environment), environment
        return environment

    def refused(self, version: str = "1.0.0", **more: object) -> Unavailable:
        """Provide a target that must not come to be."""
        refusal = self.provide(version, **more)  # type: ignore[arg-type]
        assert isinstance(refusal, Unavailable), refusal
        return refusal


@pytest.fixture(name="isolated")
def _isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep uv from the user's cache and index settings, so that nothing is there by luck."""
    for key in [key for key in os.environ if key.startswith("UV_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv-python"))
    # Cutting PATH down keeps broken shims of a version manager out of the unit tests.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "no-pyenv"))


@pytest.fixture(name="bench")
def _bench(tmp_path: Path, isolated: None) -> Bench:
    """Return a bench with runtime 1.0.0 and a suite of one package."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    bench = Bench(tmp_path / "work", wheels, suite={HERE: ("suite-dep==1.0",)})
    bench.wheel("suite-dep", "1.0", "value = 1\n")
    bench.runtime("1.0.0")
    return bench


@pytest.fixture(name="no_process")
def _no_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a switch after which starting any process is an error."""

    def forbid(*_args: object, **_more: object) -> None:
        pytest.fail("a process was started")

    return lambda: monkeypatch.setattr("compat.targets.process.run", forbid)
