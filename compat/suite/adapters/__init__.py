"""One adapter per flavour of runtime; the tests know only the base class."""

from typing import Dict, Optional, Sequence

from .base import Adapter, Build, Engine, Request

__all__ = [
    "Adapter",
    "Build",
    "Engine",
    "Request",
    "free_device_share",
    "import_for",
    "open_adapter",
]

_OPEN: Dict[str, Adapter] = {}


def open_adapter(flavour: str) -> Adapter:
    """Import the runtime of `flavour` and return its adapter, one for all jobs of a process.

    Raises:
        ImportError: the target does not hold that runtime.
        ValueError: no adapter speaks this flavour.
    """
    if flavour not in _OPEN:
        _OPEN[flavour] = _adapter(flavour)
    return _OPEN[flavour]


def import_for(flavour: str, engines: Sequence[str]) -> None:
    """Import what the adapter of `flavour` and these engines will need, and touch no device.

    Raises:
        ImportError: the target does not hold that runtime.
    """
    if flavour == "onnxruntime":
        from . import ort  # noqa: F401
    elif flavour == "pytorch":
        from .torch_module import import_libraries

        import_libraries(engines)
    elif flavour.startswith("tensorrt"):
        from .trt_module import import_runtime

        import_runtime(flavour)


def free_device_share(flavour: str) -> Optional[float]:
    """Return how much of the device's memory is free by now; None where none is in use."""
    return _OPEN[flavour].free_device_share() if flavour in _OPEN else None


def _adapter(flavour: str) -> Adapter:
    if flavour == "onnxruntime":
        from .ort import OnnxRuntimeAdapter

        return OnnxRuntimeAdapter()
    if flavour == "pytorch":
        from .torch_module import PyTorchAdapter

        return PyTorchAdapter()
    if flavour.startswith("tensorrt"):
        from .tensorrt import TensorRtAdapter

        return TensorRtAdapter(flavour)
    raise ValueError("no adapter for flavour %r" % flavour)
