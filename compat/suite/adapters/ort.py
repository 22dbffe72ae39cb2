"""ONNX Runtime on the CPU: the baseline that runs on every machine.

Its "engine" is the optimized graph saved in the ORT format, which has a version of its own and is
bound to the machine's instruction set, so it ages across releases as a plan does.
"""

import os
import tempfile
import time
from typing import Any, Callable, Dict, List, Tuple

import onnxruntime as ort

from ..cores import threads
from ..outcome import Failed, Refused, Unsupported
from .base import Adapter, Arrays, Build, Engine, Request

_PRECISIONS = ("fp32", "fp16", "int8")
_REFUSALS = {
    # https://onnxruntime.ai/docs/performance/model-optimizations/ort-format-models.html
    "ort format model version": "version-mismatch",
    "ir_version": "version-mismatch",
    "not_implemented": "kernel-missing",
    "could not find an implementation": "kernel-missing",
    "invalid_protobuf": "not-an-engine",
    "invalid_graph": "not-an-engine",
    "flatbuffer": "not-an-engine",
    "ort model verification failed": "not-an-engine",  # seen here with 1.30 and 1.31
    "invalid ort format model": "not-an-engine",
}


def _options() -> "ort.SessionOptions":
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads()
    return options


def _classify(error: Exception) -> Refused:
    text = str(error)
    for words, reason in _REFUSALS.items():
        if words in text.lower():
            return Refused(reason, text)
    return Refused("unclassified", text)


class OnnxRuntimeEngine(Engine):
    """A session on the CPU provider."""

    def __init__(self, session: "ort.InferenceSession") -> None:
        self._session = session
        self._outputs: List[str] = [output.name for output in session.get_outputs()]

    def run(self, feeds: Arrays) -> Arrays:
        """Run once and return every output by name."""
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds)))

    def bind(self, feeds: Arrays) -> Callable[[], Any]:
        """Return a call that runs once on host arrays."""
        session, outputs = self._session, self._outputs

        def call() -> None:
            session.run(outputs, feeds)

        return call


class OnnxRuntimeAdapter(Adapter):
    """ONNX Runtime's CPU execution provider."""

    flavour = "onnxruntime"

    def version(self) -> str:
        """Return ``onnxruntime.__version__``."""
        return str(ort.__version__)

    def arch(self) -> str:
        """Return the machine type: ORT-format files hold CPU layouts."""
        return os.uname().machine

    def facts(self) -> Dict[str, Any]:
        """Return the providers that this build offers."""
        return {
            "providers": ort.get_available_providers(),
            "threads": threads(),
        }

    def build(self, request: Request, log: Callable[[str], None]) -> Build:
        """Optimize the graph fully and save it in the ORT format."""
        if request.precision not in _PRECISIONS:
            raise Unsupported("precision", "the CPU provider has no %s kernels" % request.precision)
        options = _options()
        options.add_session_config_entry("session.save_model_format", "ORT")
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "model.ort")
            options.optimized_model_filepath = target
            start = time.perf_counter()
            try:
                ort.InferenceSession(request.onnx, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # ONNX Runtime raises one class per status code
                log(str(error))
                raise Failed("build-failed", str(error))
            seconds = time.perf_counter() - start
            with open(target, "rb") as stream:
                data = stream.read()
        return Build(data, {"build_s": seconds}, {"flags": ["ORT_ENABLE_ALL"]})

    def load(
        self, path: str, log: Callable[[str], None], trusted: bool = False
    ) -> Tuple[Engine, float]:
        """Open a session on an ORT-format file."""
        options = _options()
        options.add_session_config_entry("session.load_model_format", "ORT")
        start = time.perf_counter()
        try:
            session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises one class per status code
            log(str(error))
            raise _classify(error)
        return OnnxRuntimeEngine(session), time.perf_counter() - start
