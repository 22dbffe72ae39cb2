"""An independent clock for one engine: CUDA events around its launches, and nothing of compat.

``python event_loop.py ENGINE FEEDS.npz [--seconds 3] [--warmup 0.5] [--no-graph]`` runs inside a
target environment (Python 3.8 or later, TensorRT 8.5 or later) and prints one JSON line:
``median_ms``, ``mean_ms``, ``p99_ms``, ``cv`` (standard deviation by mean), ``n``, ``graph``.

It shares no code with the suite on purpose, and goes through CUDA's runtime library where the
suite goes through the driver: what both say alike is no mistake of one of them.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import glob
import importlib
import json
import math
import os
import statistics
import sys
import time

STREAM_NON_BLOCKING = 1
HOST_TO_DEVICE = 1
CAPTURE_THREAD_LOCAL = 1
TYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}
KNOWN = ("libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")


def main(argv: list[str]) -> int:
    """Measure and print; return 0, or 2 where it cannot be measured here."""
    asked = arguments(argv)
    sys.path.extend(asked.path)
    try:
        print(json.dumps(measure(asked)))
    except (RuntimeError, OSError, ImportError) as error:
        print("event_loop: %s" % error, file=sys.stderr)
        return 2
    return 0


def arguments(argv: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="CUDA events around the launches of one engine")
    parser.add_argument("engine")
    parser.add_argument("feeds", help=".npz, one array per input")
    parser.add_argument("--seconds", type=float, default=3.0, help="time to measure for")
    parser.add_argument("--warmup", type=float, default=0.5, help="seconds that do not count")
    parser.add_argument("--no-graph", action="store_true", help="enqueue, do not capture")
    parser.add_argument("--module", default="tensorrt", help="what to import")
    parser.add_argument("--path", action="append", default=[], help="a folder that holds numpy")
    return parser.parse_args(argv)


def measure(asked: argparse.Namespace) -> dict[str, object]:
    """Load the engine, place its inputs, and time its launches."""
    trt = importlib.import_module(asked.module)
    runtime = Runtime(find_cudart(sys.path))
    logger = trt.Logger(trt.Logger.ERROR)
    loader = trt.Runtime(logger)
    with open(asked.engine, "rb") as stream:
        engine = loader.deserialize_cuda_engine(stream.read())
    if engine is None:
        raise RuntimeError("TensorRT %s refuses %s" % (trt.__version__, asked.engine))
    context = engine.create_execution_context()
    place(trt, runtime, engine, context, asked.feeds)

    def enqueue() -> None:
        if not context.execute_async_v3(runtime.stream.value):
            raise RuntimeError("TensorRT could not enqueue the engine")

    enqueue()
    runtime.wait()
    launch = None if asked.no_graph else runtime.graph(enqueue)
    samples = time_launches(runtime, launch or enqueue, asked.warmup, asked.seconds)
    return {**summary(samples), "graph": launch is not None, "tensorrt": trt.__version__}


def place(trt: object, runtime: Runtime, engine: object, context: object, feeds: str) -> None:
    """Give every tensor its memory, and the inputs their values."""
    import numpy as np  # noqa: PLC0415  # may lie in a folder that the caller names

    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    kinds = {name: np.dtype(TYPES[engine.get_tensor_dtype(name).name]) for name in names}
    with np.load(feeds) as archive:
        for name in inputs:
            array = np.ascontiguousarray(archive[name].astype(kinds[name]))
            if not context.set_input_shape(name, array.shape):
                raise RuntimeError("shape %s of input %s is refused" % (array.shape, name))
            pointer = runtime.memory(array.nbytes)
            runtime.copy_in(pointer, array.ctypes.data, array.nbytes)
            context.set_tensor_address(name, pointer)
    for name in set(names) - set(inputs):
        count = math.prod(context.get_tensor_shape(name))
        context.set_tensor_address(name, runtime.memory(count * kinds[name].itemsize))


def time_launches(runtime: Runtime, launch: object, warmup_s: float, seconds: float) -> list[float]:
    """Return the milliseconds between two events around each launch.

    One launch is always enqueued ahead of the one that is waited for, so the GPU never waits for
    the host. The first sample, which had nothing ahead of it, is dropped.
    """
    end = time.perf_counter() + warmup_s
    while time.perf_counter() < end:
        launch()
        runtime.wait()
    pairs = [(runtime.event(), runtime.event()) for _ in range(2)]
    samples: list[float] = []
    end = time.perf_counter() + seconds
    enqueued = 0
    while len(samples) < 2 or time.perf_counter() < end:
        begin, done = pairs[enqueued % 2]
        runtime.record(begin)
        launch()
        runtime.record(done)
        enqueued += 1
        if enqueued > 1:
            samples.append(runtime.between(*pairs[enqueued % 2]))
    runtime.wait()
    return samples[1:]


def summary(samples: list[float]) -> dict[str, object]:
    """Return median, mean, p99 (the sample at n-1-floor(0.01*n), as trtexec), cv and count."""
    ordered, mean = sorted(samples), statistics.fmean(samples)
    spread = statistics.stdev(samples) if len(samples) > 1 else 0.0
    return {
        "median_ms": statistics.median(ordered),
        "mean_ms": mean,
        "p99_ms": ordered[len(ordered) - 1 - int(0.01 * len(ordered))],
        "cv": spread / mean,
        "n": len(ordered),
    }


def find_cudart(folders: list[str]) -> str:
    """Return CUDA's runtime library: of NVIDIA's wheels in these folders, else the system's.

    Raises:
        RuntimeError: there is none.
    """
    for folder in folders:
        pattern = os.path.join(folder or ".", "nvidia", "*", "lib", "libcudart.so.*")
        for path in sorted(glob.glob(pattern)):
            return path
    for name in (ctypes.util.find_library("cudart"), *KNOWN):
        try:
            if name:
                ctypes.CDLL(name)
                return name
        except OSError:
            continue
    raise RuntimeError("no libcudart: no nvidia-cuda-runtime wheel here, and none in the system")


class Runtime:
    """CUDA's runtime API on device 0, with one stream."""

    def __init__(self, library: str) -> None:
        self._lib = ctypes.CDLL(library)
        self._lib.cudaGetErrorName.restype = ctypes.c_char_p
        self._call("cudaSetDevice", 0)
        self.stream = ctypes.c_void_p()
        self._call("cudaStreamCreateWithFlags", ctypes.byref(self.stream), STREAM_NON_BLOCKING)

    def _call(self, name: str, *given: object) -> None:
        code = getattr(self._lib, name)(*given)
        if code:
            said = self._lib.cudaGetErrorName(code).decode()
            raise RuntimeError("%s: %s (%d)" % (name, said, code))

    def memory(self, size: int) -> int:
        """Return a pointer to device memory; it is kept until the process ends."""
        pointer = ctypes.c_void_p()
        self._call("cudaMalloc", ctypes.byref(pointer), ctypes.c_size_t(max(size, 1)))
        return pointer.value

    def copy_in(self, pointer: int, source: int, size: int) -> None:
        """Copy host memory to the device."""
        target, host = ctypes.c_void_p(pointer), ctypes.c_void_p(source)
        self._call("cudaMemcpy", target, host, ctypes.c_size_t(size), HOST_TO_DEVICE)

    def wait(self) -> None:
        """Wait until the stream is empty."""
        self._call("cudaStreamSynchronize", self.stream)

    def event(self) -> ctypes.c_void_p:
        """Make an event."""
        event = ctypes.c_void_p()
        self._call("cudaEventCreate", ctypes.byref(event))
        return event

    def record(self, event: ctypes.c_void_p) -> None:
        """Put an event on the stream."""
        self._call("cudaEventRecord", event, self.stream)

    def between(self, begin: ctypes.c_void_p, end: ctypes.c_void_p) -> float:
        """Wait for `end` and return the milliseconds from `begin` to it."""
        self._call("cudaEventSynchronize", end)
        elapsed = ctypes.c_float()
        self._call("cudaEventElapsedTime", ctypes.byref(elapsed), begin, end)
        return elapsed.value

    def graph(self, enqueue: object) -> object:
        """Return a call that launches what `enqueue` puts on the stream; None if it cannot be."""
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        try:
            self._call("cudaStreamBeginCapture", self.stream, CAPTURE_THREAD_LOCAL)
            try:
                enqueue()
            finally:
                self._call("cudaStreamEndCapture", self.stream, ctypes.byref(graph))
            # cudaGraphInstantiate itself changed its arguments in CUDA 12; this one did not.
            flags = ctypes.c_ulonglong(0)
            self._call("cudaGraphInstantiateWithFlags", ctypes.byref(executable), graph, flags)
        except RuntimeError:
            return None
        return lambda: self._call("cudaGraphLaunch", executable, self.stream)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
