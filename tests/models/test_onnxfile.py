"""A user's file: what is found in it, and what is said when something is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compat.models import ModelError, ModelSpec, describe, prepare
from compat.models.photographs import photograph_files

Write = Callable[..., Path]


def spec(path: Path, **more: object) -> ModelSpec:
    return ModelSpec("user", str(path), precisions=("fp32",), **more)  # type: ignore[arg-type]


def test_a_file_is_described_without_running_it(write_conv: Write) -> None:
    found = describe(write_conv(("N", 3, "height", "width")))
    assert [(t.name, t.dtype, t.shape) for t in found.inputs] == [
        ("x", "float32", ("N", 3, "height", "width"))
    ]
    assert found.axes == {"N": (1, 8, 16)}
    assert found.missing == ("height", "width")
    assert (found.opset, found.types) == (17, {"FLOAT": 1})


@pytest.mark.parametrize("first", ["N", "batch", "batch_size", "B", None])
def test_batch_like_axes_get_a_profile(tmp_path: Path, write_conv: Write, first: str) -> None:
    model = prepare(spec(write_conv((first, 3, 8, 8))), tmp_path / "work")
    assert model.axes == {first or "batch": (1, 8, 16)}
    assert model.batch == {"min": 1, "opt": 8, "max": 16}


def test_other_dynamic_axes_need_lines_that_the_message_gives(
    tmp_path: Path, write_conv: Write
) -> None:
    path = write_conv(("N", 3, "height", "my width"))
    with pytest.raises(ModelError) as caught:
        prepare(spec(path), tmp_path / "work")
    assert caught.value.reason == "axis-missing"
    lines = str(caught.value).splitlines()[1:]
    expected = ["[models.user.axes]", "height = [224, 224, 448]", '"my width" = [224, 224, 448]']
    assert lines == expected
    axes = {"height": (8, 8, 16), "my width": (8, 8, 16)}
    model = prepare(spec(path, axes=axes), tmp_path / "work")
    assert model.points["max"] == {"N": 16, "height": 16, "my width": 16}


def test_a_fixed_shape_has_the_same_batch_everywhere(tmp_path: Path, write_conv: Write) -> None:
    model = prepare(spec(write_conv((2, 3, 8, 8))), tmp_path / "work")
    assert model.axes == {}
    assert model.batch == {"min": 2, "opt": 2, "max": 2}


def test_all_mistakes_of_a_profile_come_at_once(tmp_path: Path, write_conv: Write) -> None:
    path = write_conv(("batch", 3, "height", 8))
    axes = {"hieght": (8, 8, 8), "batch": (8, 4, 16)}
    with pytest.raises(ModelError) as caught:
        prepare(spec(path, axes=axes), tmp_path / "work")
    text = str(caught.value)
    assert "models.user.axes.hieght" in text
    assert "nearest is 'height'" in text
    assert "[8, 4, 16] must rise" in text


def test_a_profile_that_does_not_rise_has_its_own_reason(tmp_path: Path, write_conv: Write) -> None:
    with pytest.raises(ModelError) as caught:
        prepare(spec(write_conv(), axes={"batch": (0, 4, 16)}), tmp_path / "work")
    assert caught.value.reason == "axis-order"


def external(path: Path) -> Path:
    model = onnx.load(path)
    target = path.with_name("external.onnx")
    onnx.save(model, target, save_as_external_data=True, location="external.bin", size_threshold=0)
    return target


def test_external_data_is_taken_along(tmp_path: Path, write_conv: Write) -> None:
    path = external(write_conv())
    found = describe(path)
    assert [file.name for file in found.external] == ["external.bin"]
    model = prepare(
        ModelSpec("user", str(path), precisions=("fp32", "fp16", "int8")), tmp_path / "work"
    )
    assert [t.status for t in model.typed] == ["ok", "ok", "ok"]
    assert prepare(spec(path), tmp_path / "work").cached


def test_changed_external_data_makes_another_model(tmp_path: Path, write_conv: Write) -> None:
    path = external(write_conv())
    before = prepare(spec(path), tmp_path / "work").digest
    data = path.with_name("external.bin")
    data.write_bytes((np.frombuffer(data.read_bytes(), np.float32) * 2).tobytes())
    assert prepare(spec(path), tmp_path / "work").digest != before


def test_missing_and_short_external_data_are_named(tmp_path: Path, write_conv: Write) -> None:
    path = external(write_conv())
    data = path.with_name("external.bin")
    data.write_bytes(data.read_bytes()[:10])
    with pytest.raises(ModelError, match=r"external\.bin") as caught:
        prepare(spec(path), tmp_path / "work")
    assert caught.value.reason == "truncated"
    data.unlink()
    with pytest.raises(ModelError, match=r"external\.bin") as caught:
        prepare(spec(path), tmp_path / "work")
    assert caught.value.reason == "missing-external-data"


def test_external_data_outside_the_folder_is_refused(tmp_path: Path, write_conv: Write) -> None:
    path = external(write_conv())
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].external_data[0].value = "../secret.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError) as caught:
        describe(path)
    assert caught.value.reason == "external-data-outside"


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (b"", "empty-file", "empty"),
        (LFS, "lfs-pointer", "git lfs pull"),
        (b"hello, this is a readme\n", "not-onnx", "text file"),
        (b"PK\x03\x04" + bytes(50), "not-onnx", "ZIP"),
        (b"ftrt" + bytes(50), "not-onnx", "TensorRT plan"),
        (bytes(range(7, 200)), "truncated", "damaged"),
    ],
)
def test_what_is_not_onnx_is_called_by_its_name(
    tmp_path: Path, content: bytes, reason: str, words: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=words) as caught:
        prepare(spec(path), tmp_path / "work")
    assert caught.value.reason == reason
    assert str(path) in str(caught.value)


def test_a_picture_is_not_a_model(tmp_path: Path) -> None:
    picture = next(f for f in photograph_files() if f.suffix == ".png")
    with pytest.raises(ModelError, match="PNG image"):
        prepare(spec(picture), tmp_path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file") as caught:
        prepare(spec(tmp_path / "none.onnx"), tmp_path / "work")
    assert caught.value.reason == "missing-file"
    with pytest.raises(ModelError, match="is a folder"):
        prepare(spec(tmp_path), tmp_path / "work")


def test_a_model_cut_anywhere_is_never_taken_for_whole(tmp_path: Path, write_conv: Write) -> None:
    data = write_conv().read_bytes()
    cut = tmp_path / "cut.onnx"
    for size in range(1, len(data) - 1, 7):
        cut.write_bytes(data[:size])
        with pytest.raises(ModelError) as caught:
            describe(cut)
        assert caught.value.reason in {"truncated", "not-onnx"}


def test_a_graph_that_the_reference_runtime_refuses(tmp_path: Path) -> None:
    info = helper.make_tensor_value_info
    node = helper.make_node("Mystery", ["x"], ["y"], domain="vendor")
    graph = helper.make_graph(
        [node],
        "g",
        [info("x", TensorProto.FLOAT, ["batch", 4])],
        [info("y", TensorProto.FLOAT, ["batch", 4])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("vendor", 1)]
    path = tmp_path / "custom.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    assert describe(path).domains == ("vendor",)
    with pytest.raises(ModelError, match="Mystery") as caught:
        prepare(spec(path), tmp_path / "work")
    assert caught.value.reason == "golden-failed"
