"""A deserialized plan, run through the name-based tensor API (TensorRT 8.5 to 11 and RTX)."""

import abc
import time
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

from ..cuda import Buffer, Cuda, CudaError, EventClock
from ..outcome import Failed, Refused
from .base import Arrays, Engine
from .trt_module import context_bytes, layer_information

# By the name of TensorRT's DataType. `trt.nptype` of 8.0 to 8.5 asks numpy for `np.bool`, which
# numpy 1.24 to 1.26 does not have, and 1.24 is the last for Python 3.8.
_NUMPY_TYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "UINT8": "uint8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
}


class DeviceEngine(Engine):
    """One execution context with its own stream and device buffers, whatever its API is called."""

    def __init__(self, trt: Any, cuda: Cuda, engine: Any) -> None:
        self._trt = trt
        self._cuda = cuda
        self._engine = engine
        start = time.perf_counter()
        self._context = engine.create_execution_context()
        #: what making the execution context took; TensorRT 8.5 loads kernels in it
        self.context_s = time.perf_counter() - start
        if self._context is None:
            raise Failed("no-context", "TensorRT made no execution context for this engine")
        self._stream = cuda.stream()
        self._buffers: Dict[str, Buffer] = {}
        self._names: List[str] = self._find_names()

    @abc.abstractmethod
    def _find_names(self) -> List[str]:
        """Return the names of all inputs and outputs."""

    @abc.abstractmethod
    def _is_input(self, name: str) -> bool:
        """Tell whether a tensor is an input."""

    @abc.abstractmethod
    def _type(self, name: str) -> Any:
        """Return a tensor's type as TensorRT's own enum."""

    @abc.abstractmethod
    def _give_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        """Set an input's shape; False where TensorRT refuses it."""

    @abc.abstractmethod
    def _shape(self, name: str) -> Tuple[int, ...]:
        """Return an output's shape, once all inputs have theirs."""

    @abc.abstractmethod
    def _give_addresses(self) -> None:
        """Tell the context where the buffers are."""

    @abc.abstractmethod
    def _enqueue(self) -> None:
        """Put one run on the stream."""

    def _dtype(self, name: str) -> Any:
        found = self._type(name).name
        if found not in _NUMPY_TYPES:
            raise Failed("dtype", "numpy has no type for %s of tensor %r" % (found, name))
        return np.dtype(_NUMPY_TYPES[found])

    def _place(self, feeds: Arrays) -> Arrays:
        """Copy the inputs in, give every tensor its address, return empty host outputs."""
        for name in filter(self._is_input, self._names):
            # TensorRT 8 has INT32 bindings where the ONNX says INT64.
            array = np.ascontiguousarray(feeds[name], dtype=self._dtype(name))
            if not self._give_shape(name, array.shape):
                raise Refused(
                    "profile-wrong", "shape %s of input %r is refused" % (array.shape, name)
                )
            self._buffer(name, array.nbytes).fill_from(array)
        outputs = {}
        for name in self._names:
            if self._is_input(name):
                continue
            outputs[name] = np.empty(self._shape(name), dtype=self._dtype(name))
            self._buffer(name, outputs[name].nbytes).poison()
        self._give_addresses()
        # Copy and poison are on the default stream and may end after their calls return ("API
        # synchronization behavior" of the driver API); the engine's stream does not wait for it.
        self._cuda.synchronize()
        return outputs

    def _buffer(self, name: str, size: int) -> Buffer:
        if name not in self._buffers or self._buffers[name].size < size:
            self._buffers[name] = self._cuda.buffer(size)
        return self._buffers[name]

    def run(self, feeds: Arrays) -> Arrays:
        """Run once and return every output by name."""
        outputs = self._place(feeds)
        self._enqueue()
        self._stream.synchronize()
        for name, array in outputs.items():
            self._buffers[name].copy_to(array)
        return outputs

    def bind(self, feeds: Arrays) -> Callable[[], Any]:
        """Return a call that enqueues one run; as a CUDA graph where it can be captured."""
        self._place(feeds)
        self._enqueue()  # TensorRT wants one run before capture, to settle lazy state
        self._stream.synchronize()
        try:
            self.launch = self._stream.capture(self._enqueue)
            self.graph = True
        except CudaError:
            self.launch, self.graph = self._enqueue, False
        return self.launch

    def numbers(self) -> Dict[str, float]:
        """Return the device memory taken by now, and one context's share for activations."""
        return dict(super().numbers(), context_bytes=context_bytes(self._engine))

    def layers(self) -> str:
        """Return the layers as JSON, as TensorRT's engine inspector writes them."""
        return layer_information(self._trt, self._engine)

    def timer(self) -> Callable[[], float]:
        """Return a clock that counts the GPU time of what is enqueued between its calls."""
        return EventClock(self._cuda, self._stream, self.launch)

    def facts(self) -> Dict[str, Any]:
        """Say whether runs are launched as a CUDA graph."""
        return {"cuda_graph": self.graph}


class PlanEngine(DeviceEngine):
    """The name-based tensor API."""

    def _find_names(self) -> List[str]:
        return [self._engine.get_tensor_name(n) for n in range(self._engine.num_io_tensors)]

    def _is_input(self, name: str) -> bool:
        return bool(self._engine.get_tensor_mode(name) == self._trt.TensorIOMode.INPUT)

    def _type(self, name: str) -> Any:
        return self._engine.get_tensor_dtype(name)

    def _give_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        return bool(self._context.set_input_shape(name, shape))

    def _shape(self, name: str) -> Tuple[int, ...]:
        return tuple(self._context.get_tensor_shape(name))

    def _give_addresses(self) -> None:
        for name, buffer in self._buffers.items():
            self._context.set_tensor_address(name, buffer.pointer)

    def _enqueue(self) -> None:
        if not self._context.execute_async_v3(self._stream.pointer):
            raise Failed("enqueue-failed", "TensorRT could not enqueue this engine")
