"""One engine through both APIs: pointers, shapes and types are handed over right in either."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat.suite.adapters import tensorrt
from compat.suite.adapters.tensorrt import TensorRtAdapter
from compat.suite.driver import Driver
from compat.suite.outcome import Failed, Refused
from tests.suite.fake_trt import BindingPlan, DataType, FakeCuda, NamedPlan, module

GENERATIONS = [("8.0", BindingPlan), ("8.4", BindingPlan), ("10", NamedPlan)]


def load(
    monkeypatch: pytest.MonkeyPatch, folder: Path, generation: str, plan: Any
) -> tuple[Any, Any]:
    """Load the fake engine as the suite does, with a module of that generation."""
    loaded = plan(cuda := FakeCuda())
    monkeypatch.setattr(tensorrt, "import_runtime", lambda _: module(generation, loaded))
    monkeypatch.setattr(tensorrt, "probe", lambda: Driver("12.0", [], ""))
    monkeypatch.setattr(tensorrt, "Cuda", lambda: cuda)
    adapter = TensorRtAdapter("tensorrt")
    adapter.require_device()
    (folder / "e.engine").write_bytes(b"plan")
    return adapter.load(str(folder / "e.engine"), lambda _: None)[0], loaded


@pytest.mark.parametrize(("generation", "plan"), GENERATIONS)
def test_an_engine_runs_through_the_api_that_its_release_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, generation: str, plan: Any
) -> None:
    """INT64 ids, as ONNX has them, reach TensorRT 8's INT32 binding as INT32.

    They are there before the engine starts, and nothing is poisoned behind it: the fake device
    puts off what is on its default stream, as a real one may.
    """
    engine, _ = load(monkeypatch, tmp_path, generation, plan)

    for batch in (2, 3, 1):
        ids = np.arange(2 * batch, dtype=np.int64).reshape(batch, 2)
        twice = engine.run({"ids": ids})["twice"]

        assert twice.dtype == np.float32
        np.testing.assert_array_equal(twice, 2 * ids)


@pytest.mark.parametrize(("generation", "plan"), GENERATIONS)
def test_a_bound_call_runs_on_inputs_that_are_in_place(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, generation: str, plan: Any
) -> None:
    engine, loaded = load(monkeypatch, tmp_path, generation, plan)

    call = engine.bind({"ids": np.ones((4, 2), dtype=np.int64)})
    before = loaded.runs
    call()

    assert loaded.runs == before + 1
    assert engine.facts()["cuda_graph"] is True


@pytest.mark.parametrize(("generation", "plan"), GENERATIONS)
def test_a_shape_outside_of_the_profile_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, generation: str, plan: Any
) -> None:
    engine, _ = load(monkeypatch, tmp_path, generation, plan)

    with pytest.raises(Refused, match=r"shape \(5, 2\) of input 'ids'"):
        engine.run({"ids": np.ones((5, 2), dtype=np.int64)})


@pytest.mark.parametrize(("generation", "plan"), GENERATIONS)
def test_an_enqueue_that_fails_is_no_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, generation: str, plan: Any
) -> None:
    engine, loaded = load(monkeypatch, tmp_path, generation, plan)
    loaded.refuses = True

    with pytest.raises(Failed, match="could not enqueue"):
        engine.run({"ids": np.ones((1, 2), dtype=np.int64)})


def test_a_type_that_numpy_lacks_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    engine, loaded = load(monkeypatch, tmp_path, "10", NamedPlan)
    monkeypatch.setattr(loaded, "get_tensor_dtype", lambda _: DataType.BF16)

    with pytest.raises(Failed, match="BF16 of tensor 'ids'"):
        engine.run({"ids": np.ones((1, 2), dtype=np.int64)})
