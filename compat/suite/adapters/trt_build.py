"""Parse, configure and build: one code path for TensorRT-RTX and TensorRT 8.5 to 11."""

import time
from typing import Any, Callable, List

from ..outcome import Failed, Refused, Unsupported
from .base import Build, Request
from .layers import layer_types, precision_is_there
from .trt_module import has, make_logger

# Weak typing: what a precision asks of the builder (TensorRT <= 10).
_WEAK_FLAGS = {
    "fp32": (),
    "tf32": ("TF32",),
    "fp16": ("FP16",),
    "bf16": ("BF16",),
    "int8": ("INT8",),
    "fp8": ("FP8",),
}
_STRONG = ("fp32", "tf32", "fp16", "bf16", "int8", "fp8")


def build_engine(trt: Any, request: Request, log: Callable[[str], None]) -> Build:
    """Build an engine from a typed ONNX file.

    Raises:
        Unsupported: this version cannot express the precision, typing or variant.
        Refused: the parser refused an op, or the profile does not fit.
        Failed: the builder gave no engine, or one without the precision asked for.
    """
    flags = _flags(trt, request)
    logger = make_logger(trt, log)
    builder = trt.Builder(logger)
    network = builder.create_network(_network_flags(trt, request))
    start = time.perf_counter()
    _parse(trt.OnnxParser(network, logger), request.onnx)
    parsed = time.perf_counter()
    parser_messages = logger.worth_reading()
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # TF32 is on by default in every release, and an fp32 engine with it is not fp32.
    if request.precision == "fp32" and has(trt, "BuilderFlag.TF32"):
        config.clear_flag(trt.BuilderFlag.TF32)
    for name in flags:
        config.set_flag(getattr(trt.BuilderFlag, name))
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
    named = flags + (["STRONGLY_TYPED"] if request.typing == "strong" else [])
    return Build(
        memoryview(plan).cast("B"),
        {"parse_s": parsed - start, "build_s": built - parsed, "layers": network.num_layers},
        {
            "flags": named,
            "layer_types": counts,
            "parser_messages": parser_messages,
            "builder_messages": logger.worth_reading()[len(parser_messages) :],
        },
    )


def _flags(trt: Any, request: Request) -> List[str]:
    """Return the builder flags of a request, by name."""
    if request.variant != "plain":
        raise Unsupported("variant", "this adapter has no variant %r yet" % request.variant)
    if request.typing == "strong":
        if not has(trt, "NetworkDefinitionCreationFlag.STRONGLY_TYPED"):
            raise Unsupported("typing", "TensorRT %s has no strong typing" % trt.__version__)
        if request.precision not in _STRONG:
            raise Unsupported("precision", "%s cannot be strongly typed" % request.precision)
        return ["TF32"] if request.precision == "tf32" else []
    if request.precision not in _WEAK_FLAGS:
        raise Unsupported("precision", "%s cannot be weakly typed" % request.precision)
    names = list(_WEAK_FLAGS[request.precision])
    missing = [name for name in names if not has(trt, "BuilderFlag." + name)]
    if missing:
        raise Unsupported(
            "precision", "TensorRT %s has no builder flag %s" % (trt.__version__, missing[0])
        )
    return names


def _network_flags(trt: Any, request: Request) -> int:
    """Return the network's creation flags; explicit batch is the only kind from 10.0 on."""
    names = ["STRONGLY_TYPED"] if request.typing == "strong" else []
    if has(trt, "NetworkDefinitionCreationFlag.EXPLICIT_BATCH"):
        names.append("EXPLICIT_BATCH")
    bits = 0
    for name in names:
        bits |= 1 << int(getattr(trt.NetworkDefinitionCreationFlag, name))
    return bits


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
