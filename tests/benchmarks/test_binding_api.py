"""Both APIs on one engine, with an engine that has both as TensorRT 8.5 and 8.6 do."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import binding_api
from compat.suite import cuda
from compat.suite.adapters import trt_engine
from tests.suite.fake_trt import BindingPlan, FakeCuda, NamedPlan, module


class Both(NamedPlan, BindingPlan):
    """An engine of 8.5 or 8.6."""


class Crooked(Both):
    """One whose binding-index API writes another output."""

    def execute_async_v2(self, bindings: list[int], stream_handle: int) -> bool:
        done = super().execute_async_v2(bindings, stream_handle)
        self.cuda.memory[bindings[0]][0] ^= 1
        return done


@pytest.mark.parametrize(
    ("plan", "finite", "code"), [(Both, True, 0), (Crooked, True, 1), (Both, False, 1)]
)
def test_outputs_that_differ_by_a_bit_or_are_no_numbers_are_no_match(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    plan: Any,
    finite: bool,
    code: int,
) -> None:
    device = FakeCuda()
    trt = module("10", plan(device))
    trt.Logger = lambda _: None
    trt.Logger.ERROR = 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setattr(cuda, "Cuda", lambda: device)
    ticks = itertools.count()
    monkeypatch.setattr(trt_engine, "EventClock", lambda *_: lambda: next(ticks) * 1e-3)
    if not finite:  # the output of the stand-in holds whole numbers
        monkeypatch.setattr(np, "isfinite", lambda array: np.zeros(array.shape, bool))
    np.savez(tmp_path / "feeds.npz", ids=np.ones((2, 2), dtype=np.int64))
    (tmp_path / "e.engine").write_bytes(b"plan")

    found = binding_api.main([str(tmp_path / "e.engine"), str(tmp_path / "feeds.npz")])

    said = json.loads(capsys.readouterr().out)
    assert found == code
    assert said["bit_equal"] is (plan is Both)
    assert said["finite"] is finite
    assert said["launches"] == {"names": 200, "bindings": 200}
    assert said["median_ms"] == pytest.approx({"names": 1.0, "bindings": 1.0})
    assert said["outputs"] == {"twice": [2, 2]}
