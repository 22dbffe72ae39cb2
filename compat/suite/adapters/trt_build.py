"""Parse, configure and build: one code path for TensorRT-RTX and TensorRT 8.0 to 11."""

import fcntl
import os
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..cuda import Cuda
from ..notices import read
from ..outcome import Failed, Refused, Unsupported
from .base import Build, Request
from .layers import layer_types, precision_is_there
from .trt_calibrator import make_calibrator
from .trt_module import has, make_logger
from .trt_precision import constraint_flag, keep_fp32

# Weak typing: what a precision asks of the builder (TensorRT <= 10). Beside int8, fp16 is allowed
# too, as `trtexec --int8 --fp16` does: alone it would leave every other layer in fp32.
_WEAK_FLAGS: Dict[str, List[str]] = {
    "fp32": [],
    "tf32": ["TF32"],
    "fp16": ["FP16"],
    "bf16": ["BF16"],
    "int8": ["INT8", "FP16"],
    "int8-calibrated": ["INT8", "FP16"],
    "fp8": ["FP8", "FP16"],
}
_STRONG = ("fp32", "tf32", "fp16", "bf16", "int8", "fp8")
_VARIANT_FLAGS: Dict[str, List[str]] = {
    "plain": [],
    "vc": ["VERSION_COMPATIBLE"],
    "vc-lean-excluded": ["VERSION_COMPATIBLE", "EXCLUDE_LEAN_RUNTIME"],
    "hc-ampere-plus": [],
    "hc-same-cc": [],
    "stripped": ["STRIP_PLAN"],
}
# From 8.6: a build without it would be another build than the one that was asked for.
_OPTIMIZATION_LEVEL = "IBuilderConfig.builder_optimization_level"
_HARDWARE_LEVELS = {"hc-ampere-plus": "AMPERE_PLUS", "hc-same-cc": "SAME_COMPUTE_CAPABILITY"}


def build_engine(
    trt: Any, request: Request, log: Callable[[str], None], cuda: Optional[Cuda]
) -> Build:
    """Build an engine from a typed ONNX file.

    Args:
        trt: the module, any version.
        request: what to build.
        log: receives every message of parser and builder.
        cuda: the device, None where a TensorRT-RTX engine is built without one.

    Raises:
        Unsupported: this version cannot express the precision, typing or variant.
        Refused: the parser refused an op, or the profile does not fit.
        Failed: the builder gave no engine, or one without the precision asked for.
    """
    flags = _flags(trt, request)
    logger = make_logger(trt, log)
    begun = time.perf_counter()
    builder = trt.Builder(logger)  # TensorRT's own start, timed apart from parsing and building
    network = builder.create_network(_network_flags(trt, request))
    start = time.perf_counter()
    parser = trt.OnnxParser(network, logger)
    _parse(parser, request.onnx)
    parsed = time.perf_counter()
    kept = keep_fp32(trt, network, request.nodes) if request.nodes else {}
    parser_messages = logger.worth_reading()
    config = builder.create_builder_config()
    _configure(trt, config, request, flags)
    _add_profile(builder, config, network, request)
    if request.precision == "int8-calibrated":
        assert cuda is not None
        # trt-compat: ignore[gone] asked for only where BuilderFlag.INT8 is, which left with it
        config.int8_calibrator = make_calibrator(trt, cuda, request)
    timings = _use_timing_cache(config, request)
    plan = builder.build_serialized_network(network, config)
    built = time.perf_counter()
    if plan is None:
        raise Failed("build-failed", logger.first_error() or "the builder returned no engine")
    counts = layer_types(text for _, text in logger.messages)
    if not precision_is_there(request.precision, counts):
        raise Failed(
            "precision-not-applied",
            "asked for %s, the engine's layers are %s"
            % (request.precision, ", ".join("%d %s" % (n, name) for name, n in counts.items())),
        )
    notices, first_of_kind = read(logger.messages)
    builder_messages = logger.worth_reading()[len(parser_messages) :]
    return Build(
        memoryview(plan).cast("B"),
        {
            "builder_s": start - begun,
            "parse_s": parsed - start,
            "build_s": built - parsed,
            "layers": network.num_layers,
        },
        {
            **kept,
            "flags": flags + (["STRONGLY_TYPED"] if request.typing == "strong" else []),
            "layer_types": counts,
            "parser_messages": parser_messages,
            # The builder tells of small workspaces by the way (INFO): each kind is told once.
            "builder_messages": builder_messages
            + [text for text in first_of_kind if text not in parser_messages + builder_messages],
            "notices": notices,
            "timing_cache": _keep_timing_cache(config, request, timings),
        },
    )


def _flags(trt: Any, request: Request) -> List[str]:
    """Return the builder flags of a request, by name; raise what this version cannot express."""
    names = _precision_flags(trt, request) + _VARIANT_FLAGS[request.variant]
    if request.nodes:
        names.append(constraint_flag(trt))
    for name in names:
        if not has(trt, "BuilderFlag." + name):
            raise Unsupported(
                "flag", "TensorRT %s has no builder flag %s" % (trt.__version__, name)
            )
    level = _HARDWARE_LEVELS.get(request.variant)
    if level and not has(trt, "HardwareCompatibilityLevel." + level):
        raise Unsupported("flag", "TensorRT %s has no hardware level %s" % (trt.__version__, level))
    if request.optimization_level is not None and not has(trt, _OPTIMIZATION_LEVEL):
        raise Unsupported(
            "optimization-level",
            "optimization level %d was asked for, and TensorRT %s has no builder_optimization_level"
            % (request.optimization_level, trt.__version__),
        )
    return names


