"""PyTorch, the baseline that TensorRT's users come from: eager, and through torch.compile.

Its "engine" is the weights of a built-in model in the asked precision, with what is needed to make
the module. Runs on the first GPU, or on the CPU where PyTorch sees none. A run takes its inputs in
the module's own type and leaves its outputs in it, as is usual in PyTorch; a TensorRT engine of the
same cell converts both from and to fp32.
"""

import contextlib
import gc
import importlib.metadata
import io
import time
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch

from ..cores import threads
from ..cuda import Cuda, EventClock, Stream
from ..driver import probe
from ..memory import DeviceUse
from ..outcome import Failed, NotRun, Refused, Unsupported
from .base import Adapter, Arrays, Build, Engine, Request
from .torch_models import Blueprint, library, make_module, need, read_onnx

_TYPES = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
_VARIANTS = ("plain", "compiled")
# torch.compile writes C++ or Triton, and both need a C compiler and Python's headers.
_NO_COMPILER = ("CxxCompiler", "C compiler", "C++ compiler", "Python.h")


class Gpu(NamedTuple):
    """The GPU as CUDA's driver library and PyTorch share it: one context, one stream."""

    cuda: Cuda
    stream: Stream


class TorchEngine(Engine):
    """A module on its device: the GPU, or the CPU where there is none."""

    def __init__(self, made: Dict[str, Any], module: Any, gpu: Optional[Gpu]) -> None:
        self._made = made
        self._module = module
        self._gpu = gpu
        self._compile_s: Optional[float] = None
        if made["variant"] == "compiled":
            torch.compiler.reset()  # past a few shapes and modules dynamo would fall back to eager
            self._run_module: Callable[..., Any] = torch.compile(module)
        else:
            self._run_module = module

    def _place(self, feeds: Arrays) -> Callable[[], Any]:
        """Put the inputs on the device and return the call."""
        made = self._made
        # Settings of the whole process; "tf32" and "fp32" differ in nothing else.
        torch.backends.cuda.matmul.allow_tf32 = made["precision"] == "tf32"
        torch.backends.cudnn.allow_tf32 = made["precision"] == "tf32"
        dtype, device = _TYPES[made["precision"]], "cuda" if self._gpu else "cpu"
        inputs = {}
        for name in made["inputs"]:
            tensor = torch.from_numpy(np.ascontiguousarray(feeds[name]))
            floating = tensor.is_floating_point()
            inputs[name] = tensor.to(device, dtype if floating else tensor.dtype)
        module = self._run_module
        by_place, by_name = ((), inputs) if made["by_name"] else (tuple(inputs.values()), {})

        def call() -> Any:
            with torch.inference_mode():
                return module(*by_place, **by_name)

        return call

    def _first(self, call: Callable[[], Any]) -> Any:
        """Run once; the first run compiles where that was asked for."""
        start = time.perf_counter()
        try:
            found = call()
        except Exception as error:
            if self._made["variant"] != "compiled":
                raise
            text = "%s: %s" % (type(error).__name__, str(error)[:2000])
            if any(word in text for word in _NO_COMPILER):
                raise NotRun("compiler-missing", "torch.compile needs a C compiler here: " + text)
            raise Failed("compile-failed", text)
        if self._gpu is not None:
            self._gpu.stream.synchronize()
        if self._made["variant"] == "compiled" and self._compile_s is None:
            self._compile_s = time.perf_counter() - start
        return found

    def run(self, feeds: Arrays) -> Arrays:
        """Run once and return every output by name, as fp32."""
        found = self._first(self._place(feeds))
        names = self._made["outputs"]
        tensors = [found] if torch.is_tensor(found) else [found[name] for name in names]
        return {name: one.float().cpu().numpy() for name, one in zip(names, tensors)}

    def bind(self, feeds: Arrays) -> Callable[[], Any]:
        """Return a call that enqueues one run, or runs it on the CPU."""
        self.launch = self._place(feeds)
        self._first(self.launch)
        return self.launch

    def timer(self) -> Callable[[], float]:
        """Return the GPU's clock; the host's where the module runs on the CPU."""
        if self._gpu is None:
            return time.perf_counter
        return EventClock(self._gpu.cuda, self._gpu.stream, self.launch)

    def facts(self) -> Dict[str, Any]:
        """Say how runs are launched; `compile_s` is the first run, which compiled."""
        facts = {"compiled": self._made["variant"] == "compiled", "attention": self._attention()}
        if self._compile_s is not None:
            facts["compile_s"] = round(self._compile_s, 3)
        return dict(facts, cuda_graph=False) if self._gpu else facts

    def _attention(self) -> Optional[str]:
        return getattr(getattr(self._module, "config", None), "_attn_implementation", None)


