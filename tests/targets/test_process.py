"""Children that end when told, with all their own children."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from compat.targets import process


def test_keeps_output_and_code(tmp_path: Path) -> None:
    """Exit code and output come back, and the log has the command."""
    log = tmp_path / "logs" / "x.log"
    argv = ["sh", "-c", "echo out; echo err >&2; exit 3"]

    outcome = process.run(argv, log=log, deadline=time.monotonic() + 9, env={}, beat=lambda _: None)

    assert (outcome.code, outcome.timed_out) == (3, False)
    assert outcome.output == "out\nerr\n"
    assert log.read_text().startswith("$ sh -c")


def test_interrupt_ends_the_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a child runs leaves neither it nor its children behind."""
    monkeypatch.setattr(process, "_BEAT_S", 0.3)
    argv = ["sh", "-c", f"sleep 654 & echo $! >{tmp_path}/pid; wait"]

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        process.run(
            argv,
            log=tmp_path / "log",
            deadline=time.monotonic() + 30,
            env={"PATH": "/usr/bin:/bin"},
            beat=interrupt,
        )

    child = Path("/proc") / (tmp_path / "pid").read_text().strip() / "cmdline"
    for _ in range(20):
        if not child.exists() or b"654" not in child.read_bytes():
            return
        time.sleep(0.05)
    pytest.fail("a grandchild lives on")