def _precision_flags(trt: Any, request: Request) -> List[str]:
    if request.typing == "strong":
        if not has(trt, "NetworkDefinitionCreationFlag.STRONGLY_TYPED"):
            raise Unsupported("typing", "TensorRT %s has no strong typing" % trt.__version__)
        if request.precision not in _STRONG:
            raise Unsupported("precision", "%s cannot be strongly typed" % request.precision)
        return ["TF32"] if request.precision == "tf32" else []
    if request.precision not in _WEAK_FLAGS:
        raise Unsupported("precision", "%s cannot be weakly typed" % request.precision)
    return list(_WEAK_FLAGS[request.precision])


def _network_flags(trt: Any, request: Request) -> int:
    """Return the network's creation flags; explicit batch is the only kind from 10.0 on."""
    names = ["STRONGLY_TYPED"] if request.typing == "strong" else []
    if has(trt, "NetworkDefinitionCreationFlag.EXPLICIT_BATCH"):
        names.append("EXPLICIT_BATCH")
    bits = 0
    for name in names:
        bits |= 1 << int(getattr(trt.NetworkDefinitionCreationFlag, name))
    return bits


def _configure(trt: Any, config: Any, request: Request, flags: List[str]) -> None:
    """Set flags, hardware level, workspace and optimization level."""
    # 8.0 calls it VERBOSE; 8.2 has brought DETAILED (NvInferRuntime.h).
    detailed = "DETAILED" if has(trt, "ProfilingVerbosity.DETAILED") else "VERBOSE"
    config.profiling_verbosity = getattr(trt.ProfilingVerbosity, detailed)
    # TF32 is on by default in every release, and an fp32 engine with it is not fp32.
    if request.precision == "fp32" and has(trt, "BuilderFlag.TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)
    for name in flags:
        config.set_flag(getattr(trt.BuilderFlag, name))
    if request.variant in _HARDWARE_LEVELS:
        level = _HARDWARE_LEVELS[request.variant]
        # trt-compat: ignore[gone] a variant that the release lacks was refused before
        config.hardware_compatibility_level = getattr(trt.HardwareCompatibilityLevel, level)
    if request.workspace_bytes and has(trt, "MemoryPoolType.WORKSPACE"):
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace_bytes)
    elif request.workspace_bytes:  # before 8.4
        # trt-compat: ignore[gone] reached only without MemoryPoolType.WORKSPACE
        config.max_workspace_size = request.workspace_bytes
    if request.optimization_level is not None:
        # trt-compat: ignore[gone] a level that the release lacks was refused before
        config.builder_optimization_level = request.optimization_level
    if has(trt, "TacticSource.CUDNN"):
        # libcudnn.so.8 is a shim that opens its large parts on first use; a bundle may leave those
        # out (1.4 GB), and a matrix has to be built alike wherever it runs.
        kept = config.get_tactic_sources() & ~(1 << int(trt.TacticSource.CUDNN))
        config.set_tactic_sources(kept)


def _use_timing_cache(config: Any, request: Request) -> Tuple[Any, bytes]:
    """Give the builder the cache of earlier builds of the same version on the same kind of GPU.

    Returns it with the content it began with; None where none is used.
    """
    if not request.timing_cache:
        return None, b""
    began = _stored(request.timing_cache)
    cache = config.create_timing_cache(began)
    config.set_timing_cache(cache, False)
    return cache, began


def _keep_timing_cache(config: Any, request: Request, used: Tuple[Any, bytes]) -> Optional[int]:
    """Write the cache back and return its bytes; None where none is used.

    Builds on other GPUs of this machine write the same file: what they put into it stays.
    """
    cache, began = used
    if cache is None:
        return None
    with open(request.timing_cache + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        meanwhile = _stored(request.timing_cache)
        if meanwhile != began:
            cache.combine(config.create_timing_cache(meanwhile), False)
        # TensorRT 8.6.0 died here (SIGABRT, seen on an H200) where cuDNN's large parts were left
        # out.
        data = bytes(memoryview(cache.serialize()))
        with open(request.timing_cache + ".part", "wb") as stream:
            stream.write(data)
        os.replace(request.timing_cache + ".part", request.timing_cache)
    return len(data)


def _stored(path: str) -> bytes:
    """Return what a timing cache's file holds; nothing where there is none yet."""
    if not os.path.exists(path):
        return b""
    with open(path, "rb") as stream:
        return stream.read()


def _parse(parser: Any, path: str) -> None:
    """Parse an ONNX file into the parser's network; the refused op and node are named."""
    if parser.parse_from_file(path):
        return
    if parser.num_errors == 0:
        raise Failed("parser-failed", "the ONNX parser failed without saying why")
    error = parser.get_error(0)
    where = "node number %d" % error.node()
    if hasattr(error, "node_operator"):  # from TensorRT 9
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
    if request.precision == "int8-calibrated":
        # trt-compat: ignore[gone] asked for only where BuilderFlag.INT8 is, which left with it
        config.set_calibration_profile(profile)
