"""Which TensorRT this process holds, and what it can do: every difference is probed here, by name.

Enum values were renumbered between majors, so nothing here or elsewhere stores one.
"""

import importlib
from typing import Any, Callable, List, Tuple

_MODULES = {
    "tensorrt": ("tensorrt",),
    "tensorrt_lean": ("tensorrt_lean", "tensorrt_lean_bindings"),
    "tensorrt_dispatch": ("tensorrt_dispatch", "tensorrt_dispatch_bindings"),
    # The bare bindings are what PyPI holds; the facade of the same name only re-exports them.
    "tensorrt_rtx": ("tensorrt_rtx_bindings", "tensorrt_rtx"),
}
_PROBLEMS = ("ERROR", "INTERNAL_ERROR")
_MAX_MESSAGES = 50


def import_runtime(flavour: str) -> Any:
    """Import the module of a flavour.

    Raises:
        ImportError: none of its names can be imported; the first error is the one told.
    """
    first = None
    for name in _MODULES[flavour]:
        try:
            return importlib.import_module(name)
        except ImportError as error:
            first = first or error
    assert first is not None
    raise first


def has(trt: Any, path: str) -> bool:
    """Tell whether a dotted name exists in the module, such as ``BuilderFlag.FP16``."""
    found = trt
    for part in path.split("."):
        found = getattr(found, part, None)
        if found is None:
            return False
    return True


def context_bytes(engine: Any) -> int:
    """Return the device memory that one execution context needs for activations, in bytes."""
    # From 10.1; the older property is gone in 11 and was never in RTX.
    if hasattr(engine, "device_memory_size_v2"):
        return int(engine.device_memory_size_v2)
    return int(engine.device_memory_size)


def layer_information(trt: Any, engine: Any) -> str:
    """Return what the engine inspector (8.2 and later) says of the layers, as JSON, else "".

    8.6.0 says "N/A due to dynamic shapes" of all types, also where the inspector has an execution
    context whose inputs have shapes (seen on an H200): the builder's log tells them instead.
    """
    if not has(trt, "LayerInformationFormat.JSON"):
        return ""
    inspector = engine.create_engine_inspector()
    if inspector is None:
        return ""
    return str(inspector.get_engine_information(trt.LayerInformationFormat.JSON))


def make_logger(trt: Any, sink: Callable[[str], None]) -> Any:
    """Return a logger of the module's own class that keeps every message.

    It has ``messages`` (severity name, text), ``worth_reading()`` and ``first_error()``.
    """

    class KeepingLogger(trt.ILogger):  # type: ignore[misc]
        """Keep every message with its severity, and hand it on."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.messages: List[Tuple[str, str]] = []

        def log(self, severity: Any, message: str) -> None:
            """Receive one message from TensorRT."""
            self.messages.append((severity.name, message))
            sink("[%s] %s" % (severity.name, message))

        def worth_reading(self) -> List[str]:
            """Return errors and warnings, in order, without repeats."""
            kept = (*_PROBLEMS, "WARNING")
            texts = ["[%s] %s" % (name, text) for name, text in self.messages if name in kept]
            return list(dict.fromkeys(texts))[:_MAX_MESSAGES]

        def first_error(self) -> str:
            """Return the first error: those after it are its echoes."""
            return next((text for name, text in self.messages if name in _PROBLEMS), "")

    return KeepingLogger()
