"""Real wheels from the configured index (quick where uv's cache has them)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from compat.targets import Environment, Mounts, TargetSpec, Unavailable, command, provide

pytestmark = pytest.mark.network


def _provide(work: Path, flavour: str, version: str, **more: str) -> Environment | Unavailable:
    spec = TargetSpec("t-" + version, flavour, version, "wheel", "current", **more)  # type: ignore[arg-type]
    return provide(spec, work, progress=lambda _: None)


@pytest.mark.parametrize(
    ("flavour", "version", "module"),
    [
        ("tensorrt_rtx", "1.4.0.76", "tensorrt_rtx_bindings"),
        ("tensorrt_rtx", "1.7.1.116", "tensorrt_rtx_bindings"),
        ("onnxruntime", "1.31.1", "onnxruntime"),
    ],
)
def test_real_runtime(tmp_path: Path, flavour: str, version: str, module: str) -> None:
    """A real release imports in its environment, with the suite's packages behind it."""
    made = _provide(tmp_path, flavour, version)
    assert isinstance(made, Environment), made
    code = (
        f"import sys; sys.path.append({str(made.deps)!r}); import {module} as m, pytest, "
        "pytest_benchmark, numpy; print(m.__version__)"
    )

    argv = command(made, ["-c", code], {}, Mounts()).argv
    done = subprocess.run(argv, check=True, text=True, capture_output=True)

    assert done.stdout.strip() == version
    again = _provide(tmp_path, flavour, version)
    assert isinstance(again, Environment)
    assert again.cached


def test_version_that_does_not_exist(tmp_path: Path) -> None:
    """An invented version names the nearest real ones."""
    made = _provide(tmp_path, "tensorrt_rtx", "1.7.9.9")

    assert isinstance(made, Unavailable)
    assert made.reason == "version-not-found"
    assert "1.7.1.116" in made.message


def test_source_stub(tmp_path: Path) -> None:
    """The public stub of the full library is not run as a build, but refused."""
    made = _provide(tmp_path, "tensorrt", "10.16.1.11")

    assert isinstance(made, Unavailable)
    assert made.reason == "version-not-found"
