"""The plan holds every check of every cell, and what the rules say of it."""

from __future__ import annotations

import json
import tomllib

import pytest

from compat.config import Config, TargetConfig
from compat.matrix import Plan, Selection, SelectionError, plan
from compat.typings import onnx_precision, typings

TOML = """
[targets."rtx-1.6"]
flavour = "tensorrt_rtx"
version = "1.6.1.120"
role = "current"
[targets."rtx-1.7"]
flavour = "tensorrt_rtx"
version = "1.7.1.116"
role = "candidate"
[targets."ort-1.30"]
flavour = "onnxruntime"
version = "1.30.0"
role = "current"
[targets."ort-1.31"]
flavour = "onnxruntime"
version = "1.31.1"
role = "candidate"
[models.net]
source = "builtin:resnet50"
axes = { batch = [1, 8, 16] }
precisions = ["fp16"]
accuracy.fp16 = { cosine = 0.9 }
[limits.accuracy]
fp16 = { cosine = 0.99, relative-l2 = 0.1 }
"""


def _plan(selection: Selection | None = None, *, quick: bool = False) -> Plan:
    config = Config.model_validate(tomllib.loads(TOML))
    source = {"path": "compat.toml", "sha256": "0"}
    return plan(config, source=source, quick=quick, selection=selection or Selection())


def _ids(planned: Plan, check: str) -> set[str]:
    return {item.id for item in planned.items if item.check == check}


def test_labels_add_one_check_of_every_engine_in_every_runtime() -> None:
    """It stands beside the accuracy checks, so that the engine is loaded once."""
    config = Config.model_validate(tomllib.loads(TOML))
    net = config.models["net"].model_copy(update={"labels": "builtin"})
    config = config.model_copy(update={"models": {"net": net}})
    planned = plan(config, source={"path": "x", "sha256": "0"}, quick=False, selection=Selection())

    checks = [item.check for item in planned.items if item.phase == "check"]
    assert _ids(planned, "top1") >= {"top1/net/fp16-strong/plain/ort-1.30/ort-1.31"}
    assert len(_ids(planned, "top1")) * 3 == len(_ids(planned, "accuracy"))
    assert checks[checks.index("top1") - 1] == "accuracy"
    assert _ids(_plan(), "top1") == set()


def test_every_engine_is_built_once_and_trt_engines_twice() -> None:
    """A rebuild is a fact about a TensorRT builder; the baseline needs none."""
    planned = _plan()

    assert len(_ids(planned, "build")) == 4
    assert _ids(planned, "rebuild") == {
        "rebuild/net/fp16-strong/plain/rtx-1.6/rtx-1.6",
        "rebuild/net/fp16-strong/plain/rtx-1.7/rtx-1.7",
    }


def test_every_engine_is_loaded_in_every_runtime_of_its_flavour() -> None:
    """Builder x runtime, both ways, but never RTX engines in ONNX Runtime."""
    loads = _ids(_plan(), "load")

    assert "load/net/fp16-strong/plain/ort-1.31/ort-1.30" in loads
    assert len(loads) == 8


def test_expectations_come_from_the_rules() -> None:
    """Each load carries the rule that speaks of it."""
    expected = {item.id: item.expectation for item in _plan().items if item.check == "load"}

    def outcome(builder: str, runtime: str) -> str:
        found = expected[f"load/net/fp16-strong/plain/{builder}/{runtime}"]
        assert found is not None
        return str(found["outcome"])

    assert outcome("rtx-1.6", "rtx-1.6") == "must-load"
    assert outcome("rtx-1.6", "rtx-1.7") == "must-refuse"
    assert outcome("ort-1.30", "ort-1.31") == "must-load"
    assert outcome("ort-1.31", "ort-1.30") == "undocumented"


def test_what_must_be_refused_is_loaded_but_not_measured() -> None:
    """There is nothing to run in an engine that the rules say will not load."""
    measured = {
        (item.builder, item.runtime)
        for item in _plan().items
        if item.check in ("accuracy", "latency")
    }

    assert ("rtx-1.6", "rtx-1.7") not in measured
    assert ("ort-1.30", "ort-1.31") in measured


def test_latency_answers_the_upgrade_only() -> None:
    """Rebuilt engines, and the current target's engines kept in the candidate."""
    pairs = {(i.builder, i.runtime) for i in _plan().items if i.check == "latency"}

    assert ("ort-1.30", "ort-1.31") in pairs
    assert ("ort-1.31", "ort-1.30") not in pairs


def test_accuracy_is_taken_at_all_three_points() -> None:
    """Some engines are wrong only at batch 8 and more (NVIDIA/TensorRT#1408)."""
    points = {
        (item.point, item.batch)
        for item in _plan().items
        if item.check == "accuracy" and item.builder == item.runtime == "ort-1.30"
    }

    assert points == {("min", 1), ("opt", 8), ("max", 16)}


def test_limits_of_a_model_go_over_the_common_ones() -> None:
    """Only the keys that the model names change."""
    assert _plan().limits["accuracy"]["net"]["fp16"] == {"cosine": 0.9, "relative-l2": 0.1}


