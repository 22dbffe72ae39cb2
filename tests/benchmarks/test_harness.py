"""Where the time of a run on record went."""

from __future__ import annotations

import json
import subprocess
import sys
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


def test_the_time_of_each_phase_is_shared_out(tmp_path: Path) -> None:
    """Ten seconds on two GPUs: what the engines took, what their items, starts and waiting."""
    (tmp_path / "plan.json").write_text(json.dumps({"machine": {"gpus": ["H200", "H200"]}}))
    records = [
        _record(0, 6.0, numbers={"build_s": 5.0}, facts={"process_start_s": 1.5}),
        _record(10, 8.0, status="timeout"),  # it began at second 2, and all of it is the engine's
        _record(3, 0.0, status="not-run"),
    ]
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))

    script = ROOT / "benchmarks" / "harness.py"
    command = [sys.executable, str(script), "--of", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "| build | 2 | 10 | 20 | 13 | 1 | 2 | 4 |" in done.stdout
