"""Which token does TensorRT's fp16 text tower take for the end of the text?

``python reports/h200-models/argmax.py`` (from the repository, with trt-compat installed) makes
CLIP's text tower, projects every position of its encoder's output in ONNX Runtime, fp32, and says
which of them the output of TensorRT 8.6.0 (``clip-text-fp16-opt.npz`` beside this file) is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort

from compat import workflow
from compat.matrix import Selection

HERE = Path(__file__).parent
CONFIG = HERE.parents[1] / "examples" / "h200-models.toml"


def main() -> None:
    """Print, for each text, the position that fits best and the right one."""
    options = workflow.Options(CONFIG, Path(".trt-compat"), HERE, Selection(models=("clip-text",)))
    prepared = workflow.prepare(options, *workflow.lay_out(options), say)["clip-text"]
    path = next(typed.path for typed in prepared.typed if typed.precision == "fp32")
    feeds = dict(np.load(prepared.feeds["opt"]))
    encoded, right, weight = run(onnx.load(path), feeds)
    (ids,) = feeds.values()
    in_half = ids.astype(np.float16).argmax(axis=1)
    (output,) = np.load(HERE / "clip-text-fp16-opt.npz").values()
    for text, found in enumerate(output.astype(np.float64)):
        fits = [cosine(found, position @ weight) for position in encoded[text]]
        best = int(np.argmax(fits))
        say(
            f"text {text}: TensorRT's output is position {best} (cosine {fits[best]:.6f}); the end "
            f"of text is at {right[text]} (cosine {fits[right[text]]:.4f}); the largest id in fp16 "
            f"is at {in_half[text]}"
        )


def run(
    model: onnx.ModelProto, feeds: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the encoder's output [batch, tokens, dim], the end positions, and the projection."""
    nodes = model.graph.node
    argmax = next(node for node in nodes if node.op_type == "ArgMax").output[0]
    flat = next(node for node in nodes if node.output[0].startswith("end.flatten")).input[0]
    taken = next(node for node in nodes if node.output[0].startswith("end.take")).output[0]
    last = next(node for node in nodes if taken in node.input)
    for name, kind in ((flat, onnx.TensorProto.FLOAT), (argmax, onnx.TensorProto.INT64)):
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, kind, None))
    session = ort.InferenceSession(model.SerializeToString())
    encoded, right = session.run([flat, argmax], feeds)
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    weight = next(weights[name] for name in last.input if name in weights)
    return encoded.astype(np.float64), right, weight.astype(np.float64)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Return the cosine between two vectors."""
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
