"""The catalogue of messages: why TensorRT refused, by stable words, with cause and remedy.

Numbers, file names and line numbers change between releases and never stand in a pattern. Each row
was seen in public threads or here; the sources are in its `seen`.
"""

import re
from typing import Iterable, NamedTuple


class Message(NamedTuple):
    """One kind of refusal. The first row whose pattern is found in a log speaks."""

    reason: str
    pattern: str
    cause: str
    remedy: str
    seen: str


MESSAGES = (
    Message(
        "version-mismatch",
        r"not compatible with this version of TensorRT|Version tag does not match"
        r"|stdVersionRead == |incompatible serialization version"
        r"|built from an older TensorRT version|Version Forward Compatibility supported starting",
        "the plan was built by another version of TensorRT",
        "rebuild with the runtime's version, or build with version compatibility",
        "NVIDIA/TensorRT#2983 #3069 #3793 #2041 #4479; seen here in lean 10.16 and 11.4",
    ),
    Message(
        "host-code-not-allowed",
        r"Cannot deserialize engine with lean runtime|engineHostCodeAllowed"
        r"|host code.{0,40}allowed",
        "a version-compatible plan carries host code, and the runtime was not told to trust it",
        "set runtime.engine_host_code_allowed = True for plans that you built yourself",
        "triton-inference-server/server qa/L0_trt_compat/test.sh",
    ),
    Message(
        "lean-runtime-missing",
        r"dispatchStubs|stub deserializeEngine",
        "the dispatch runtime found no lean runtime inside the plan",
        "build without EXCLUDE_LEAN_RUNTIME, or call load_runtime(path) first",
        "seen here in dispatch 8.6.0 and 10.16.1",
    ),
    Message(
        "plain-plan-in-lean-runtime",
        r"Unexpected call to stub|leanStubs|stub loadRunner",
        "a plan without version compatibility was given to the lean runtime",
        "build with version compatibility, or load with the full runtime",
        "NVIDIA/TensorRT#4790 #3307",
    ),
    Message(
        "lean-runtime-missing",
        r"[Ll]ean runtime.{0,60}(not found|missing|excluded|load)"
        r"|Unable to load library: libnvinfer_lean",
        "the plan has no lean runtime inside, or the library is not there",
        "load the lean runtime of the plan's version with runtime.load_runtime(path)",
        "NvInferRuntime.h; seen here with 8.6.0",
    ),
    Message(
        "wrong-gpu",
        r"incompatible device|expecting compute|Target GPU SM|Unsupported SM",
        "the plan was built for another compute capability, or this release dropped the GPU",
        "rebuild on the target GPU, or build with a hardware compatibility level",
        "NVIDIA/TensorRT#2176 #2177 #3826",
    ),
    Message(
        "plugin-missing",
        r"getPluginCreator could not find plugin|IPluginCreator not found in Plugin Registry",
        "the plan uses a plugin that is not registered",
        "load the plugin library first, in the version that the plan was built with",
        "NVIDIA/TensorRT#263 #955 #1913",
    ),
    Message(
        "not-an-engine",
        r"[Mm]agic ?[Tt]ag|header\.size == |plan\.header|Serialization assertion|[Tt]runcated",
        "the file is no plan, was cut or damaged, or a release with another plan format made it",
        "compare it with its manifest, and rebuild it with the runtime's version",
        "NVIDIA/TensorRT#1596; seen here with TensorRT-RTX 1.7",
    ),
    Message(
        "nvrtc-mismatch",
        r"mismatch of libnvrtc version",
        "CUDA differs between build and run time",
        "use the same CUDA major version as at build time",
        "Lyric0620/ETSAuto#6",
    ),
    Message(
        "cuda-initialization",
        r"CUDA initialization failure",
        "no driver, or one that is too old",
        "update the driver, or choose a TensorRT for its CUDA version",
        "seen here with lean 10.15 to 11.4",
    ),
)


def classify(log: Iterable[str]) -> str:
    """Return the reason code of the first row that a log's lines match, else "unclassified"."""
    text = "\n".join(log)
    for message in MESSAGES:
        if re.search(message.pattern, text):
            return message.reason
    return "unclassified"
