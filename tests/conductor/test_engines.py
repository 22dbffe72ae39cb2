"""What a record keeps of the engine that was built."""

from __future__ import annotations

from pathlib import Path

from compat.conductor.engines import stated
from tests.engine.conftest import hollow


def test_what_the_report_tells_of_a_plan_is_on_record(tmp_path: Path) -> None:
    """By the plan's own bytes, not by what was asked of the builder."""
    refit = stated(hollow("8.6.0.12", "refit", tmp_path / "refit.engine"))["file"]
    lean = stated(hollow("8.6.0.12", "vc", tmp_path / "vc.engine"))["file"]

    assert (refit["version"], refit["built_for"], refit["problems"]) == ("8.6.0.12", "sm_90", [])
    assert refit["refittable"] is True
    assert lean["lean_runtime"] == "embedded"


def test_a_file_that_is_no_plan_tells_nothing(tmp_path: Path) -> None:
    """ONNX Runtime's engine is the model itself."""
    model = tmp_path / "m.onnx"
    model.write_bytes(b"\x08\x08\x12\x07pytorch")

    assert stated(model) == {}
