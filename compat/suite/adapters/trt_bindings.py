"""A deserialized plan, run through the binding-index API (TensorRT 8.0 to 8.4, JetPack 5).

8.5 to 9.3 still have it, deprecated; 10.0 has not. Signatures by python/src/infer/pyCore.cpp of
TensorRT 8.2: bindings are addressed by index, and `execute_async_v2` takes a list of pointers.
"""

# trt-compat: ignore-file[gone] this class is used only where the engine lacks num_io_tensors

from typing import Any, Dict, List, Tuple

from ..outcome import Failed
from .trt_engine import DeviceEngine


class BindingsEngine(DeviceEngine):
    """The binding-index API, with profile 0, which a new context has chosen.

    An engine lists its tensors once per profile, those of profile 0 first; `execute_async_v2` wants
    a pointer for each of them, but looks only at those of the chosen profile (NvInfer.h of 8.2,
    ICudaEngine::getNbBindings).
    """

    def _find_names(self) -> List[str]:
        per_profile = self._engine.num_bindings // max(self._engine.num_optimization_profiles, 1)
        names = [self._engine.get_binding_name(index) for index in range(per_profile)]
        self._index: Dict[str, int] = {name: index for index, name in enumerate(names)}
        return names

    def _is_input(self, name: str) -> bool:
        return bool(self._engine.binding_is_input(self._index[name]))

    def _type(self, name: str) -> Any:
        return self._engine.get_binding_dtype(self._index[name])

    def _give_shape(self, name: str, shape: Tuple[int, ...]) -> bool:
        return bool(self._context.set_binding_shape(self._index[name], shape))

    def _shape(self, name: str) -> Tuple[int, ...]:
        return tuple(self._context.get_binding_shape(self._index[name]))

    def _give_addresses(self) -> None:
        self._pointers = [0] * self._engine.num_bindings
        for name, buffer in self._buffers.items():
            self._pointers[self._index[name]] = buffer.pointer

    def _enqueue(self) -> None:
        if not self._context.execute_async_v2(self._pointers, self._stream.pointer):
            raise Failed("enqueue-failed", "TensorRT could not enqueue this engine")
