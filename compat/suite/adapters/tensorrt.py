"""TensorRT in all its flavours: full, lean, dispatch, and RTX."""

import gc
import time
from typing import Any, Callable, Dict, Optional, Tuple

from ..cuda import Cuda
from ..driver import Driver, probe
from ..memory import DeviceUse
from ..outcome import Failed, NotRun, Refused, Unsupported
from ..refusals import classify
from .base import Adapter, Build, Engine, Request
from .trt_bindings import BindingsEngine
from .trt_build import build_engine
from .trt_engine import PlanEngine
from .trt_module import has, import_runtime, make_logger


class TensorRtAdapter(Adapter):
    """One TensorRT module; RTX builds on any CPU, the others need their GPU for it."""

    clock = "cuda-event"

    def __init__(self, flavour: str) -> None:
        self.flavour = flavour
        self._trt = import_runtime(flavour)
        self._driver: Driver = probe()
        self._cuda: Optional[Cuda] = None

    def version(self) -> str:
        """Return the module's ``__version__``, all the parts it states."""
        return str(self._trt.__version__)

    def arch(self) -> str:
        """Return "portable" for RTX, whose engines serve every supported GPU; else the GPU's."""
        if self.flavour == "tensorrt_rtx":
            return "portable"
        return self._driver.gpus[0].arch if self._driver.gpus else "none"

    def facts(self) -> Dict[str, Any]:
        """Return driver and GPU, or why there is none."""
        gpus = ["%s (%s)" % gpu for gpu in self._driver.gpus]
        return {"driver_cuda": self._driver.cuda, "gpus": gpus, "cuda": self._driver.problem}

    def bus_id(self) -> str:
        """Return the GPU's PCI bus id; "" before ``require_device``."""
        return self._cuda.pci_bus_id() if self._cuda is not None else ""

    def free_device_share(self) -> Optional[float]:
        """Return the free part of the GPU's memory; None before ``require_device``."""
        return self._cuda.free_share() if self._cuda is not None else None

    def require_device(self) -> None:
        """Raise NotRun without a driver.

        There RTX's ``get_engine_validity`` answers INVALID with no diagnostics for every file,
        matching version included, and a lean runtime dies by SIGSEGV: neither says anything.
        """
        if self._driver.problem:
            raise NotRun("no-cuda-driver", self._driver.problem)
        if self._cuda is None:
            self._cuda = Cuda()

    def build(self, request: Request, log: Callable[[str], None]) -> Build:
        """Parse a typed ONNX file and build an engine from it."""
        if not has(self._trt, "Builder"):
            raise Unsupported("no-builder", "%s only runs engines" % self.flavour)
        if self.flavour != "tensorrt_rtx":
            self.require_device()
        try:
            return build_engine(self._trt, request, log, self._cuda)
        except Failed as failure:
            # TensorRT-RTX 1.4 asks for the GPU to build int8, though its builder needs none else.
            if self._driver.problem and "Cuda Runtime" in failure.message:
                raise NotRun("no-cuda-driver", "this build needs a GPU: " + failure.message)
            raise

    def load(
        self, path: str, log: Callable[[str], None], trusted: bool = False
    ) -> Tuple[Engine, float]:
        """Deserialize an engine; a trusted one may run the host code that it carries."""
        assert self._cuda is not None, "require_device comes first"
        logger = make_logger(self._trt, log)
        runtime = self._trt.Runtime(logger)
        if trusted and hasattr(runtime, "engine_host_code_allowed"):
            runtime.engine_host_code_allowed = True
        start = time.perf_counter()
        with open(path, "rb") as stream:
            data = stream.read()
        read_s = time.perf_counter() - start
        # Context and runtime exist by now and do not count. An engine that waits in a reference
        # cycle would give its memory back later and hide what this one takes.
        gc.collect()
        cuda = self._cuda
        use = DeviceUse(lambda: cuda.memory_info()[0])
        start = time.perf_counter()
        engine = runtime.deserialize_cuda_engine(data)
        seconds = time.perf_counter() - start
        if engine is None:
            raise Refused(_refusal(self._trt, runtime, data, logger), logger.first_error())
        kind = PlanEngine if hasattr(engine, "get_tensor_name") else BindingsEngine  # since 8.5
        loaded = kind(self._trt, self._cuda, engine)
        loaded.device_use = use
        loaded.beside_load = {"read_s": read_s, "context_s": loaded.context_s}
        return loaded, seconds


def _refusal(trt: Any, runtime: Any, data: bytes, logger: Any) -> str:
    """Name why an engine was refused: by RTX's own diagnostics, else by the words of the log."""
    if has(trt, "EngineInvalidityDiagnostics"):
        _, diagnostics = runtime.get_engine_validity(data[: runtime.engine_header_size])
        for member in trt.EngineInvalidityDiagnostics.__members__.values():
            if int(diagnostics) & int(member):
                return str(member.name).lower().replace("_", "-")
    return classify(text for _, text in logger.messages)
