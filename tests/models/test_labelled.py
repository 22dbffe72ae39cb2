"""Labelled sets: a user's own file, how it is thinned, and what preparation makes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from compat.models import ModelError, ModelSpec, TensorInfo, prepare
from compat.models.labelled import read_labelled, thinned

TENSORS = (TensorInfo("x", "float32", ("batch", 10)),)
LABELS = np.arange(40) % 10
IMAGES = np.eye(10, dtype=np.float32)[LABELS]


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    """A network whose scores are its input, so that one-hot items are right."""
    weight = numpy_helper.from_array(np.eye(10, dtype=np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], name="head")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 10])],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


@pytest.fixture
def labelled(tmp_path: Path) -> Callable[..., Path]:
    """Write a labelled .npz; arrays given by name replace the good ones, None removes them."""

    def write(**changes: np.ndarray | None) -> Path:
        arrays = {"x": IMAGES, "labels": LABELS, **changes}
        kept = {name: array for name, array in arrays.items() if array is not None}
        np.savez(tmp_path / "set.npz", **kept)
        return tmp_path / "set.npz"

    return write


def _spec(model: Path, labels: Path | str, limit: int | None = None) -> ModelSpec:
    return ModelSpec(
        "net", str(model), precisions=("fp32",), labels=str(labels), labels_limit=limit
    )


def test_the_golden_predictions_are_made_once(
    classifier: Path, labelled: Callable[..., Path], tmp_path: Path
) -> None:
    """They carry the labels, so the analysis needs one file."""
    spec = _spec(classifier, labelled())
    made = prepare(spec, tmp_path / "work")

    with np.load(made.golden["top1"]) as found:
        assert (found["top5"][:, 0] == LABELS).all()
        assert (found["labels"] == LABELS).all()
    with np.load(made.feeds["top1"]) as found:
        assert sorted(found.files) == ["labels", "x"]
    assert prepare(spec, tmp_path / "work").cached


def test_a_limit_takes_items_evenly(
    classifier: Path, labelled: Callable[..., Path], tmp_path: Path
) -> None:
    """A set may be sorted by class."""
    order = np.argsort(LABELS, kind="stable")
    path = labelled(x=IMAGES[order], labels=LABELS[order])
    made = prepare(_spec(classifier, path, 10), tmp_path / "work")

    with np.load(made.golden["top1"]) as found:
        assert sorted(found["labels"]) == list(range(10))
    assert len(thinned({"labels": LABELS}, 100)["labels"]) == 40


def test_whole_numbers_with_a_divisor_are_taken(
    classifier: Path, labelled: Callable[..., Path], tmp_path: Path
) -> None:
    path = labelled(x=(IMAGES * 255).astype(np.uint8), divisor=np.array(255, np.float32))
    made = prepare(_spec(classifier, path), tmp_path / "work")

    with np.load(made.golden["top1"]) as found:
        assert (found["top5"][:, 0] == LABELS).all()
        assert (found["margin"] == 1).all()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"labels": None}, "no array labels"),
        ({"x": None}, "no array x"),
        ({"labels": LABELS[:-1]}, "39 labelled items"),
        ({"labels": LABELS.astype(np.float32)}, "class numbers"),
        ({"labels": LABELS - 1}, "class numbers"),
        ({"x": IMAGES[:, :9]}, r"\[batch|'batch'"),
        ({"x": IMAGES.astype(np.uint8)}, "the model reads float32"),
    ],
)
def test_a_file_that_does_not_fit_is_named(
    labelled: Callable[..., Path], changes: dict[str, np.ndarray | None], word: str
) -> None:
    path = labelled(**changes)

    with pytest.raises(ModelError, match=word) as caught:
        read_labelled("net", path, TENSORS)
    assert caught.value.reason == "labels-array"
    assert "set.npz" in str(caught.value)


def test_labels_that_are_not_there_are_named(classifier: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="trained built-in"):
        prepare(_spec(classifier, tmp_path / "none.npz"), tmp_path / "work")
    with pytest.raises(ModelError, match="no labelled images of its own"):
        prepare(_spec(classifier, "builtin"), tmp_path / "work")


def test_a_network_without_scores_is_told(
    write_conv: Callable[..., Path], labelled: Callable[..., Path], tmp_path: Path
) -> None:
    images = np.zeros((40, 3, 8, 8), np.float32)
    with pytest.raises(ModelError, match="no output is"):
        prepare(_spec(write_conv(), labelled(x=images)), tmp_path / "work")


def test_words_of_a_trained_model_are_refused_elsewhere(classifier: Path, tmp_path: Path) -> None:
    spec = ModelSpec("net", str(classifier), calibration="training")

    with pytest.raises(ModelError, match="does not have"):
        prepare(spec, tmp_path / "work")


def test_calibration_inputs_are_kept_and_a_wrong_set_is_told(
    classifier: Path, labelled: Callable[..., Path], tmp_path: Path
) -> None:
    """TensorRT up to 10 calibrates by itself and needs them as a file."""
    said: list[str] = []
    spec = ModelSpec(
        *("net", str(classifier)),
        precisions=("fp32",),
        inputs=str(labelled()),
        calibration="noise",
        calibrated=True,
    )
    for _ in range(2):
        made = prepare(spec, tmp_path / "work", progress=said.append)

    assert made.cached
    assert len([text for text in said if "does not cover input 'x'" in text]) == 2
    assert made.calibration_coverage["x"]["wider"] > 2
    with np.load(made.feeds["calibration"]) as found:
        assert found["x"].shape == (16, 10)