class PyTorchAdapter(Adapter):
    """PyTorch as it stands in the target's interpreter."""

    flavour = "pytorch"

    def __init__(self) -> None:
        torch.set_num_threads(threads())
        self._gpu: Optional[Gpu] = None
        if torch.cuda.is_available():
            torch.cuda.init()
            cuda = Cuda()
            self._gpu = Gpu(cuda, cuda.stream())
            torch.cuda.set_stream(torch.cuda.ExternalStream(self._gpu.stream.pointer))
            self.clock = "cuda-event"

    def version(self) -> str:
        """Return ``torch.__version__`` without its local part, such as "+cu130"."""
        return str(torch.__version__).partition("+")[0]

    def arch(self) -> str:
        """Return the GPU's architecture, or "cpu"."""
        return "sm_%d%d" % torch.cuda.get_device_capability() if self._gpu else "cpu"

    def facts(self) -> Dict[str, Any]:
        """Return the device, and the versions of what a run's speed depends on."""
        driver = probe()
        return {
            "torch": str(torch.__version__),
            "torch_cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version() if self._gpu else None,
            "torchvision": _installed("torchvision"),
            "transformers": _installed("transformers"),
            "device": torch.cuda.get_device_name() if self._gpu else "cpu",
            "driver_cuda": driver.cuda,
            "gpus": ["%s (%s)" % gpu for gpu in driver.gpus],
            "threads": torch.get_num_threads(),
        }

    def bus_id(self) -> str:
        """Return the GPU's PCI bus id; "" on the CPU."""
        return self._gpu.cuda.pci_bus_id() if self._gpu else ""

    def free_device_share(self) -> Optional[float]:
        """Return the free part of the GPU's memory, after PyTorch's own cache was given back."""
        if self._gpu is None:
            return None
        torch.cuda.empty_cache()
        return self._gpu.cuda.free_share()

    def build(self, request: Request, log: Callable[[str], None]) -> Build:
        """Convert a built-in model's weights to the asked precision."""
        if request.precision not in _TYPES:
            text = "PyTorch runs %s; nothing here quantizes its module"
            raise Unsupported("precision", text % ", ".join(_TYPES))
        if request.precision == "tf32" and self._gpu is None:
            raise Unsupported("precision", "TF32 is of NVIDIA's GPUs; PyTorch sees none here")
        if request.variant not in _VARIANTS:
            raise Unsupported("variant", "PyTorch has no variant %s" % request.variant)
        need("onnx")
        start = time.perf_counter()
        blueprint, arrays = read_onnx(request.onnx)
        imported = _import_seconds(blueprint)
        start += imported
        dtype = _TYPES[request.precision]
        weights = {name: torch.from_numpy(one).to(dtype) for name, one in arrays.items()}
        module = make_module(blueprint, weights)  # a mismatch shows here, not at the first load
        made = dict(
            blueprint._asdict(),
            precision=request.precision,
            variant=request.variant,
            by_name=hasattr(module, "config"),
            weights=weights,
        )
        stream = io.BytesIO()
        torch.save(made, stream)
        seconds = time.perf_counter() - start
        facts = {"flags": [], "implementation": _full_name(module)}
        return Build(stream.getbuffer(), {"builder_s": imported, "build_s": seconds}, facts)

    def load(
        self, path: str, log: Callable[[str], None], trusted: bool = False
    ) -> Tuple[Engine, float]:
        """Make the module and put it on the device; the file is read as data, never as code."""
        start = time.perf_counter()
        try:
            made: Dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            blueprint = _blueprint(made)
            weights, dtype = made.pop("weights"), _TYPES[made["precision"]]
        except Exception as error:  # the unpickler raises anything
            log(str(error))
            raise Refused("not-an-engine", "%s: %s" % (type(error).__name__, error))
        imported = _import_seconds(blueprint)
        start += imported
        use = self._device_use()
        module = make_module(blueprint, weights).to("cuda" if self._gpu else "cpu", dtype)
        loaded = TorchEngine(made, module, self._gpu)
        loaded.device_use, loaded.beside_load = use, {"import_s": imported}
        return loaded, time.perf_counter() - start

    def _device_use(self) -> Optional[DeviceUse]:
        """Begin to count device memory, after what earlier modules left in PyTorch's own cache."""
        if self._gpu is None:
            return None
        gc.collect()
        torch.cuda.empty_cache()
        cuda = self._gpu.cuda
        return DeviceUse(lambda: cuda.memory_info()[0])


def import_libraries(engines: Sequence[str]) -> None:
    """Import what holds the modules of these engines; one that cannot be read is passed over."""
    for path in engines:
        with contextlib.suppress(Exception):  # loading it will say what is wrong
            made = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
            library(_blueprint(made))


def _blueprint(made: Mapping[str, Any]) -> Blueprint:
    return Blueprint(*(made[name] for name in Blueprint._fields))


def _import_seconds(blueprint: Blueprint) -> float:
    """Import the model's library; return what that took: it has a name beside build and load."""
    start = time.perf_counter()
    library(blueprint)
    return time.perf_counter() - start


def _installed(name: str) -> Optional[str]:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _full_name(module: Any) -> str:
    kind = type(module)
    return "%s.%s" % (kind.__module__.partition(".")[0], kind.__name__)
