"""CUDA's driver API through ctypes on ``libcuda.so.1``: no toolkit, no PyTorch, any Python.

Every GPU machine has this library, in old containers too. TensorRT uses the primary context of
the device, and so does this module. Names and values are those of ``cuda.h``.
"""

import ctypes
from typing import Any, Callable, List, Tuple

import numpy as np

_STREAM_NON_BLOCKING = 1
_CAPTURE_MODE_THREAD_LOCAL = 1
_BUS_ID_BYTES = 32


class CudaError(Exception):
    """A call of the driver API failed; the text holds the call and the error's name."""


class Cuda:
    """One device's primary context, made current for this thread.

    Raises:
        CudaError: the driver is missing, or the device cannot be used.
    """

    def __init__(self, index: int = 0) -> None:
        try:
            self._lib = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise CudaError("libcuda.so.1 is not on this machine: %s" % error)
        self._call("cuInit", 0)
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self._call("cuDeviceGet", ctypes.byref(device), index)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)
        self._device = device

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._lib, name)(*arguments)
        if code == 0:
            return
        text = ctypes.c_char_p()
        self._lib.cuGetErrorName(code, ctypes.byref(text))
        said = text.value.decode("ascii") if text.value else "unknown error"
        raise CudaError("%s: %s (%d)" % (name, said, code))

    def pci_bus_id(self) -> str:
        """Return where the device sits, such as ``0000:1b:00.0``: a name that NVML knows too.

        Its index is none: CUDA_VISIBLE_DEVICES renumbers for CUDA and not for NVML.
        """
        text = ctypes.create_string_buffer(_BUS_ID_BYTES)
        self._call("cuDeviceGetPCIBusId", text, _BUS_ID_BYTES, self._device)
        return text.value.decode("ascii")

    def memory_info(self) -> Tuple[int, int]:
        """Return the free and the total bytes of the device, whoever uses the rest."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def free_share(self) -> float:
        """Return the free part of the device's memory, 0 to 1."""
        free, total = self.memory_info()
        return free / total

    def buffer(self, size: int) -> "Buffer":
        """Allocate `size` bytes of device memory."""
        pointer = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(max(size, 1)))
        return Buffer(self, pointer.value, size)

    def synchronize(self) -> None:
        """Wait until all streams of the context are empty, the default one too."""
        self._call("cuCtxSynchronize")

    def stream(self) -> "Stream":
        """Make a stream that does not wait for the default one."""
        handle = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(handle), _STREAM_NON_BLOCKING)
        return Stream(self, handle)


class Buffer:
    """Device memory, freed with its object."""

    def __init__(self, cuda: Cuda, pointer: int, size: int) -> None:
        self._cuda = cuda
        self.pointer = pointer
        self.size = size

    def fill_from(self, array: np.ndarray) -> None:
        """Copy a host array in; it must fit."""
        source = np.ascontiguousarray(array)
        if source.nbytes > self.size:
            raise CudaError("%d bytes do not fit into %d" % (source.nbytes, self.size))
        self._cuda._call(
            "cuMemcpyHtoD_v2",
            ctypes.c_uint64(self.pointer),
            source.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_size_t(source.nbytes),
        )

    def poison(self) -> None:
        """Fill with 0xFF, which is NaN in every float type: what is not written then shows."""
        self._cuda._call(
            "cuMemsetD8_v2",
            ctypes.c_uint64(self.pointer),
            ctypes.c_ubyte(0xFF),
            ctypes.c_size_t(self.size),
        )

    def copy_to(self, array: np.ndarray) -> None:
        """Copy the first ``array.nbytes`` bytes out into a contiguous host array."""
        self._cuda._call(
            "cuMemcpyDtoH_v2",
            array.ctypes.data_as(ctypes.c_void_p),
            ctypes.c_uint64(self.pointer),
            ctypes.c_size_t(array.nbytes),
        )

    def __del__(self) -> None:
        self._cuda._lib.cuMemFree_v2(ctypes.c_uint64(self.pointer))


class Event:
    """A timestamp on a stream."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self.handle = ctypes.c_void_p()
        cuda._call("cuEventCreate", ctypes.byref(self.handle), 0)

    def synchronize(self) -> None:
        """Wait, spinning, until the event has happened."""
        self._cuda._call("cuEventSynchronize", self.handle)

    def seconds_since(self, earlier: "Event") -> float:
        """Return the GPU time between two events that have happened."""
        milliseconds = ctypes.c_float()
        self._cuda._call(
            "cuEventElapsedTime", ctypes.byref(milliseconds), earlier.handle, self.handle
        )
        return milliseconds.value / 1e3

    def __del__(self) -> None:
        self._cuda._lib.cuEventDestroy_v2(self.handle)


class Stream:
    """A stream, and graphs captured from it."""

    def __init__(self, cuda: Cuda, handle: ctypes.c_void_p) -> None:
        self._cuda = cuda
        self.handle = handle
        self._graphs: List[ctypes.c_void_p] = []

    @property
    def pointer(self) -> int:
        """The handle as TensorRT's Python API takes it."""
        return self.handle.value or 0

    def record(self, event: Event) -> None:
        """Put an event behind what the stream holds now."""
        self._cuda._call("cuEventRecord", event.handle, self.handle)

    def synchronize(self) -> None:
        """Wait until the stream is empty."""
        self._cuda._call("cuStreamSynchronize", self.handle)

    def capture(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        """Capture what `enqueue` puts on this stream and return a call that launches it.

        Raises:
            CudaError: what was enqueued cannot be captured; the stream can be used on.
        """
        graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
        self._cuda._call("cuStreamBeginCapture_v2", self.handle, _CAPTURE_MODE_THREAD_LOCAL)
        try:
            enqueue()
        finally:
            self._cuda._call("cuStreamEndCapture", self.handle, ctypes.byref(graph))
        self._cuda._call(
            "cuGraphInstantiateWithFlags", ctypes.byref(executable), graph, ctypes.c_uint64(0)
        )
        self._graphs.append(executable)

        def launch() -> None:
            self._cuda._call("cuGraphLaunch", executable, self.handle)

        return launch

    def __del__(self) -> None:
        for executable in self._graphs:
            self._cuda._lib.cuGraphExecDestroy(executable)
        self._cuda._lib.cuStreamDestroy_v2(self.handle)


class EventClock:
    """A timer for pytest-benchmark that counts GPU time between its calls.

    Called before and after a run, the difference is the time between two CUDA events around what
    the run enqueued. `ahead` is enqueued before the first event, so that the host is ahead of the
    GPU and its own launch time does not count: trtexec keeps one batch ahead for the same reason
    (samples/common/sampleInference.cpp).
    """

    def __init__(self, cuda: Cuda, stream: Stream, ahead: Callable[[], None]) -> None:
        self._stream = stream
        self._ahead = ahead
        self._events = (Event(cuda), Event(cuda))
        self._open = False
        self._total = 0.0

    def __call__(self) -> float:
        """Return the GPU seconds counted so far."""
        begin, end = self._events
        if not self._open:
            self._ahead()
            self._stream.record(begin)
        else:
            self._stream.record(end)
            end.synchronize()
            self._total += end.seconds_since(begin)
        self._open = not self._open
        return self._total
