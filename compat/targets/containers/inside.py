"""An image's own answer, read and compared with what the configuration claims of it."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compat.targets import process, stamp
from compat.targets.containers import question
from compat.targets.containers.engine import Trouble, last_line
from compat.targets.containers.launch import Launcher, Mounts
from compat.targets.spec import Reason, TargetSpec

# The first import of a large runtime from cold layers takes its time.
_LIMIT_S = 180.0
# Podman also ends with these where it could not start the container, whatever the command.
_NO_COMMAND = (126, 127)
_NO_PROGRAM = re.compile(
    r"\bexec(utable)?\b.*(not found|no such file|not a directory|permission denied)", re.I
)
# What uv calls the oldest C libraries that the suite's numpy has wheels for, newest first.
_PLATFORMS = (((2, 28), "manylinux_2_28"), ((2, 17), "manylinux_2_17"))


@dataclass(frozen=True, slots=True)
class Inside:
    """What an image said of itself.

    version: the module's own, without a local part such as "+cu130". full: the same with all parts
    that a library, package list, header or variable of the image adds to it.
    """

    facts: Mapping[str, Any]
    version: str
    full: str

    @property
    def minor(self) -> str:
        """The Python as "3.8"."""
        return _minor(self.facts)

    def known(self, what: str) -> str:
        """Return the first answer for "cuda" or "cudnn"; "" where there is none."""
        return next((str(one) for one in self.facts[what].values() if one), "")

    @property
    def gpus(self) -> int:
        """How many GPUs CUDA shows inside."""
        return int(self.facts["driver"]["gpus"])

    def platform(self) -> str | Trouble:
        """Return what uv calls the platform that the suite's numpy has to fit."""
        libc, machine = str(self.facts["libc"]), str(self.facts["machine"])
        name, _, number = libc.partition(" ")
        if name == "glibc":
            has = tuple(int(one) for one in number.split(".")[:2])
            for needed, tag in _PLATFORMS:
                if has >= needed:
                    return f"{machine}-{tag}"
        text = f"its C library is {libc or 'unknown'}; the suite's numpy needs glibc 2.17 or newer"
        return Trouble("platform", text)

    def fingerprint(self, image: str) -> str:
        """Return the digest of all that a result depends on: another image is another key."""
        facts = [self.facts[key] for key in ("distributions", "python", "platform")]
        return stamp.digest([image, facts])

    def record(self) -> dict[str, Any]:
        """Return what every record of the target says of it."""
        kept = ("os", "libc", "trtexec", "numpy")
        facts = {key: self.facts[key] for key in kept}
        cuda, cudnn = self.known("cuda") or None, self.known("cudnn") or None
        return {**facts, "cuda_toolkit": cuda, "cudnn": cudnn, "module_version": self.version}


def _minor(facts: Mapping[str, Any]) -> str:
    return ".".join(str(facts["python"]).split(".")[:2])


def ask(
    launcher: Launcher,
    programs: Sequence[str],
    modules: Sequence[str],
    unfit: Callable[[str], str],
    log: Path,
) -> tuple[str, Inside] | Trouble:
    """Ask an image by the first of these interpreters that it has, and return that one too.

    unfit: why the suite does not run on a Python ("3.6"); "" where it does.
    """
    words = ""
    for program in programs:
        container = launcher.container(Mounts(), {})
        argv = container.prefixed([program, "-c", question.SCRIPT, question.MARK, *modules])
        try:
            outcome = process.run(
                argv,
                log=log,
                deadline=time.monotonic() + _LIMIT_S,
                env=os.environ,
                beat=lambda _: None,
            )
        except BaseException:
            container.end()
            raise
        if outcome.timed_out:
            container.end()
            return Trouble("install-failed", f"its {program} gave no answer in {_LIMIT_S:.0f} s")
        said = last_line(outcome.output)
        if outcome.code in _NO_COMMAND and _NO_PROGRAM.search(said):
            words = words or said
            continue
        return _read(program, modules, unfit, outcome)
    names = " or ".join(programs)
    message = f"the image has no {names}: name its interpreter in the target's python ({words})"
    return Trouble("interpreter-missing", message)


def _read(
    program: str, modules: Sequence[str], unfit: Callable[[str], str], outcome: process.Outcome
) -> tuple[str, Inside] | Trouble:
    lines = [line for line in outcome.output.splitlines() if line.startswith(question.MARK)]
    if not lines:
        words = last_line(outcome.output) or "nothing printed"
        full = "no space left" in outcome.output.lower()
        reason: Reason = "disk-full" if full else "install-failed"
        started = outcome.code not in (125, *_NO_COMMAND)
        what = "no answer from it" if started else "the engine could not start it"
        return Trouble(reason, f"{what} (exit code {outcome.code}: {words})")
    facts = json.loads(lines[-1].removeprefix(question.MARK))
    # Said first: whatever else such an interpreter lacks would not help it.
    if text := unfit(_minor(facts)):
        return Trouble("interpreter-missing", text)
    if facts["error"] is not None:
        return Trouble("install-failed", f"its Python cannot import {facts['error']}")
    if facts["module"] is None or facts["version"] is None:
        names = " or ".join(modules)
        text = f"the image has no module {names} for its {program} (Python {facts['python']})"
        return Trouble("version-not-found", text)
    version = str(facts["version"]).partition("+")[0]
    longer = [one for one in facts["tensorrt"].values() if one and one.startswith(f"{version}.")]
    return program, Inside(facts, version, str(longer[0]) if longer else version)


def differs(target: TargetSpec, inside: Inside) -> Trouble | None:
    """Return what the image is instead of what the configuration claims, or None."""
    if target.version not in (inside.version, inside.full):
        text = (
            f"the image has {target.flavour} {inside.full}, and the target says {target.version}: "
            "correct the version, or name another image"
        )
        return Trouble("version-differs", text)
    cuda = inside.known("cuda")
    if target.cuda is not None and cuda and cuda.split(".")[0] != target.cuda:
        text = f'the image has CUDA {cuda}, and the target says cuda = "{target.cuda}"'
        return Trouble("version-differs", f"{text}: correct it, or leave it out")
    return None
