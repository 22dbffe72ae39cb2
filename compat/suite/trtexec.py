"""Time an engine, ours or its own, with the target's trtexec: another clock beside ours.

The flags of `LEVELLED` mean the same on every version: up to 10.16 the defaults are the opposite,
and from 11.0 on, where they are the default, they are taken as no-ops (samples/common of github
NVIDIA/TensorRT, sampleOptions.cpp). The forms that are read are those of sampleReporting.cpp and
logging.h.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np

from .outcome import Failed, Unsupported

LEVELLED = ("--noDataTransfers", "--useSpinWait", "--useCudaGraph")
DEFAULT_WARMUP_MS = 200.0  # trtexec's own, sampleOptions.h
_WARMUP_MS = 500.0
_SECONDS = 3
# Where NVIDIA's images and packages put it, on PATH or not.
_PLACES = (
    "/usr/src/tensorrt/bin/trtexec",
    "/opt/tensorrt/bin/trtexec",
    "/workspace/tensorrt/bin/trtexec",
)
_BANNER = re.compile(
    r"^&&&& (RUNNING|PASSED|FAILED|WAIVED) TensorRT\.trtexec"
    r"(?: \[TensorRT v(\d+)\])?(?: \[b(\d+)\])?(?: # (.*))?$",
    re.MULTILINE,
)
_BUILT = re.compile(r"\bEngine built in (\S+) sec", re.MULTILINE)  # sampleEngines.cpp
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_FIRST_INT64 = 9  # before it, INT64 inputs are INT32 bindings (onnx-tensorrt, Changelog 9.0)
FIRST_STRONG_ONLY = 11
_FIRST_POOLS = (8, 4)  # before it, the workspace has an option of its own
_MIB = 1 << 20
# What adapters.trt_build tells the builder; the flags have the same names.
WEAK: Dict[str, List[str]] = {
    "fp32": [],
    "tf32": [],
    "fp16": ["--fp16"],
    "bf16": ["--bf16"],
    "int8": ["--int8", "--fp16"],
    "fp8": ["--fp8", "--fp16"],
}


class Log(NamedTuple):
    """What trtexec says of itself.

    version: "10.16.0.72", or three parts, which is all that older releases say. arguments: the
    words of the command line. passed: None where the end is missing.
    """

    version: Optional[str]
    arguments: Tuple[str, ...]
    passed: Optional[bool]

    def value(self, option: str) -> Optional[str]:
        """Return the value of an option written as ``--option=value``, the last one given."""
        start = "--%s=" % option
        found = [word[len(start) :] for word in self.arguments if word.startswith(start)]
        return found[-1] if found else None


def find() -> Optional[str]:
    """Return the path of this target's trtexec, None where it has none."""
    on_path = shutil.which("trtexec")
    return on_path or next((place for place in _PLACES if os.access(place, os.X_OK)), None)


def read_banner(text: str) -> Optional[Log]:
    """Return what a log's lines ``&&&& RUNNING TensorRT.trtexec ...`` say; None without one."""
    said = list(_BANNER.finditer(text))
    if not said:
        return None
    last = said[-1].group(1)
    words = tuple((said[0].group(4) or "").split()[1:])
    version = _version(said[0].group(2), said[0].group(3))
    return Log(version, words, None if last == "RUNNING" else last == "PASSED")


