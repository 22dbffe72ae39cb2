"""Asking an interpreter what it really has: the runtime's version, Python, distributions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from compat.targets import process, stamp
from compat.targets.uv import Uv

# Runs inside the target, so Python 3.8. A line of its own, since a runtime may print at import.
_MARK = "trt-compat-probe "
_QUESTION = r"""
import ctypes, importlib, json, os, platform, sys, sysconfig
def library():
    # All four parts: the module of a JetPack states three, the library that it has loaded the rest.
    try:
        with open("/proc/self/maps") as maps:
            paths = [line.split(None, 5)[-1].strip() for line in maps if "/libnvinfer.so" in line]
        asked = [getattr(ctypes.CDLL(paths[0]), "getInferLib%sVersion" % part)
                 for part in ("Major", "Minor", "Patch", "Build")]
        return ".".join(str(one()) for one in asked)
    except Exception:
        return None
facts = {"python": platform.python_version(), "implementation": platform.python_implementation(),
         "platform": sysconfig.get_platform(), "version": None, "error": None, "missing": False,
         "distributions": [], "library": None}
try:
    from importlib import metadata
    facts["distributions"] = sorted({"%s==%s" % (d.metadata["Name"].lower().replace("_", "-"),
                                    d.version) for d in metadata.distributions()
                                     if d.metadata["Name"]})
    module = importlib.import_module(sys.argv[1])
    facts["version"] = str(getattr(module, "__version__", "")) or None
    facts["library"] = library()
except Exception as error:
    facts["error"] = "%s: %s" % (type(error).__name__, error)
    facts["missing"] = isinstance(error, ImportError) and getattr(error, "name", "") == sys.argv[1]
sys.stdout.write("\n" + sys.argv[2] + json.dumps(facts) + "\n")
sys.stdout.flush()
os._exit(0)
"""
_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an interpreter said of itself. missing: it has no such module at all.

    version: without its local part, such as the "+cu130" of PyTorch; the fingerprint has it.
    full: the same with the parts that the runtime's own library adds to it.
    """

    version: str | None
    full: str | None
    python: str
    fingerprint: str
    error: str | None
    missing: bool

    @property
    def minor(self) -> str:
        """The Python as "3.11"."""
        return ".".join(self.python.split(".")[:2])

    def facts(self) -> dict[str, str]:
        """Return what the suite has to know: what the module will say where that is not all."""
        return (
            {"module_version": self.version} if self.version and self.full != self.version else {}
        )


def ask(uv: Uv, python: Path, module: str, variables: Mapping[str, str]) -> Answer | str:
    """Import a module in an interpreter and read its version; a string says why that failed.

    The answer leaves by os._exit: some runtimes crash on unloading where there is no driver, and
    that is a finding for the suite, not for this question.
    """
    settings = [f"{key}={value}" for key, value in variables.items()]
    question = ["env", *settings, str(python), "-c", _QUESTION, module, _MARK]
    try:
        outcome = uv.run(question, limit_s=_LIMIT_S)
    except OSError as error:
        return f"{python} cannot be started: {error.strerror}"
    lines = [line for line in outcome.output.splitlines() if line.startswith(_MARK)]
    if not lines:
        return f"{python} ended without an answer on import {module} ({_ending(outcome)})"
    facts = json.loads(lines[-1].removeprefix(_MARK))
    identity = [facts["distributions"], facts["python"], facts["implementation"], facts["platform"]]
    version = facts["version"] and facts["version"].partition("+")[0]
    library = facts["library"]
    return Answer(
        version=version,
        full=library if library and library.startswith(f"{version}.") else version,
        python=facts["python"],
        fingerprint=stamp.digest(identity),
        error=facts["error"],
        missing=facts["missing"],
    )


def _ending(outcome: process.Outcome) -> str:
    if outcome.timed_out:
        return f"no end after {_LIMIT_S:.0f} s"
    if outcome.code < 0:
        return f"signal {-outcome.code}"
    return f"exit code {outcome.code}"
