"""Where the time of a run on record went."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AT = "2026-11-21T00:00:{:02d}.000+00:00"


def _record(second: int, seconds: float, **more: Any) -> dict[str, Any]:
    base = {"item": f"build/{second}", "phase": "build", "check": "build", "status": "ok"}
    return {
        **base,
        "started": AT.format(second),
        "seconds": seconds,
        "numbers": {},
        "facts": {},
        **more,
    }


def _told(out: Path, records: Sequence[dict[str, Any]]) -> str:
    (out / "plan.json").write_text(json.dumps({"machine": {"gpus": ["H200", "H200"]}}))
    (out / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    script = ROOT / "benchmarks" / "harness.py"
    command = [sys.executable, str(script), "--of", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_time_of_each_phase_is_shared_out(tmp_path: Path) -> None:
    """Ten seconds on two GPUs: what the engines took, what their items, starts and waiting."""
    records = [
        _record(0, 6.0, numbers={"build_s": 5.0}, facts={"process_start_s": 1.5}),
        _record(10, 8.0, status="timeout"),  # it began at second 2, and all of it is the engine's
        _record(3, 0.0, status="not-run"),
    ]

    assert "| build | 2 | 10 | 20 | 13 | 1 | 2 | 4 |" in _told(tmp_path, records)


def test_a_benchmark_has_its_samples_and_a_crash_its_end(tmp_path: Path) -> None:
    """Records of before process starts were kept do not say that a process starts in no time."""
    timed = {"load_s": 1.0, "warmup_s": 0.5, "n": 100, "mean_s": 0.02}
    records = [
        _record(0, 4.0, phase="bench", check="latency", numbers=timed),
        _record(5, 3.0, phase="bench", check="latency", status="crashed"),
    ]

    assert "| bench | 2 | 5 | 10 | 4 | 4 | not recorded | 3 |" in _told(tmp_path, records)
