"""Child processes that cannot outstay their time, with all they print kept in a log."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_BEAT_S = 20.0
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended: exit code (negative: a signal), what it printed, whether time ran out."""

    code: int
    output: str
    timed_out: bool = False


def redacted(text: str) -> str:
    """Return the text without user names and passwords in URLs."""
    return _CREDENTIALS.sub("***@", text)


def run(
    argv: Sequence[str],
    *,
    log: Path,
    deadline: float,
    env: Mapping[str, str],
    beat: Callable[[float], None],
    keep_open: tuple[int, ...] = (),
) -> Outcome:
    """Run a command in a process group of its own and append its output to the log.

    deadline: monotonic seconds; at it, or at an interrupt, the whole group is killed.
    beat: called with the seconds gone, about every 20 s. keep_open: descriptors to inherit.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        sink.write(f"$ {redacted(' '.join(argv))}\n".encode())
        sink.flush()
        start = sink.tell()
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=dict(env),
            start_new_session=True,
            pass_fds=keep_open,
        )
        try:
            timed_out = not _wait(child, deadline, beat)
        finally:
            _end_group(child)
    with log.open("rb") as source:
        source.seek(start)
        output = redacted(source.read().decode(errors="replace"))
    return Outcome(child.returncode, output, timed_out)


def _wait(child: subprocess.Popen[bytes], deadline: float, beat: Callable[[float], None]) -> bool:
    began = time.monotonic()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        try:
            child.wait(min(left, _BEAT_S))
            return True
        except subprocess.TimeoutExpired:
            beat(time.monotonic() - began)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group: after a normal end there is nobody, and that is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
