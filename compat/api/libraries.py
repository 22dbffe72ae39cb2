"""What is known of other libraries: their objects are not TensorRT's."""

from __future__ import annotations

from compat.api.values import UNKNOWN, Value, of

LIBRARY, PASSING = of("other", "library"), of("other", "passing")
MODULE, CLASS, METHOD = (of("other", kind) for kind in ("module", "class", "method"))

# Nothing that comes out of these is TensorRT's.
_KNOWN = frozenset(
    {
        "PIL",
        "argparse",
        "ctypes",
        "cuda",
        "cv2",
        "deepspeed",
        "json",
        "keras",
        "lightning",
        "logging",
        "math",
        "numpy",
        "onnx",
        "onnxruntime",
        "openvino",
        "os",
        "pandas",
        "pathlib",
        "pycuda",
        "pytorch_lightning",
        "random",
        "re",
        "shutil",
        "sqlalchemy",
        "struct",
        "subprocess",
        "sys",
        "tensorflow",
        "tensorrt_llm",
        "time",
        "tqdm",
        "transformers",
        "tritonclient",
        "vllm",
        "yaml",
    }
)
# What these return may hold what they were given.
_PASSING = frozenset({"typing", "collections", "itertools", "functools", "threading", "torch"})


def library(name: str) -> Value:
    """Return what is known of a module that is not TensorRT's."""
    if name in _PASSING:
        return PASSING
    return LIBRARY if name in _KNOWN else UNKNOWN


def part(atom: str, name: str) -> Value:
    """Return what another library's module has under a name; `atom`: what is known of it."""
    if atom in ("module", "class"):
        return foreign(name) if atom == "module" else METHOD
    return of("other", atom) if atom in ("library", "passing") else UNKNOWN


def foreign(name: str) -> Value:
    """Return what a name of a module that is not read stands for: its class, by the spelling."""
    return CLASS if name[:1].isupper() and not name.isupper() else UNKNOWN