def _version(number: Optional[str], build: Optional[str]) -> Optional[str]:
    """Return "8.6.1" for 8601 and "10.16.0.72" for 101600 with build 72 (NV_TENSORRT_VERSION).

    Up to TensorRT 9 the number is major * 1000 + minor * 100 + patch, from 10 on the major counts
    ten thousands.
    """
    if number is None:
        return None
    value = int(number)
    unit = 10000 if value >= 100000 else 1000
    parts = [value // unit, value % unit // 100, value % 100]
    return ".".join(str(part) for part in parts + ([int(build)] if build else []))


def counted(rows: List[Dict[str, Any]], warmup_ms: float) -> List[Dict[str, Any]]:
    """Return the queries of ``--exportTimes`` behind the warm-up, which older releases export."""
    return [row for row in rows if row.get("startComputeMs", warmup_ms) >= warmup_ms]


def shapes(option: str, profile: Mapping[str, Any], point: str) -> List[str]:
    """Return ``--option=x:8x3x224x224,y:8x77``; nothing for an engine without dynamic axes."""
    if all(sizes["min"] == sizes["max"] for sizes in profile.values()):
        return []
    texts = ["%s:%s" % (n, "x".join(map(str, sizes[point]))) for n, sizes in profile.items()]
    return ["--%s=%s" % (option, ",".join(texts))]


def loading(engine: str, profile: Mapping[str, Any], point: str) -> List[str]:
    """Return the options that load an engine, at one point of its profile."""
    return ["--loadEngine=" + engine, *shapes("shapes", profile, point)]


def building(onnx: str, built: Mapping[str, Any], version: str, point: str) -> List[str]:
    """Return the options that build the same cell anew, at one point of its profile.

    The precision stands in flags up to 10 (weak typing), in the ONNX from 10 on (strong typing);
    11 knows none of the flags. cuDNN is no tactic source here either.

    Args:
        onnx: the typed ONNX that ours was built from.
        built: how ours was built: precision, typing, profile, workspace_bytes, optimization_level,
            nodes.
        version: the TensorRT version.
        point: min, opt or max.

    Raises:
        Unsupported: options cannot say how ours was built.
    """
    if built["precision"] not in WEAK:
        raise Unsupported("trtexec-calibration", "trtexec would calibrate on inputs of its own")
    if built["nodes"]:
        raise Unsupported("trtexec-nodes", "trtexec has no option for this model's list of nodes")
    profile, release = built["profile"], tuple(map(int, version.split(".")[:2]))
    words = ["--onnx=" + onnx]
    for place in ("min", "opt", "max"):
        words += shapes(place + "Shapes", profile, place)
    words += shapes("shapes", profile, point)
    old = release[0] < FIRST_STRONG_ONLY
    if built["typing"] == "weak":
        words += WEAK[built["precision"]]
    elif old:
        words.append("--stronglyTyped")
    if built["precision"] == "fp32":
        words.append("--noTF32")
    if old:
        words.append("--tacticSources=-CUDNN")
    if built["workspace_bytes"]:
        option = "--memPoolSize=workspace:%d" if release >= _FIRST_POOLS else "--workspace=%d"
        words.append(option % (built["workspace_bytes"] // _MIB))
    if built["optimization_level"] is not None:
        words.append("--builderOptimizationLevel=%d" % built["optimization_level"])
    return words


def feeding(inputs: Mapping[str, str]) -> List[str]:
    """Return the option that names the files of the inputs."""
    return ["--loadInputs=" + ",".join("%s:%s" % pair for pair in inputs.items())]


def measuring(times: str) -> List[str]:
    """Return the options that say how it is timed."""
    length = ["--warmUp=%d" % _WARMUP_MS, "--duration=%d" % _SECONDS]
    return list(LEVELLED) + length + ["--exportTimes=" + times]


def write_inputs(feeds: Mapping[str, np.ndarray], folder: str, version: str) -> Dict[str, str]:
    """Write inputs as trtexec reads them: trtexec's own token ids would be out of range."""
    paths = {}
    narrow = int(version.split(".", maxsplit=1)[0]) < _FIRST_INT64
    for index, (name, array) in enumerate(feeds.items()):
        kind = np.int32 if narrow and array.dtype == np.int64 else array.dtype
        paths[name] = os.path.join(folder, "%d.bin" % index)
        np.ascontiguousarray(array, dtype=kind).tofile(paths[name])
    return paths


class Timing(NamedTuple):
    """Seconds of each query between two CUDA events around the enqueue, and what trtexec said.

    build_s: how long the builder took, where it built an engine.
    """

    compute: np.ndarray
    log: Log
    build_s: Optional[float]


def run(call: List[str], times: str, say: Callable[[str], None]) -> Timing:
    """Run trtexec to its end; the host owns the time limit and ends the whole process group.

    Raises:
        Failed: it failed, or wrote no times.
    """
    done = subprocess.run(
        call,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        preexec_fn=_die_with_the_suite,
    )
    text = done.stdout.decode("utf-8", "replace")
    say(text)
    log = read_banner(text) or Log(None, tuple(call[1:]), None)
    if done.returncode != 0 or log.passed is False:
        errors = [line for line in text.splitlines() if "[E]" in line] or ["no error was named"]
        raise Failed("trtexec-failed", "exit code %d: %s" % (done.returncode, errors[-1]))
    try:
        with open(times, encoding="utf-8") as stream:
            rows = counted(json.load(stream), _WARMUP_MS)
        compute = np.array([row["computeMs"] for row in rows], dtype=np.float64) / 1e3
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failed("trtexec-no-times", "%s: %s" % (type(error).__name__, error))
    if not len(compute):
        raise Failed("trtexec-no-times", "no query began after the warm-up")
    return Timing(compute, log, _build_seconds(text))


def _die_with_the_suite() -> None:
    """Ask the kernel to end trtexec when this process is killed: a build would go on for long."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _build_seconds(text: str) -> Optional[float]:
    """Return what trtexec says of its build; loading says "loaded in"."""
    found = _BUILT.search(text)
    return float(found.group(1)) if found else None