def test_a_quick_run_does_not_judge_latency() -> None:
    """Small models on few samples are no evidence."""
    assert _plan(quick=True).gate["judge-latency"] is False
    assert _plan().gate["judge-latency"] is True


def test_upgrades_stay_inside_a_flavour() -> None:
    """From the current target to each candidate."""
    assert _plan().upgrades == (
        {"from": "rtx-1.6", "to": "rtx-1.7"},
        {"from": "ort-1.30", "to": "ort-1.31"},
    )


def test_an_item_to_repeat_leaves_the_plan_whole() -> None:
    """Its report must not take the place of the whole one."""
    wanted = "load/net/fp16-strong/plain/ort-1.30/ort-1.31"

    assert _plan(Selection(items=(wanted,))).items == _plan().items


@pytest.mark.parametrize(
    "selection",
    [
        Selection(targets=("rtx-9",)),
        Selection(models=("nte",)),
        Selection(precisions=("fp8",)),
        Selection(items=("load/net",)),
    ],
)
def test_an_unknown_selection_is_an_error(selection: Selection) -> None:
    """A typo must not give an empty, green matrix."""
    with pytest.raises(SelectionError, match="unknown"):
        _plan(selection)


def test_a_plan_can_be_written_and_read() -> None:
    """Later stages read the file, not the objects."""
    read = json.loads(_plan().text())

    assert read["schema"] == 1
    assert read["items"][0]["id"] == _plan().items[0].id


def test_a_plan_has_an_item_a_line() -> None:
    """It can be searched line by line, and an indent would take a plan of 1,964 items past 1 MB."""
    text = _plan().text()

    lines = [line for line in text.splitlines() if line.startswith('{"id":')]
    assert [json.loads(line.rstrip(",")) for line in lines] == json.loads(text)["items"]
    assert len(text.splitlines()) == len(lines) + len(json.loads(text)) + 3


def test_precisions_are_typed_as_the_version_can() -> None:
    """Builder flags up to TensorRT 10, types in the ONNX from 10 on, both at 10."""

    def of(flavour: str, version: str, precision: str) -> tuple[str, ...]:
        target = TargetConfig(flavour=flavour, version=version)
        return typings(target, precision)

    assert of("tensorrt", "8.6.0", "fp16") == ("weak",)
    assert of("tensorrt", "10.16.1.11", "fp16") == ("weak", "strong")
    assert of("tensorrt", "11.0.0.114", "fp16") == ("strong",)
    assert of("tensorrt_rtx", "1.7.1.116", "fp16") == ("strong",)
    assert of("tensorrt", "10.16.1.11", "int8-calibrated") == ("weak",)


def test_a_target_builds_the_models_of_its_own_list() -> None:
    """What a variant costs is asked of one model, not of all."""
    model = {"source": "builtin:resnet50", "axes": {"batch": [1, 8, 16]}}
    config = Config.model_validate(
        {
            "targets": {
                "all": {"flavour": "tensorrt", "version": "8.6.0"},
                "one": {"flavour": "tensorrt", "version": "8.6.0", "models": ["b"]},
            },
            "models": {"a": model, "b": model},
            "precisions": ["fp16"],
        }
    )
    source = {"path": "compat.toml", "sha256": "0"}

    planned = plan(config, source=source, quick=False, selection=Selection())

    built = {(i.builder, i.model) for i in planned.items if i.check == "build"}
    assert built == {("all", "a"), ("all", "b"), ("one", "b")}


def test_a_target_that_is_not_crossed_keeps_to_itself() -> None:
    """It asks what a setting of the build does; who loads whom is asked of its twin."""
    release = {"flavour": "tensorrt", "version": "8.6.0"}
    config = Config.model_validate(
        {
            "targets": {
                "plain": release,
                "small": {**release, "build": {"workspace": "64MiB"}, "cross": False},
                "lean": {"flavour": "tensorrt_lean", "version": "8.6.0"},
            },
            "models": {"net": {"source": "builtin:resnet50", "axes": {"batch": [1, 8, 16]}}},
            "precisions": ["fp16"],
        }
    )
    source = {"path": "compat.toml", "sha256": "0"}

    planned = plan(config, source=source, quick=False, selection=Selection())

    loads = {(i.builder, i.runtime) for i in planned.items if i.check == "load"}
    assert loads == {("plain", "plain"), ("plain", "lean"), ("small", "small")}
    assert {i.builder for i in planned.items if i.check == "damaged"} == {"plain"}


