"""One adapter per flavour of runtime; the tests know only the base class."""

from .base import Adapter, Build, Engine, Request

__all__ = ["Adapter", "Build", "Engine", "Request", "open_adapter"]


def open_adapter(flavour: str) -> Adapter:
    """Import the runtime of `flavour` and return its adapter.

    Raises:
        ImportError: the target does not hold that runtime.
        ValueError: no adapter speaks this flavour.
    """
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
