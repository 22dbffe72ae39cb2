"""Suite processes that have done their job and wait for the next one of the same kind.

Starting Python, importing a runtime and making its context takes a second or more, a builder of
TensorRT 8.6 another seven: more than most checks. One process after the other works on a GPU; those
that wait hold a context and do nothing. Those of a benchmark hold none: they fork for each engine.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.targets import Container

# How long a killed process may take to give back its memory, the device's too.
_GROUP_S = 10.0
# How long an engine's client may take to see that its container has ended.
_CLIENT_S = 5.0
# What waits must leave the next one its memory: builders choose tactics by what is free.
_LEAST_FREE_SHARE = 0.75
# After anything else a process is not asked again: its runtime may be broken from here on.
_SOUND = ("ok", "refused", "unsupported")


@dataclass(frozen=True, slots=True)
class Worker:
    """A running suite process, and what it runs in."""

    process: subprocess.Popen[bytes]
    container: Container | None

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self.process.poll() is None

    def begin(self) -> bool:
        """Tell it that another job stands in its file; False where nobody listens any more."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(b"\n")
        except OSError:
            return False
        return self.is_running

    def end(self) -> None:
        """End the process and everything it started.

        A container is no child of ours: its engine has to end it, also where only its client has
        died.
        """
        process, container = self.process, self.container
        if container is not None and (process.poll() is None or process.returncode < 0):
            container.end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_CLIENT_S)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            _await_end_of_group(process.pid)
            if container is not None:  # it may just have been coming to life
                container.end()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _await_end_of_group(group: int) -> None:
    """Wait until no process of a killed group lives any more.

    A fork that held the GPU can outlive its parent by a second: freeing gigabytes takes that long.
    """
    end = time.monotonic() + _GROUP_S
    while _lives(group) and time.monotonic() < end:
        time.sleep(0.02)


def _lives(group: int) -> bool:
    """Tell whether a process group has a member that is no zombie; not all init programs reap."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may hold anything; state, parent and group follow it.
            state, _, its_group = stat.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False


@dataclass(slots=True)
class Workers:
    """The processes that wait, one for each job file: a target, a phase and a GPU.

    Its seat says how it was started and what it sees; a job that needs another one ends it. Users'
    models lie in as many folders, and a container for each of them would fill the machine.
    """

    _waiting: dict[Path, tuple[Hashable, Worker]] = field(default_factory=dict)

    def call(self, path: Path, seat: Hashable) -> Worker | None:
        """Return the process that waits there, told to begin; None where one must be started."""
        if path not in self._waiting:
            return None
        its_seat, worker = self._waiting.pop(path)
        if its_seat == seat and worker.begin():
            return worker
        worker.end()
        return None

    def keep(self, path: Path, seat: Hashable, worker: Worker) -> None:
        """Let a process wait for the next job."""
        self._waiting[path] = seat, worker

    def dismiss(self) -> None:
        """End all that wait. Everything that they found is on disk."""
        with contextlib.ExitStack() as stack:  # a Ctrl-C in one of them still ends the others
            while self._waiting:
                _, (_, worker) = self._waiting.popitem()
                stack.callback(worker.end)


def may_wait(statuses: set[str], end: dict[str, Any]) -> bool:
    """Tell whether a process can be given another job, by what it found and said at its end."""
    free = end["free_device_share"]
    has_room = free is None or free >= _LEAST_FREE_SHARE
    return statuses <= set(_SOUND) and has_room and not end["is_spent"]
