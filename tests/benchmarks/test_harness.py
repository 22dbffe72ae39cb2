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
        _record(0, 6.0, numbers={"build_s": 5.0}, facts={"process_start_s": 1.5, "slot": "GPU 0"}),
        # It began at second 2, and all of it is the engine's.
        _record(10, 8.0, status="timeout", facts={"slot": "GPU 1", "handover_s": 0.6}),
        _record(3, 0.0, status="not-run"),
    ]

    told = _told(tmp_path, records)

    # 16 of 20 seconds were worked, 3 more than the engines' own 13.
    assert "| build | 2 | 10 | 20 | 13 | 1 | 2 | 1 | 4 | 0 | 23.1% |" in told
    assert "| all | 2 | 10 | 20 | 13 | 1 | 2 | 1 | 4 | 0 | 23.1% |" in told
    assert "Without what had to be stopped (1 items, 8 s): 60.0%." in told


def test_a_benchmark_has_its_measured_time_and_a_crash_its_end(tmp_path: Path) -> None:
    """Records of before the block's time was kept have its samples' only."""
    timed = {"load_s": 1.0, "warmup_s": 0.5, "n": 100, "mean_s": 0.02}
    slots = [{"slot": "GPU 0"}, {"slot": "GPU 1"}]
    records = [
        _record(0, 4.0, phase="bench", check="latency", numbers=timed, facts=slots[0]),
        _record(5, 3.0, phase="bench", check="latency", status="crashed", facts=slots[1]),
    ]
    assert "| bench | 2 | 5 | 10 | 4 | 4 |" in _told(tmp_path, records)

    records[0]["numbers"] = {**timed, "measured_s": 2.5}
    assert "| bench | 2 | 5 | 10 | 4 | 3 |" in _told(tmp_path, records)


def test_where_no_engine_took_time_there_is_no_share(tmp_path: Path) -> None:
    """Every build of a target may end before its builder begins."""
    records = [_record(0, 2.0, status="crashed")]

    assert "| build | 1 | 2 | 4 | 0 | 2 | 0 | 0 | 0 | 2 | - |" in _told(tmp_path, records)


def test_a_gpu_that_had_nothing_to_do_has_waited(tmp_path: Path) -> None:
    """It is no time of the harness, and no time of the engines."""
    records = [_record(0, 6.0, numbers={"build_s": 6.0}, facts={"slot": "GPU 1"})]

    assert "| build | 1 | 6 | 12 | 6 | 0 | 0 | 0 | 6 | 0 | 0.0% |" in _told(tmp_path, records)
