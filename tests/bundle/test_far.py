"""Local targets on the far machine: its own interpreter, as run.py was started."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from compat.bundle import far, layout
from compat.config import Config
from compat.targets import Environment, Unavailable

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(name="site")
def _site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages that only the far machine's PYTHONPATH leads to, which the conductor's hides."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "torch.py").write_text("__version__ = '2.11.0+cu130'\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    started = json.dumps(layout.started())
    monkeypatch.setenv(layout.STARTED, started)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "source"))
    (tmp_path / "work" / "logs").mkdir(parents=True)
    return site


def _provided(
    tmp_path: Path, version: str = "2.11.0", minor: str = MINOR, **more: str
) -> Environment | Unavailable:
    target = {"flavour": "pytorch", "version": version, "provider": "local", **more}
    raw: dict[str, Any] = {"targets": {"torch": target}, "models": {"m": {"source": "builtin:m"}}}
    brought = {"targets": {"torch": {"python": minor, "local": True}}}
    config = Config.model_validate(raw)
    return far._provide(tmp_path / "work", brought, "torch", config, Console(quiet=True))


def test_the_interpreter_that_runs_run_py_is_the_default(tmp_path: Path, site: Path) -> None:
    """It finds its own packages, and has the suite's from the bundle behind them."""
    got = _provided(tmp_path)

    assert isinstance(got, Environment), got
    assert got.python == Path(sys.executable)
    assert got.env["PYTHONPATH"] == str(site)
    assert got.deps == tmp_path / "work" / "deps" / f"py{MINOR}"


def test_a_named_interpreter_is_looked_for_there(tmp_path: Path, site: Path) -> None:
    got = _provided(tmp_path, python="/nowhere/python")

    assert isinstance(got, Unavailable)
    assert got.reason == "interpreter-missing"
    assert "/nowhere/python" in got.message


def test_another_version_or_python_is_told(tmp_path: Path, site: Path) -> None:
    """Neither the wrong release nor a Python without the suite's packages is run."""
    other, old = _provided(tmp_path, version="2.12.0"), _provided(tmp_path, minor="3.8")

    assert isinstance(other, Unavailable)
    assert (other.reason, "has pytorch 2.11.0" in other.message) == ("version-differs", True)
    assert isinstance(old, Unavailable)
    assert f"--python-version {MINOR}" in old.message
