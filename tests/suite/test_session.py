"""What a session says of its target, as the host told it and as the module states itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

ROOT = Path(__file__).parents[2]
SAID = onnxruntime.__version__
ITEM = {
    "id": "load/x",
    "check": "load",
    "key": "k",
    "cell": {},
    "log": "logs/x.log",
    "engine": "none.engine",
    "engine_sha256": "",
    "trusted": True,
}


def _session(work: Path, version: str, facts: dict[str, Any]) -> dict[str, Any] | None:
    """Run the suite on an engine that is not there, and return what it says of its target."""
    job = {
        "target": {"flavour": "onnxruntime", "version": version, "facts": facts},
        "phase": "check",
        "work": str(work),
        "events": str(work / "events.jsonl"),
        "deps": str(work),
        "settings": {},
        "items": [ITEM],
    }
    (work / "job.json").write_text(json.dumps(job))
    subprocess.run(
        [sys.executable, str(ROOT / "compat" / "suite" / "run.py"), str(work / "job.json")],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    events = [json.loads(line) for line in (work / "events.jsonl").read_text().splitlines()]
    return next((event["target"] for event in events if event["event"] == "session"), None)


def test_an_images_facts_stand_in_every_record(tmp_path: Path) -> None:
    """TensorRT's module in an NGC image states three parts; the host read the fourth elsewhere."""
    facts = {"module_version": SAID, "image": "nvcr.io/x:1", "cudnn": "8.9.4"}

    target = _session(tmp_path, f"{SAID}.6", facts)

    assert target is not None
    assert target["version"] == f"{SAID}.6"
    assert (target["image"], target["cudnn"]) == ("nvcr.io/x:1", "8.9.4")
    assert "module_version" not in target


@pytest.mark.parametrize("facts", [{}, {"module_version": "0.0"}])
def test_another_module_than_the_host_saw_runs_nothing(
    tmp_path: Path, facts: dict[str, Any]
) -> None:
    assert _session(tmp_path, f"{SAID}.6", facts) is None
