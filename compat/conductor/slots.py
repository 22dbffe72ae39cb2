"""The GPUs of this machine, one process at a time on each, and the work shared out among them."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from compat.conductor.process import Watch
from compat.suite.driver import Gpu, probe

POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one suite process at a time.

    `visible` is what the process gets as CUDA_VISIBLE_DEVICES; None leaves the variable as it is,
    where the machine has no GPU or nothing to choose.
    """

    number: int = 0
    visible: str | None = None

    @property
    def label(self) -> str:
        """What a person reads, such as "GPU 2"; nothing where there is nothing to choose."""
        if self.visible is None:
            return ""
        return f"GPU {self.visible}" if self.visible.isdigit() else self.visible[:12]

    @property
    def suffix(self) -> str:
        """What keeps its files apart from those of the others."""
        return "" if self.visible is None else f".{self.number}"


WHOLE_MACHINE = (Slot(),)

Work = Callable[[Slot], Generator[Watch]]


def of_this_machine(say: Callable[[str], None]) -> tuple[Slot, ...]:
    """Return a slot for each GPU that may be used here; `say` is told what is left out."""
    return find(probe().gpus, os.environ.get("CUDA_VISIBLE_DEVICES"), say)


def find(gpus: Sequence[Gpu], visible: str | None, say: Callable[[str], None]) -> tuple[Slot, ...]:
    """Return a slot for each GPU of the first one's kind, or one for the whole machine.

    Args:
        gpus: what the driver shows this process.
        visible: CUDA_VISIBLE_DEVICES of this process, indices or UUIDs, in the order of `gpus`.
        say: told which GPUs are left out, since results of two kinds would mix.
    """
    if len(gpus) < 2:
        return WHOLE_MACHINE
    # CUDA passes over everything behind the first entry that it does not know.
    names = visible.split(",") if visible else map(str, range(len(gpus)))
    like = [name.strip() for name, gpu in zip(names, gpus, strict=False) if gpu == gpus[0]]
    if others := Counter(gpu for gpu in gpus if gpu != gpus[0]):
        what = ", ".join(f"{count} x {gpu.name} ({gpu.arch})" for gpu, count in others.items())
        say(f"only the GPUs like the first are used ({len(like)} x {gpus[0].name}), not {what}")
    return tuple(Slot(number, name) for number, name in enumerate(like))


def share(
    work: Iterable[Work], slots: Sequence[Slot], look: Callable[[Mapping[Slot, Watch]], None]
) -> None:
    """Do all the work: a slot that is free takes the next piece, and each piece has one slot.

    `look` is called between two looks at the processes. However this ends, Ctrl-C included, every
    process has ended with it.
    """
    left = deque(work)
    running: dict[Slot, Generator[Watch]] = {}
    try:
        while True:
            seen = {}
            for slot in slots:
                while slot in running or left:
                    if slot not in running:
                        running[slot] = left.popleft()(slot)
                    if (watch := next(running[slot], None)) is not None:
                        seen[slot] = watch
                        break
                    del running[slot]
            if not running:
                return
            look(seen)
            time.sleep(POLL_S)
    finally:
        with ExitStack() as stack:  # a second Ctrl-C in one of them still closes the others
            for generator in running.values():
                stack.callback(generator.close)
