"""A target sees its own packages, whatever lies beside this program where it was installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

import compat.suite

ITEM = {"id": "build/net", "check": "build", "limit": 1}


def _installed(tmp_path: Path, flavour: str) -> list[str]:
    """Return how to run the suite as it lies in a site-packages with foreign packages in it."""
    site = tmp_path / "site-packages"
    shutil.copytree(Path(compat.suite.__file__).parent, site / "compat" / "suite")
    (site / "compat" / "__init__.py").touch()
    for name in ("numpy", "tensorrt_rtx_bindings", "onnxruntime"):
        (site / f"{name}.py").write_text("raise RuntimeError('this is the host\\'s')\n")
    deps = Path(numpy.__file__).parents[1]
    job = {
        "target": {"flavour": flavour, "version": "0.0.0"},
        "phase": "build",
        "work": str(tmp_path),
        "deps": str(deps),
        "events": str(tmp_path / "events.jsonl"),
        "items": [ITEM],
        "settings": {},
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    return [sys.executable, str(site / "compat" / "suite" / "run.py"), str(tmp_path / "job.json")]


def _said(tmp_path: Path, flavour: str) -> str:
    """Run it in a folder of the user's and return its output."""
    run = _installed(tmp_path, flavour)
    (here := tmp_path / "here").mkdir()
    done = subprocess.run(run, capture_output=True, text=True, check=False, cwd=here)
    assert list(here.iterdir()) == []  # the user's own folder stays as it is
    return done.stdout


def test_a_package_of_the_target_wins_over_the_hosts(tmp_path: Path) -> None:
    """ONNX Runtime and numpy stand in both; only a version that is not the pinned one remains."""
    said = _said(tmp_path, "onnxruntime")

    assert "the host's" not in said
    assert "not 0.0.0" in said


def test_a_runtime_that_only_the_host_has_is_not_there(tmp_path: Path) -> None:
    said = _said(tmp_path, "tensorrt_rtx")

    assert "the host's" not in said
    assert "tensorrt_rtx" in said


@pytest.mark.parametrize("does_live", [True, False])
def test_without_a_conductor_nothing_is_begun(tmp_path: Path, does_live: bool) -> None:
    """Killed right behind its start, it left a process that did the job beside the next run's.

    Both wrote one event file, engines and all, and the first one's end was taken for the other's.
    """
    run = [*_installed(tmp_path, "onnxruntime"), "--stay"]
    theirs, ours = os.pipe()
    if not does_live:
        os.close(ours)

    process = subprocess.Popen(run, stdin=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    if does_live:
        while not (tmp_path / "events.jsonl").exists():
            assert process.poll() is None
            time.sleep(0.01)
        os.close(ours)
    process.wait(30)

    assert (tmp_path / "events.jsonl").exists() is does_live
