"""TensorRT modules of three generations and a device in host memory: only what they are asked for.

The engine inside doubles its input ``ids`` (INT32) into the output ``twice`` (FLOAT).
"""

from __future__ import annotations

from enum import Enum
from types import SimpleNamespace
from typing import Any

import numpy as np

DataType = Enum("DataType", "FLOAT HALF INT8 INT32 BOOL BF16")
MAX_BATCH = 4


class FakeBuffer:
    """Device memory; its pointer is its key in the device."""

    def __init__(self, device: FakeCuda, pointer: int, size: int) -> None:
        self._device, self._memory = device, device.memory
        self.pointer, self.size = pointer, size
        self._memory[pointer] = bytearray(size)

    def fill_from(self, array: np.ndarray) -> None:
        self._device.late.append((self.pointer, array.tobytes()))

    def poison(self) -> None:
        self._device.late.append((self.pointer, b"\xff" * self.size))

    def copy_to(self, array: np.ndarray) -> None:
        self._device.synchronize()  # it stands behind the others on the default stream
        raw = bytes(self._memory[self.pointer][: array.nbytes])
        array[...] = np.frombuffer(raw, array.dtype).reshape(array.shape)


class FakeStream:
    """A stream on which everything happens at once, and that does not wait for the default one."""

    pointer = 77

    def synchronize(self) -> None:
        pass

    def capture(self, enqueue: Any) -> Any:
        return enqueue


class FakeCuda:
    """One device; what is put on its default stream happens when somebody waits for it."""

    pointer = FakeStream.pointer

    def __init__(self) -> None:
        self.memory: dict[int, bytearray] = {}
        self.late: list[tuple[int, bytes]] = []

    def buffer(self, size: int) -> FakeBuffer:
        return FakeBuffer(self, 0x1000 * (len(self.memory) + 1), size)

    def memory_info(self) -> tuple[int, int]:
        return 1 << 30, 1 << 31

    def stream(self) -> FakeStream:
        return FakeStream()

    def synchronize(self) -> None:
        for pointer, data in self.late:
            self.memory[pointer][: len(data)] = data
        self.late.clear()


class _Plan:
    """The engine and its context in one, without any API."""

    def __init__(self, cuda: FakeCuda, refuses: bool = False) -> None:
        self.cuda, self.refuses, self.runs = cuda, refuses, 0
        self.shape: tuple[int, ...] = (-1, 2)

    def create_execution_context(self) -> Any:
        return self

    def _set(self, shape: tuple[int, ...]) -> bool:
        if shape[0] > MAX_BATCH:
            return False
        self.shape = tuple(shape)
        return True

    def _double(self, source: int, target: int, stream: int) -> bool:
        assert stream == self.cuda.pointer
        if self.refuses:
            return False
        count = int(np.prod(self.shape))
        ids = np.frombuffer(bytes(self.cuda.memory[source]), np.int32)[:count]
        self.cuda.memory[target][: 4 * count] = (2 * ids).astype(np.float32).tobytes()
        self.runs += 1
        return True


class NamedPlan(_Plan):
    """The name-based API of 8.5 and later."""

    num_io_tensors = 2

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self.addresses: dict[str, int] = {}

    def get_tensor_name(self, index: int) -> str:
        return ("ids", "twice")[index]

    def get_tensor_mode(self, name: str) -> str:
        return {"ids": "in", "twice": "out"}[name]

    def get_tensor_dtype(self, name: str) -> DataType:
        return {"ids": DataType.INT32, "twice": DataType.FLOAT}[name]

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        assert name == "ids"
        return self._set(shape)

    def get_tensor_shape(self, name: str) -> list[int]:
        return list(self.shape)

    def set_tensor_address(self, name: str, pointer: int) -> None:
        self.addresses[name] = pointer

    def execute_async_v3(self, stream: int) -> bool:
        return self._double(self.addresses["ids"], self.addresses["twice"], stream)


class BindingPlan(_Plan):
    """The binding-index API; with two profiles every tensor is there twice, output first."""

    num_optimization_profiles = 2
    num_bindings = 4

    def get_binding_name(self, index: int) -> str:
        return ("twice", "ids", "twice [profile 1]", "ids [profile 1]")[index]

    def binding_is_input(self, index: int) -> bool:
        return index % 2 == 1

    def get_binding_dtype(self, index: int) -> DataType:
        return DataType.INT32 if index % 2 else DataType.FLOAT

    def set_binding_shape(self, index: int, shape: tuple[int, ...]) -> bool:
        assert index == 1
        return self._set(shape)

    def get_binding_shape(self, index: int) -> list[int]:
        return list(self.shape)

    def execute_async_v2(self, bindings: list[int], stream_handle: int) -> bool:
        assert bindings[2:] == [0, 0]
        return self._double(bindings[1], bindings[0], stream_handle)


def module(generation: str, plan: _Plan | None = None) -> SimpleNamespace:
    """Return a module with the names that 8.0, 8.2, 8.4 or 10 has; its runtime loads `plan`."""

    class ILogger:
        """The base class of loggers."""

    class Runtime:
        """Returns its one engine, whatever the bytes."""

        def __init__(self, logger: Any) -> None:
            pass

        def deserialize_cuda_engine(self, data: bytes) -> Any:
            return plan

    flags = "FP16 INT8 TF32 STRICT_TYPES"
    names: dict[str, Any] = {
        "__version__": generation,
        "ILogger": ILogger,
        "Runtime": Runtime,
        "DataType": DataType,
        "float32": DataType.FLOAT,
        "ProfilingVerbosity": Enum("ProfilingVerbosity", "DEFAULT NONE VERBOSE"),
    }
    if generation in ("8.2", "8.4", "10"):
        names["ProfilingVerbosity"] = Enum("ProfilingVerbosity", "LAYER_NAMES_ONLY DETAILED NONE")
        flags += " OBEY_PRECISION_CONSTRAINTS"
    if generation in ("8.4", "10"):
        names["MemoryPoolType"] = Enum("MemoryPoolType", "WORKSPACE")
    if generation == "10":
        names["TensorIOMode"] = SimpleNamespace(INPUT="in")
    names["BuilderFlag"] = Enum("BuilderFlag", flags)
    return SimpleNamespace(**names)
