"""What the suite is told of an item, and what its key depends on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compat.conductor.jobs import Kitchen, entry
from compat.conductor.places import mounts
from compat.config.schema import BuildConfig
from compat.matrix import Selection, plan
from compat.prepared import NodeList
from tests.conductor.kitchens import kitchen

LISTED = NodeList("fp32-nodes", ("conv",), ())


def build(there: Kitchen, precision: str, typing: str) -> dict[str, Any]:
    """Return the entry of one build."""
    (item,) = (
        one
        for one in there.plan.items
        if (one.check, one.precision, one.typing) == ("build", precision, typing)
    )
    return entry(item, there, None, None)


@pytest.mark.parametrize(
    ("precision", "typing", "told"),
    [
        ("fp16", "weak", True),
        ("int8-calibrated", "weak", True),
        ("fp16", "strong", False),  # there the ONNX itself has the types
        ("fp32", "weak", False),
    ],
)
def test_a_list_of_nodes_goes_to_builders_that_choose_the_types(
    precision: str, typing: str, told: bool
) -> None:
    found = build(kitchen(LISTED), precision, typing)["nodes"]

    assert found == ({"key": "fp32-nodes", "names": ("conv",), "others": ()} if told else None)


def test_another_list_is_another_engine() -> None:
    """A record of the old list must not answer the new one, nor its engine file be overwritten."""
    made = [
        build(kitchen(one), "fp16", "weak")
        for one in (None, LISTED, replace(LISTED, names=("conv", "fc")))
    ]

    assert len({one["key"] for one in made}) == len({one["engine"] for one in made}) == 3


def test_an_engines_name_says_what_gpu_it_is_for() -> None:
    """An engine of one GPU family is refused on another: the processor's name helps nobody."""
    made = build(kitchen(), "fp16", "weak")

    assert made["engine"].endswith("net_batch1-2-4_10.3.0.26_sm_90_fp16-weak.engine")


def test_a_build_without_a_timing_cache_is_another_build() -> None:
    """The report says of each builder whether it had one; an old engine must not stand for it."""
    there = kitchen()
    without = replace(
        there, config=there.config.model_copy(update={"build": BuildConfig(timing_cache=False)})
    )

    assert build(there, "fp16", "weak")["key"] != build(without, "fp16", "weak")["key"]


def test_each_builder_is_told_its_own_settings(tmp_path: Path) -> None:
    """And the engines of two builders of one release never share a file."""
    release = {"flavour": "tensorrt", "version": "8.6.0"}
    told = {"workspace": "64MiB", "optimization-level": 0}
    there = kitchen(work=tmp_path, targets={"as-is": release, "small": {**release, "build": told}})

    as_is, small = (
        entry(item, there, None, None)
        for item in there.plan.items
        if (item.check, item.precision) == ("build", "fp16")
    )

    assert (as_is["workspace_bytes"], as_is["optimization_level"]) == (0, None)
    assert (small["workspace_bytes"], small["optimization_level"]) == (64 * 2**20, 0)
    assert as_is["engine"] != small["engine"]
    assert as_is["key"] != small["key"]


def test_trtexec_gets_the_engine_and_the_inputs_that_ours_is_timed_with() -> None:
    there = kitchen()
    bench = there.config.bench.model_copy(update={"trtexec": ["load"]})
    asked = there.config.model_copy(update={"bench": bench})
    items = plan(asked, source={}, quick=False, selection=Selection()).items
    item = next(one for one in items if one.check == "trtexec_load")
    timed = next(one for one in items if one.check == "latency" and one.build_id == item.build_id)
    build = {"files": {"engine": "engines/1/net.engine"}, "facts": {"engine_sha256": "e" * 64}}

    made, ours = entry(item, there, build, None), entry(timed, there, build, 0)

    same = ("engine", "engine_sha256", "feeds", "batch")
    assert [made[key] for key in same] == [ours[key] for key in same]
    assert made["cell"]["point"] == "opt"
    assert made["key"] != ours["key"]
    assert made["samples"] != ours["samples"]


def test_a_container_may_write_where_trtexec_leaves_its_samples(tmp_path: Path) -> None:
    """The rest of the work folder is read-only there; what it builds from is seen."""
    onnx = tmp_path / "elsewhere" / "net.onnx"
    work = tmp_path / "work"
    work.mkdir()

    seen = mounts(work, "check", [{"onnx": str(onnx)}], tmp_path / "deps")

    assert work / "samples" in seen.writes
    assert (work / "samples").is_dir()
    assert onnx.parent in seen.reads


def test_trtexec_builds_from_what_ours_is_built_from() -> None:
    there = kitchen()
    bench = there.config.bench.model_copy(update={"trtexec": ["build"]})
    asked = there.config.model_copy(update={"bench": bench})
    items = plan(asked, source={}, quick=False, selection=Selection()).items
    item = next(one for one in items if one.check == "trtexec_build")
    own = next(one for one in items if one.id == item.build_id)
    build = {"files": {"engine": "engines/1/net.engine"}, "facts": {"engine_sha256": "e" * 64}}

    made, ours = entry(item, there, build, None), entry(own, there, None, None)

    same = ("onnx", "profile", "workspace_bytes", "optimization_level", "nodes", "precision")
    assert [made[key] for key in same] == [ours[key] for key in same]
    assert Path(made["feeds"]).name == "opt.npz"
