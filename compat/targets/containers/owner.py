"""Whose a container is, told by its labels, and taking away what a dead conductor left behind.

A conductor is named by boot, PID namespace, PID and start time: a PID alone is soon another
process, and on a shared daemon (a CI job with the host's socket) means something else elsewhere.
"""

from __future__ import annotations

import functools
import os
import secrets
from pathlib import Path

from compat.targets.containers.engine import Engine

RUN = "io.trt-compat.run"
TARGET = "io.trt-compat.target"
CONDUCTOR = "io.trt-compat.conductor"


@functools.cache
def run_id() -> str:
    """Return what stands in the names of all containers that this process starts."""
    return secrets.token_hex(4)


def labels(target: str) -> list[str]:
    """Return the options that say whose a container is."""
    values = {RUN: run_id(), TARGET: target, CONDUCTOR: conductor()}
    return [word for key, value in values.items() for word in ("--label", f"{key}={value}")]


def conductor() -> str:
    """Return this process as the label has it."""
    return f"{_place()}/{os.getpid()}/{_start(os.getpid())}"


def sweep(engine: Engine, *, own: bool = False) -> int:
    """Remove containers whose conductor is gone, and return how many they were.

    own: also those of this process, none of which is in use any more.
    """
    listed = engine.call("ps", "--all", "--quiet", "--filter", f"label={CONDUCTOR}")
    names = listed.output.split()
    if listed.code != 0 or not names:
        return 0
    dead = []
    for one in engine.inspect("container", *names):
        label = str(((one.get("Config") or {}).get("Labels") or {}).get(CONDUCTOR, ""))
        runs = bool((one.get("State") or {}).get("Running"))
        if (own and label == conductor()) or is_left_behind(label, runs):
            dead.append(str(one["Id"]))
    if dead:
        end(engine, *dead)
    return len(dead)


def end(engine: Engine, *names: str) -> None:
    """Kill and remove containers; those that are gone already are no error."""
    # `rm --force` of podman waits ten seconds for a container that does not heed SIGTERM.
    engine.call("kill", "--signal", "KILL", *names)
    engine.call("rm", "--force", *names)


def is_left_behind(label: str, runs: bool) -> bool:
    """Tell whether the conductor of this label is gone.

    One of another boot cannot live. One in another PID namespace cannot be looked at, so what it
    runs is left alone.
    """
    words = label.split("/")
    if len(words) != 4 or not words[2].isdecimal():
        return False
    boot, space, process, start = words
    if boot != _boot():
        return not runs
    return f"{boot}/{space}" == _place() and _start(int(process)) != start


def _place() -> str:
    return f"{_boot()}/{Path('/proc/self/ns/pid').readlink()}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start(pid: int) -> str:
    """Return when a process started, in ticks since boot; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
