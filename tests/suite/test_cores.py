"""What runs on the CPU gets the cores that its container has, not those of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compat.suite import cores
from compat.suite.adapters import ort


@pytest.fixture(autouse=True)
def _machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of 64 cores without limits."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    monkeypatch.setattr(cores, "_CGROUP", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_a_machine_without_limits_is_used_whole() -> None:
    assert cores.threads() == 64


@pytest.mark.parametrize(("limit", "threads"), [("1600000 100000", 16), ("max 100000", 64)])
def test_a_container_gets_its_quota(tmp_path: Path, limit: str, threads: int) -> None:
    (tmp_path / "cpu.max").write_text(limit + "\n")

    assert cores.threads() == threads


@pytest.mark.parametrize(("quota", "threads"), [("50000", 1), ("-1", 64)])
def test_so_does_one_of_the_first_version(tmp_path: Path, quota: str, threads: int) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")

    assert cores.threads() == threads


def test_who_asks_for_less_gets_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    assert cores.threads() == 3


def test_onnx_runtime_keeps_to_the_quota(tmp_path: Path) -> None:
    """More threads than quota are throttled, and every latency with them."""
    (tmp_path / "cpu.max").write_text("400000 100000")

    assert ort._options().intra_op_num_threads == 4
    assert ort.OnnxRuntimeAdapter().facts()["threads"] == 4
