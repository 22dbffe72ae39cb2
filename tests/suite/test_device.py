"""Device memory and the engine inspector, with a TensorRT and a GPU that are stand-ins."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compat.suite import cuda as cuda_module
from compat.suite.adapters import tensorrt as adapter_module
from compat.suite.adapters.tensorrt import TensorRtAdapter
from compat.suite.cuda import Cuda, CudaError
from compat.suite.driver import Driver, Gpu
from compat.suite.memory import DeviceUse

MB = 1_000_000


def test_what_is_taken_is_counted_at_its_most() -> None:
    """Another process may give memory back meanwhile: the least that was free counts."""
    free = iter([900 * MB, 700 * MB, 650 * MB, 680 * MB])
    use = DeviceUse(lambda: next(free))

    assert [use.look(), use.look(), use.look()] == [200 * MB, 250 * MB, 250 * MB]


class Driverlib:
    """As much of libcuda as it takes to ask a device where it is and what is free."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: 0

    def cuDeviceGetPCIBusId(self, text: Any, size: int, device: Any) -> int:  # noqa: N802
        text.value = b"0000:1b:00.0"[: size - 1]
        return 0

    def cuMemGetInfo_v2(self, free: Any, total: Any) -> int:  # noqa: N802
        free._obj.value, total._obj.value = 139 << 30, 140 << 30
        return 0


def test_a_device_says_where_it_is_and_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 4 GiB fits into the answer."""
    monkeypatch.setattr(ctypes, "CDLL", lambda _: Driverlib())
    device = Cuda()

    assert device.pci_bus_id() == "0000:1b:00.0"
    assert device.memory_info() == (139 << 30, 140 << 30)


def test_a_call_that_fails_says_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    library = Driverlib()
    monkeypatch.setattr(cuda_module.ctypes, "CDLL", lambda _: library)
    device = Cuda()
    library.cuMemGetInfo_v2 = lambda *_: 201  # type: ignore[method-assign]

    with pytest.raises(CudaError, match=r"cuMemGetInfo_v2: unknown error \(201\)"):
        device.memory_info()


class Engine:
    """An engine with one input; its properties are set by the tests."""

    num_io_tensors = 0
    device_memory_size = 45 * MB

    def __init__(self, gpu: Gpu140) -> None:
        gpu.free -= 100 * MB
        self._gpu = gpu

    def get_tensor_name(self, index: int) -> str:
        """Say by being there that this is the name-based API."""
        raise AssertionError(f"there is no tensor {index}")

    def create_execution_context(self) -> Any:
        self._gpu.free -= self.device_memory_size
        return SimpleNamespace()

    def create_engine_inspector(self) -> Any:
        return SimpleNamespace(get_engine_information=lambda form: f'{{"form": "{form}"}}')


class Gpu140:
    """A device with some free memory."""

    def __init__(self) -> None:
        self.free = 1000 * MB

    def memory_info(self) -> tuple[int, int]:
        return self.free, 1000 * MB

    def stream(self) -> Any:
        return SimpleNamespace(pointer=0)

    def pci_bus_id(self) -> str:
        return "0000:1b:00.0"


class Ilogger:
    """What TensorRT's logger is derived from."""


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """TensorRT 8.6 as far as loading goes; its runtime object takes 300 MB when it is made."""
    gpu = Gpu140()

    def runtime(logger: Any) -> SimpleNamespace:
        gpu.free -= 300 * MB
        return SimpleNamespace(deserialize_cuda_engine=lambda data: Engine(gpu))

    module = SimpleNamespace(
        __version__="8.6.0",
        ILogger=Ilogger,
        Runtime=runtime,
        ICudaEngine=SimpleNamespace(get_tensor_name=str),
        LayerInformationFormat=SimpleNamespace(JSON="json"),
    )
    monkeypatch.setattr(adapter_module, "import_runtime", lambda flavour: module)
    monkeypatch.setattr(adapter_module, "Cuda", lambda: gpu)
    driver = Driver("12.4", [Gpu("NVIDIA H200", "sm_90")], "")
    monkeypatch.setattr(adapter_module, "probe", lambda: driver)
    return module


def load(path: Path) -> Any:
    adapter = TensorRtAdapter("tensorrt")
    assert adapter.bus_id() == ""
    adapter.require_device()
    assert adapter.bus_id() == "0000:1b:00.0"
    path.write_bytes(b"ftrt")
    engine, _ = adapter.load(str(path), lambda line: None)
    return engine


def test_weights_and_context_count_and_the_runtime_does_not(
    trt: SimpleNamespace, tmp_path: Path
) -> None:
    numbers = load(tmp_path / "a.engine").numbers()

    assert {name: bytes_ for name, bytes_ in numbers.items() if name.endswith("_bytes")} == {
        "device_bytes": 145 * MB,
        "context_bytes": 45 * MB,
    }


def test_what_loading_takes_besides_deserializing_has_names(
    trt: SimpleNamespace, tmp_path: Path
) -> None:
    """TensorRT 8.5 needs half a second for a transformer's context: `load_s` holds none of it."""
    numbers = load(tmp_path / "a.engine").numbers()

    assert all(numbers[name] > 0 for name in ("read_s", "context_s"))


def test_newer_releases_tell_the_context_by_another_name(
    trt: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From TensorRT 11 on, and in RTX, the older property does not exist."""
    monkeypatch.setattr(Engine, "device_memory_size_v2", 6 << 30, raising=False)

    assert load(tmp_path / "a.engine").numbers()["context_bytes"] == 6 << 30


def test_the_inspector_is_asked_where_there_is_one(trt: SimpleNamespace, tmp_path: Path) -> None:
    engine = load(tmp_path / "a.engine")
    assert engine.layers() == '{"form": "json"}'

    del trt.LayerInformationFormat
    assert engine.layers() == ""


def test_an_inspector_that_is_not_made_says_nothing(
    trt: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "create_engine_inspector", lambda engine: None)

    assert load(tmp_path / "a.engine").layers() == ""
