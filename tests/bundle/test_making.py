"""Models that the far machine makes: which, and what goes wrong there."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from compat.bundle import far_models, making
from compat.bundle.parts import BundleError
from compat.models import ModelError, ModelSpec, prepare

SEEDED = ModelSpec(
    "net", "builtin:resnet50", "quick", {"batch": (1, 2, 4)}, ("fp32", "fp16", "int8")
)


def _far(*specs: ModelSpec) -> Mapping[str, Any]:
    written = [{**asdict(one), "axes": {k: list(v) for k, v in one.axes.items()}} for one in specs]
    return {
        "models": {},
        "make": {"opsets": [17], "specs": written},
        "plan": {"models": [{"name": one.name} for one in specs]},
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"source": "builtin:resnet50@pretrained"},
        {"source": "builtin:resnet56-cifar10"},
        {"source": "net.onnx"},
        {"inputs": "/data/pictures"},
        {"calibration": "/data/some.npz"},
        {"labels": "/data/labels.npz"},
    ],
)
def test_what_needs_a_file_is_carried(changed: dict[str, Any]) -> None:
    assert making.can_make(SEEDED)
    assert not making.can_make(replace(SEEDED, **changed))


def test_a_mistake_shows_before_anything_is_carried() -> None:
    making.check(SEEDED, (17,))

    with pytest.raises(ModelError, match="batchsize"):
        making.check(replace(SEEDED, axes={"batchsize": (1, 2, 4)}), (17,))
    with pytest.raises(ModelError, match="'text'"):
        making.check(replace(SEEDED, inputs="text"), (17,))


def test_models_made_in_processes_are_the_same_as_those_made_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Side by side, with other threads; a second time nothing is made."""
    monkeypatch.setattr(far_models, "threads", lambda: 8)
    text = ModelSpec("text", "builtin:clip-vit-b32-text", "quick", {"batch": (1, 2, 4)}, ("fp32",))
    said: list[str] = []

    there = far_models.models_of(tmp_path / "far", _far(SEEDED, text), said.append)
    again = far_models.models_of(tmp_path / "far", _far(SEEDED, text), said.append)
    here = prepare(SEEDED, tmp_path / "here")

    assert list(there) == ["net", "text"]
    assert there["net"].digest == here.digest
    assert [one.sha256 for one in there["net"].typed] == [one.sha256 for one in here.typed]
    assert there["net"].golden["max"].name == here.golden["max"].name
    assert "2 at a time, 4 threads each" in said[0]
    assert [model.cached for model in again.values()] == [True, True]


def test_a_model_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    wrong = replace(SEEDED, axes={"batchsize": (1, 2, 4)})

    with pytest.raises(ModelError, match="batchsize") as caught:
        far_models.models_of(tmp_path, _far(wrong), lambda _: None)

    assert caught.value.reason


def _worker() -> int | None:
    """Return the process that this one has started to prepare a model in."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"spawn_main" in stat.with_name("cmdline").read_bytes():
                return int(stat.parent.name)
    return None


def test_a_killed_process_is_told_with_the_way_out(tmp_path: Path) -> None:
    """As the kernel does where memory is short."""

    def kill() -> None:
        while (found := _worker()) is None:
            time.sleep(0.01)
        os.kill(found, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()

    with pytest.raises(BundleError, match=r"prepared net died.*memory"):
        far_models.models_of(tmp_path, _far(SEEDED), lambda _: None)
    killer.join()
