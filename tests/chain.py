"""Run the real command on a small real matrix: TensorRT-RTX and ONNX Runtime, quick models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MATRIX = """
schema = 1
precisions = ["fp32", "fp16"]
[targets."rtx-1.7"]
flavour = "tensorrt_rtx"
version = "1.7.1.116"
[targets."ort-1.30"]
flavour = "onnxruntime"
version = "1.30.0"
role = "current"
[targets."ort-1.31"]
flavour = "onnxruntime"
version = "1.31.1"
role = "candidate"
[models.text]
source = "builtin:clip-vit-b32-text"
axes = { batch = [1, 2, 4] }
[limits.accuracy]
fp32 = { cosine = 0.9999 }
fp16 = { cosine = 0.99 }
[gate]
inconclusive = "allow"
not-run = "allow"
"""


def heed_ctrl_c() -> None:
    """Give a child its own SIGINT back: a shell's background job, such as CI's, ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass
class Chain:
    """One work folder and one output folder, with the command that uses them."""

    home: Path
    work: Path
    out: Path
    config: Path
    env: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``trt-compat run`` and return at once."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "compat", "run", "--quick"),
                *("--config", str(self.config), "--work", os.path.relpath(self.work, self.home)),
                *("--out", os.path.relpath(self.out, self.home)),
                *arguments,
            ],
            cwd=self.home,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **self.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=heed_ctrl_c,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run to the end and return the exit code and what was printed."""
        with self.start(*arguments) as process:
            text, _ = process.communicate(timeout=300)
            return process.returncode, text

    def records(self) -> list[dict[str, Any]]:
        """Return every record of the work folder, in the order of writing."""
        path = self.work / "records.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def verdict(self) -> dict[str, Any]:
        """Return ``verdict.json``."""
        found: dict[str, Any] = json.loads((self.out / "verdict.json").read_text(encoding="utf-8"))
        return found

    def forget_records(self) -> None:
        """Start from prepared models and environments, with nothing run."""
        (self.work / "records.jsonl").unlink(missing_ok=True)

    def wait_for_records(self, count: int, timeout_s: float = 120) -> None:
        """Wait until a running command has written `count` records."""
        path, end = self.work / "records.jsonl", time.monotonic() + timeout_s
        while time.monotonic() < end:
            if path.exists() and len(path.read_bytes().splitlines()) >= count:
                return
            time.sleep(0.02)
        raise TimeoutError(f"no {count} records within {timeout_s} s")


def suite_processes(parent: int) -> Iterator[int]:
    """Yield the suite processes that a running command has started."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"suite/run.py" in command:
            yield int(stat.parent.name)


def signal_suite(parent: int, number: signal.Signals, timeout_s: float = 60) -> None:
    """Send a signal to the suite process of a running command."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        for pid in suite_processes(parent):
            os.kill(pid, number)
            return
        time.sleep(0.005)
    raise TimeoutError("no suite process")
