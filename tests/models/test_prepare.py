"""What is made, what is kept, and that a broken cache is made again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from compat.models import BUILTINS, ModelError, ModelSpec, PreparedModel, prepare

SPEC = ModelSpec("vit", "builtin:vit-b16", "quick", precisions=("fp32", "fp16"))


def arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as archive:
        return dict(archive)


@pytest.mark.parametrize("name", BUILTINS)
def test_points_feeds_and_references_fit_together(
    quick_models: dict[str, PreparedModel], name: str
) -> None:
    model = quick_models[name]
    assert model.points == {"min": {"batch": 1}, "opt": {"batch": 8}, "max": {"batch": 16}}
    assert model.batch == {"min": 1, "opt": 8, "max": 16}
    largest = arrays(model.feeds["max"])[model.inputs[0].name]
    for point, items in model.batch.items():
        feed, reference = arrays(model.feeds[point]), arrays(model.golden[point])
        assert [t.name for t in model.inputs] == list(feed)
        assert [t.name for t in model.outputs] == list(reference)
        assert str(feed[model.inputs[0].name].dtype) == model.inputs[0].dtype
        assert (feed[model.inputs[0].name] == largest[:items]).all()
        assert len(next(iter(reference.values()))) == items


@pytest.mark.parametrize("name", BUILTINS)
def test_inputs_differ_and_so_do_the_answers(
    quick_models: dict[str, PreparedModel], name: str
) -> None:
    model = quick_models[name]
    (feed,) = arrays(model.feeds["max"]).values()
    assert len({row.tobytes() for row in feed}) == 16
    (answer,) = arrays(model.golden["max"]).values()
    assert np.isfinite(answer).all()
    centred = answer - answer.mean(axis=0)
    assert centred.std() > 0.3 * answer.std()
    assert len(set(answer.argmax(axis=1))) >= 4


def test_a_second_call_is_fast_and_makes_nothing(quick_work: Path, quick_models: object) -> None:
    said: list[str] = []
    started = time.perf_counter()
    spec = ModelSpec("resnet50", "builtin:resnet50", "quick")
    model = prepare(spec, quick_work, opsets=(17, 16), progress=said.append)
    assert time.perf_counter() - started < 1.0
    assert model.cached
    assert said == []


def test_the_manifest_tells_how_to_repeat_it(quick_models: dict[str, PreparedModel]) -> None:
    first = quick_models["clip-vit-b32-text"].typed[0].path
    assert first is not None
    manifest = json.loads((first.parent / "manifest.json").read_text())
    assert "seeded token ids" in manifest["inputs"]
    assert manifest["calibration"]["items"] == 16
    assert manifest["libraries"]["onnxruntime"] in quick_models["clip-vit-b32-text"].golden_runtime
    resnet = quick_models["resnet50"].typed[0].path
    assert resnet is not None
    assert "astronaut.png" in json.loads((resnet.parent / "manifest.json").read_text())["inputs"]


def test_a_smaller_change_remakes_only_what_depends_on_it(tmp_path: Path) -> None:
    first = prepare(SPEC, tmp_path)
    said: list[str] = []
    second = prepare(replace(SPEC, fp32_nodes=("classifier",)), tmp_path, progress=said.append)
    assert said == ["vit: converting to fp16, opset 17"]
    assert second.digest == first.digest
    assert "classifier" in second.typed[1].kept_fp32
    said.clear()
    prepare(replace(SPEC, axes={"batch": (1, 2, 4)}), tmp_path, progress=said.append)
    assert not any("ONNX" in line and "writing" in line for line in said)


def test_a_truncated_file_is_made_again(tmp_path: Path) -> None:
    first = prepare(SPEC, tmp_path)
    path = first.typed[0].path
    assert path is not None
    path.write_bytes(path.read_bytes()[:1000])
    again = prepare(SPEC, tmp_path)
    assert not again.cached
    assert again.digest == first.digest


def test_a_changed_file_of_the_same_size_is_made_again(tmp_path: Path) -> None:
    first = prepare(SPEC, tmp_path)
    path = first.golden["opt"]
    data = bytearray(path.read_bytes())
    data[-200] ^= 1
    path.write_bytes(bytes(data))
    assert not prepare(SPEC, tmp_path).cached
    assert prepare(SPEC, tmp_path).cached


def test_a_copied_work_directory_is_still_good(tmp_path: Path) -> None:
    """A copy has new times; the digests say that the bytes are the same."""
    prepare(SPEC, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    assert prepare(SPEC, tmp_path / "b").cached


def test_a_damaged_sidecar_is_made_again(tmp_path: Path) -> None:
    first = prepare(SPEC, tmp_path)
    sidecar = first.feeds["min"].with_name(first.feeds["min"].name + ".json")
    sidecar.write_text('{"key": ')
    assert not prepare(SPEC, tmp_path).cached


def test_kill_at_any_time_leaves_a_usable_cache(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; import sys\n"
        "from compat.models import ModelSpec, prepare\n"
        "spec = ModelSpec('vit', 'builtin:vit-b16', 'quick', precisions=('fp32', 'fp16'))\n"
        "prepare(spec, Path(sys.argv[1]), progress=lambda s: print(s, flush=True))\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    for lines in (1, 3, 6):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        process.wait()
        process.stdout.close()
    model = prepare(SPEC, tmp_path)
    assert all(t.status == "ok" for t in model.typed)
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "models"
    blocked.write_text("a file where a folder must be")
    with pytest.raises(ModelError, match="cannot write") as caught:
        prepare(SPEC, tmp_path)
    assert caught.value.reason == "cannot-write"


def test_a_builtin_has_two_opsets(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="opset 16 and 17"):
        prepare(SPEC, tmp_path, opsets=(18,))


def test_trained_weights_must_be_fetched_first(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="trt-compat models fetch") as caught:
        prepare(ModelSpec("vit", "builtin:vit-b16@pretrained"), tmp_path)
    assert caught.value.reason == "not-fetched"
    with pytest.raises(ModelError, match="size 'full' only"):
        prepare(ModelSpec("vit", "builtin:vit-b16@pretrained", "quick"), tmp_path)
    with pytest.raises(ModelError, match="only 'pretrained'"):
        prepare(ModelSpec("vit", "builtin:vit-b16@trained"), tmp_path)


def test_a_tensor_may_have_any_name(tmp_path: Path) -> None:
    """numpy.savez takes "file" for its own parameter."""
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Add", ["file", "allow_pickle"], ["a/b:0"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [info(name, TensorProto.FLOAT, ["n", 2]) for name in ("file", "allow_pickle")],
        [info("a/b:0", TensorProto.FLOAT, ["n", 2])],
    )
    path = tmp_path / "m.onnx"
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    model = prepare(ModelSpec("sum", str(path), precisions=("fp32",)), tmp_path / "work")
    feed, answer = arrays(model.feeds["opt"]), arrays(model.golden["opt"])
    assert (answer["a/b:0"] == feed["file"] + feed["allow_pickle"]).all()


def test_calibration_inputs_keep_their_name_where_others_change(tmp_path: Path) -> None:
    """A builder's calibration table is found by it; a larger batch changes nothing of the table."""
    spec = replace(SPEC, precisions=("fp32", "int8-calibrated"), calibrated=True)
    names = set()
    for largest in (12, 16):
        model = prepare(replace(spec, axes={"batch": (1, 8, largest)}), tmp_path, opsets=(17,))
        names.add(model.feeds["calibration"].name)

    assert len(names) == 1
