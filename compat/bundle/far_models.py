"""The far machine's models: those that the bundle brought, and those that are made there.

What is made comes from seeds, by the code and package versions of home, and so is the same file by
file. Only int8's ranges are measured, by ONNX Runtime with the processor's own instructions: they
may differ in their last digits between two kinds of processor.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from rich.console import Console

from compat.bundle import wire
from compat.bundle.parts import BundleError
from compat.errors import UserError
from compat.prepared import PreparedModel
from compat.suite.cores import threads

Say = Callable[[str], None]
Spec = dict[str, Any]

# One model of 90 million parameters takes 4.6 GB while its int8 form is made.
_MEMORY_GB = 6
# ONNX Runtime gains little from more; the rest of the preparation has one thread.
_THREADS = 4


def models_of(work: Path, far: Mapping[str, Any], say: Say) -> dict[str, PreparedModel]:
    """Return every model of the plan, made ready.

    Args:
        work: the far work folder.
        far: what was written at create time.
        say: told how the preparation goes on.

    Raises:
        UserError: a model cannot be made here.
    """
    found = {name: wire.decode(model, work) for name, model in far["models"].items()}
    if specs := far["make"]["specs"]:
        found |= _made(work, wire.decode(specs, work), far["make"]["opsets"], say)
    return {str(model["name"]): found[model["name"]] for model in far["plan"]["models"]}


def _made(
    work: Path, specs: Sequence[Spec], opsets: Sequence[int], say: Say
) -> dict[str, PreparedModel]:
    """Prepare models side by side, each in a process of its own, which gives its memory back."""
    cores = threads()
    side_by_side = max(1, min(len(specs), cores // _THREADS, _memory_gb() // _MEMORY_GB))
    share = max(1, cores // side_by_side)
    names = ", ".join(str(spec["name"]) for spec in specs)
    say(f"preparing {names}: {side_by_side} at a time, {share} threads each")
    started, made, waiting = time.monotonic(), {}, list(specs)
    running: dict[Connection, tuple[str, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < side_by_side:
                spec = waiting.pop(0)
                answer, process = _start(spec, work, tuple(opsets), share)
                running[answer] = str(spec["name"]), process
            ready = wait(list(running))
            for answer in [one for one in running if one in ready]:
                name, process = running.pop(answer)
                made[name] = _answered(answer, name, process)
    finally:
        for _, process in running.values():
            process.kill()
            process.join()
    new = sum(not model.cached for model in made.values())
    say(f"prepared {new} of {len(made)} models anew in {time.monotonic() - started:.0f} s")
    return made


def _start(
    spec: Spec, work: Path, opsets: tuple[int, ...], threads: int
) -> tuple[Connection, SpawnProcess]:
    context = multiprocessing.get_context("spawn")
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_one, args=(sender, spec, work, opsets, threads), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    process.start()  # with Ctrl-C blocked: it is its parent that ends it
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    sender.close()
    return answer, process


def _answered(answer: Connection, name: str, process: SpawnProcess) -> PreparedModel:
    """Return what a process made, or raise what stopped it."""
    try:
        with answer:
            found: PreparedModel | UserError = answer.recv()
    except EOFError:
        process.join()
        raise BundleError(
            f"the process that prepared {name} died ({process.exitcode}); where memory is short "
            f"the kernel kills (signal 9): {_memory_gb()} GB are free now. Make room, then run "
            "the same command again"
        ) from None
    process.join()
    if isinstance(found, UserError):
        raise found
    return found


def _one(sender: Connection, spec: Spec, work: Path, opsets: tuple[int, ...], threads: int) -> None:
    """Prepare one model; runs in a process of its own."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    from compat.models import ModelError, ModelSpec, prepare  # noqa: PLC0415 - onnx may be missing

    console = Console(highlight=False, soft_wrap=True)

    def say(text: str) -> None:
        console.print(text, markup=False)

    try:
        sender.send(prepare(ModelSpec(**spec), work, opsets=opsets, progress=say))
    except ModelError as error:
        sender.send(error)


def _memory_gb() -> int:
    """Return the memory that is free, or a small machine's where the kernel does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        kilobytes = next(int(one.split()[1]) for one in lines if one.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return _MEMORY_GB
    return kilobytes // 1_000_000
