"""Whether a time of trtexec may stand beside one of ours, by the flags that it was run with.

Ours: inputs on the device, the time between two CUDA events around the enqueue, a spinning host, a
CUDA graph where the engine can be captured. trtexec's defaults were otherwise up to 10.16 and are
so from 11.0 on (samples/common/sampleOptions.h of both), and 11 takes the old flags as no-ops: the
flags of `LEVELLED` mean the same on every version.
"""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from compat.suite.trtexec import LEVELLED, Log

__all__ = ["FLIPPED", "LEVELLED", "differences", "same_release"]

FLIPPED = Version("11.0")

# What the default was before the flip, and the flag that leaves the new default after it.
_BEFORE = {
    "--noDataTransfers": "copies to and from the device ran between the queries",
    "--useSpinWait": "the host slept while it waited",
    "--useCudaGraph": "each query was enqueued layer by layer, without a CUDA graph",
}
_AFTER = {
    "--includeDataTransfers": _BEFORE["--noDataTransfers"],
    "--noSpinWait": _BEFORE["--useSpinWait"],
    "--noCudaGraph": _BEFORE["--useCudaGraph"],
}
_STREAMS = ("infStreams", "streams")
_PROFILING = ("--dumpProfile", "--exportProfile")


def differences(log: Log | None, wanted: str) -> tuple[str, ...]:
    """Return why a time cannot stand beside ours; empty where it can.

    Args:
        log: what trtexec printed; without it nothing is known.
        wanted: the TensorRT version of the item's target.
    """
    if log is None:
        return ("no log of trtexec was given, so its version and flags are not known",)
    if log.version is None:
        return ("trtexec did not say its version",)
    return tuple(_differences(log, log.version, wanted))


def same_release(said: str, wanted: str) -> bool:
    """Compare as many parts as both state: older releases of trtexec say three of four."""
    pairs = zip(said.split("."), wanted.split("."), strict=False)
    return all(a == b for a, b in pairs)


def _differences(log: Log, version: str, wanted: str) -> Iterator[str]:
    if not same_release(version, wanted):
        yield f"trtexec was of TensorRT {version}, the target is {wanted}"
    if log.passed is not True:
        yield "trtexec failed" if log.passed is False else "trtexec was cut short"
    given = {word.partition("=")[0] for word in log.arguments}
    flipped = Version(version) >= FLIPPED
    for flag, meaning in (_AFTER if flipped else _BEFORE).items():
        if (flag in given) == flipped:
            yield f"{meaning} ({flag} was {'' if flipped else 'not '}given)"
    for option in _STREAMS:
        if (log.value(option) or "1") != "1":
            yield f"{log.value(option)} streams ran at once"
    if not flipped and given & set(_PROFILING) and "--separateProfileRun" not in given:
        yield "layers were profiled in the timed run (--separateProfileRun was not given)"
