"""A runtime on the CPU gets the cores that its container has, not those of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compat.suite import cores
from compat.suite.adapters import ort


@pytest.mark.parametrize(("limit", "threads"), [("400000 100000", 4), ("max 100000", 64)])
def test_onnx_runtime_keeps_to_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, threads: int
) -> None:
    """More threads than quota are throttled, and every latency with them."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (tmp_path / "cpu.max").write_text(limit)
    limited = cores.threads(str(tmp_path))
    monkeypatch.setattr(ort, "threads", lambda: limited)

    assert limited == threads
    assert ort._options().intra_op_num_threads == threads
    assert ort.OnnxRuntimeAdapter().facts()["threads"] == threads