def test_pytorch_is_a_baseline_of_its_own() -> None:
    """One build from fp32 weights per precision and variant, tried in itself, never upgraded."""
    local = {"flavour": "pytorch", "version": "2.11.0", "provider": "local"}
    config = Config.model_validate(
        {
            "targets": {
                "rtx": {"flavour": "tensorrt_rtx", "version": "1.7.1.116"},
                "eager": local,
                "both": {**local, "variants": ["plain", "compiled"]},
            },
            "models": {"net": {"source": "builtin:resnet50", "axes": {"batch": [1, 8, 16]}}},
            "precisions": ["fp16"],
            "variants": ["plain", "hc-same-cc"],
        }
    )
    source = {"path": "compat.toml", "sha256": "0"}

    planned = plan(config, source=source, quick=False, selection=Selection())

    assert {i.id for i in planned.items if i.check == "build" and i.builder != "rtx"} == {
        "build/net/fp16-strong/plain/eager/eager",
        "build/net/fp16-strong/plain/both/both",
        "build/net/fp16-strong/compiled/both/both",
    }
    assert {i.builder for i in planned.items if i.check == "rebuild"} == {"rtx"}
    own = next(i for i in planned.items if (i.check, i.runtime) == ("load", "eager"))
    assert own.expectation is not None
    assert own.expectation["rule"] == "pytorch-same-version"
    assert planned.upgrades == ()
    assert onnx_precision(config.targets["eager"], "fp16", "strong") == "fp32"
    assert onnx_precision(config.targets["rtx"], "fp16", "strong") == "fp16"


def test_full_engines_are_loaded_in_lean_and_dispatch_runtimes_too() -> None:
    """These build nothing themselves."""
    config = Config.model_validate(
        {
            "targets": {
                "full": {"flavour": "tensorrt", "version": "8.6.0", "variants": ["vc"]},
                "lean": {"flavour": "tensorrt_lean", "version": "10.16.1.11"},
            },
            "models": {"net": {"source": "builtin:resnet50", "axes": {"batch": [1, 8, 16]}}},
            "precisions": ["fp16"],
        }
    )
    source = {"path": "compat.toml", "sha256": "0"}

    planned = plan(config, source=source, quick=False, selection=Selection())

    assert [i.id for i in planned.items if i.check == "build"] == [
        "build/net/fp16-weak/vc/full/full"
    ]
    assert "load/net/fp16-weak/vc/full/lean" in {i.id for i in planned.items}


def test_a_plan_says_what_each_builder_is_told() -> None:
    """Two targets may pin one release; what TensorRT decides itself is not listed."""
    release = {"flavour": "tensorrt", "version": "8.6.0"}
    config = Config.model_validate(
        {
            "targets": {
                "plain": release,
                "small": {**release, "build": {"workspace": "64MiB", "optimization-level": 0}},
                "ort": {"flavour": "onnxruntime", "version": "1.31.1"},
            },
            "models": {"net": {"source": "builtin:resnet50", "axes": {"batch": [1, 8, 16]}}},
        }
    )
    source = {"path": "compat.toml", "sha256": "0"}

    planned = plan(config, source=source, quick=False, selection=Selection())

    told = {t["name"]: t.get("build") for t in json.loads(planned.text())["targets"]}
    assert told == {
        "plain": {},
        "small": {"workspace": 64 * 2**20, "optimization-level": 0},
        "ort": None,
    }


def test_each_builder_has_its_first_engine_damaged_last_of_all() -> None:
    """What damage does to a process can then harm no other check."""
    planned = _plan()
    checks = [item.check for item in planned.items]

    assert checks.index("damaged") == len(checks) - checks.count("damaged")
    assert [i.id for i in planned.items if i.check == "damaged" and i.builder == "ort-1.31"] == [
        "damaged/net/fp16-strong/plain/ort-1.31/ort-1.31/truncated",
        "damaged/net/fp16-strong/plain/ort-1.31/ort-1.31/foreign",
        "damaged/net/fp16-strong/plain/ort-1.31/ort-1.31/flipped-header",
        "damaged/net/fp16-strong/plain/ort-1.31/ort-1.31/flipped-weight",
    ]
    damaged = next(item for item in planned.items if item.check == "damaged")
    assert damaged.build_id in _ids(planned, "build")


def test_damage_can_be_left_out() -> None:
    """One key at the top."""
    config = Config.model_validate(tomllib.loads("damage = false\n" + TOML))
    planned = plan(config, source={"path": "x", "sha256": "0"}, quick=True, selection=Selection())

    assert _ids(planned, "damaged") == set()


def test_host_code_is_denied_only_to_engines_that_carry_it() -> None:
    """Version-compatible engines of full TensorRT; lean runtimes build nothing to damage."""
    config = Config.model_validate(
        {
            "targets": {
                "both": {"flavour": "tensorrt", "version": "8.6.0", "variants": ["plain", "vc"]},
                "vc": {"flavour": "tensorrt", "version": "8.6.0", "variants": ["vc"]},
                "lean": {"flavour": "tensorrt_lean", "version": "8.6.0"},
            },
            "models": {"net": {"source": "builtin:resnet50", "axes": {"batch": [1, 8, 16]}}},
            "precisions": ["fp16"],
        }
    )
    planned = plan(config, source={"path": "x", "sha256": "0"}, quick=False, selection=Selection())
    damaged = [item for item in planned.items if item.check == "damaged"]

    denied = [(i.builder, i.variant) for i in damaged if i.damage == "host-code-denied"]
    assert denied == [("both", "vc"), ("vc", "vc")]
    assert {(i.builder, i.variant) for i in damaged if i.damage == "foreign"} == {
        ("both", "plain"),
        ("vc", "vc"),
    }
