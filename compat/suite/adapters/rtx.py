"""TensorRT-RTX: builds on any CPU, loads only where its driver and a supported GPU are.

https://docs.nvidia.com/deeplearning/tensorrt-rtx/latest/inference-library/cpu-engines.html
"""

import time
from typing import Any, Callable, Dict, List, Tuple

import tensorrt_rtx_bindings as trt

from ..driver import Driver, probe
from ..outcome import Failed, NotRun, Refused, Unsupported
from .base import Adapter, Arrays, Build, Engine, Request
from .layers import layer_types, precision_is_there

_PRECISIONS = ("fp32", "tf32", "fp16", "bf16", "int8", "fp8")
_KEPT = ("ERROR", "INTERNAL_ERROR", "WARNING")
_MAX_MESSAGES = 50


class _Logger(trt.ILogger):  # type: ignore[misc]
    """Keep every message with its severity, and hand it on."""

    def __init__(self, sink: Callable[[str], None]) -> None:
        trt.ILogger.__init__(self)
        self.sink = sink
        self.messages: List[Tuple[str, str]] = []

    def log(self, severity: Any, message: str) -> None:
        """Receive one message from TensorRT."""
        self.messages.append((severity.name, message))
        self.sink("[%s] %s" % (severity.name, message))

    def worth_reading(self) -> List[str]:
        """Return errors and warnings, in order, without repeats."""
        texts = ["[%s] %s" % (name, text) for name, text in self.messages if name in _KEPT]
        return list(dict.fromkeys(texts))[:_MAX_MESSAGES]

    def first_error(self) -> str:
        """Return the first error: those after it are its echoes."""
        for name, text in self.messages:
            if name in ("ERROR", "INTERNAL_ERROR"):
                return text
        return ""


def _parse(parser: Any, path: str) -> None:
    """Parse an ONNX file into the parser's network; the refused op and node are named."""
    if parser.parse_from_file(path):
        return
    if parser.num_errors == 0:
        raise Failed("parser-failed", "the ONNX parser failed without saying why")
    error = parser.get_error(0)
    where = "op %s, node %r" % (error.node_operator(), error.node_name() or error.node())
    raise Refused("parser-refused-op", "the ONNX parser refused %s: %s" % (where, error.desc()))


def _add_profile(builder: Any, config: Any, network: Any, request: Request) -> None:
    """Give every dynamic input its range.

    Raises:
        Refused: an input is dynamic and the profile has no range for it, or a wrong one.
    """
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if -1 not in tuple(tensor.shape):
            continue
        ranges = request.profile.get(tensor.name)
        if ranges is None:
            raise Refused(
                "profile-missing",
                "input %r has dynamic shape %s and the model's profile has no range for it"
                % (tensor.name, tuple(tensor.shape)),
            )
        profile.set_shape(tensor.name, ranges["min"], ranges["opt"], ranges["max"])
    if config.add_optimization_profile(profile) < 0:
        raise Refused("profile-wrong", "the builder refused the profile %r" % (request.profile,))


class TensorRtRtxAdapter(Adapter):
    """TensorRT-RTX through its Python bindings."""

    flavour = "tensorrt_rtx"
    clock = "cuda-event"

    def __init__(self) -> None:
        self._driver: Driver = probe()

    def version(self) -> str:
        """Return ``tensorrt_rtx_bindings.__version__``, all four parts."""
        return str(trt.__version__)

    def arch(self) -> str:
        """Return "portable": by default one engine serves every supported GPU."""
        return "portable"

    def facts(self) -> Dict[str, Any]:
        """Return driver and GPU, or why there is none."""
        gpus = ["%s (%s)" % gpu for gpu in self._driver.gpus]
        return {"driver_cuda": self._driver.cuda, "gpus": gpus, "cuda": self._driver.problem}

    def build(self, request: Request, log: Callable[[str], None]) -> Build:
        """Parse a typed ONNX file and build a strongly typed engine from it."""
        if request.precision not in _PRECISIONS or request.typing != "strong":
            raise Unsupported(
                "precision",
                "TensorRT-RTX builds strongly typed networks only, not %s with %s typing"
                % (request.precision, request.typing),
            )
        if request.variant != "plain":
            raise Unsupported("variant", "TensorRT-RTX has no variant %r" % request.variant)
        logger = _Logger(log)
        builder = trt.Builder(logger)
        strong = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        network = builder.create_network(strong)
        start = time.perf_counter()
        _parse(trt.OnnxParser(network, logger), request.onnx)
        parsed = time.perf_counter()
        parser_messages = logger.worth_reading()
        config = builder.create_builder_config()
        config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
        flags = ["STRONGLY_TYPED"]
        if request.precision == "tf32":
            flags.append("TF32")
        else:
            config.clear_flag(trt.BuilderFlag.TF32)
        _add_profile(builder, config, network, request)
        plan = builder.build_serialized_network(network, config)
        built = time.perf_counter()
        if plan is None:
            raise Failed("build-failed", logger.first_error() or "the builder returned no engine")
        counts = layer_types(text for _, text in logger.messages)
        if not precision_is_there(request.precision, counts):
            raise Failed(
                "precision-not-applied",
                "asked for %s, the engine's layers are %s" % (request.precision, counts),
            )
        return Build(
            memoryview(plan).cast("B"),
            {"parse_s": parsed - start, "build_s": built - parsed, "layers": network.num_layers},
            {
                "flags": flags,
                "layer_types": counts,
                "parser_messages": parser_messages,
                "builder_messages": logger.worth_reading()[len(parser_messages) :],
            },
        )

    def require_device(self) -> None:
        """Raise NotRun without a driver.

        There ``get_engine_validity`` answers INVALID with no diagnostics for every file, matching
        version included, and deserializing stops at a CUDA error: neither says anything.
        """
        if self._driver.problem:
            raise NotRun("no-cuda-driver", self._driver.problem)

    def load(self, path: str, log: Callable[[str], None]) -> Tuple[Engine, float]:
        """Deserialize an engine."""
        logger = _Logger(log)
        runtime = trt.Runtime(logger)
        with open(path, "rb") as stream:
            data = stream.read()
        start = time.perf_counter()
        engine = runtime.deserialize_cuda_engine(data)
        seconds = time.perf_counter() - start
        if engine is None:
            raise Refused(_refusal(runtime, data), logger.first_error())
        return _LoadedPlan(engine), seconds


class _LoadedPlan(Engine):
    """A deserialized plan; running it needs the CUDA layer, which this suite does not have yet."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def run(self, feeds: Arrays) -> Arrays:
        """Say that it cannot run."""
        raise NotRun("adapter-cannot-run", "running a TensorRT-RTX engine is not implemented yet")

    def bind(self, feeds: Arrays) -> Callable[[], Any]:
        """Say that it cannot run."""
        raise NotRun("adapter-cannot-run", "running a TensorRT-RTX engine is not implemented yet")


def _refusal(runtime: Any, data: bytes) -> str:
    """Name why TensorRT-RTX refused, from its own validity diagnostics."""
    _, diagnostics = runtime.get_engine_validity(data[: runtime.engine_header_size])
    for member in trt.EngineInvalidityDiagnostics.__members__.values():
        if int(diagnostics) & int(member):
            return str(member.name).lower().replace("_", "-")
    return "unclassified"
