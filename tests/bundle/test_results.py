"""The results file: what a judgement needs first, and never more than what may be carried."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from compat.bundle import results
from compat.matrix import Plan

ROLES = {
    "outputs": "outputs/a.npz",
    "samples": "samples/a.npy",
    "log": "logs/a.log",
    "layers": "logs/a.layers.json.gz",
}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A far work folder with 200 kB of each kind of file, none of which can be compressed."""
    names = (*ROLES.values(), "engines/a.engine", "golden/net-1/g.npz", "caches/a.timing")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(200_000))
    (tmp_path / "engines" / "a.engine.json").write_text("{}")
    return tmp_path


def _pack(work: Path, most: int | None, *, engines: bool = False) -> tuple[str, set[str], Any]:
    plan = Plan(
        *({"sha256": "c"}, False, (), (), (), {}, {}, ()), {"net": {"opt": "golden/net-1/g.npz"}}
    )
    record = {"item": "x", "status": "ok", "files": {**ROLES, "engine": "engines/a.engine"}}
    target = work / "results.tar.gz"
    said = results.pack(work, plan, [record], {"net": "d"}, target, most, engines)
    with tarfile.open(target) as archive:
        index = archive.extractfile(results.INDEX)
        assert index is not None
        return said, set(archive.getnames()), json.loads(index.read())


def test_everything_but_the_engines_comes_home(work: Path) -> None:
    _, names, index = _pack(work, None)

    assert names >= {*ROLES.values(), "engines/a.engine.json", "golden/net-1/g.npz"}
    assert names >= {"plan.json", "records.jsonl", "caches/a.timing"}
    assert "engines/a.engine" not in names
    assert index["left_out"] == {}


def test_engines_come_on_request(work: Path) -> None:
    assert "engines/a.engine" in _pack(work, None, engines=True)[1]


def test_a_limit_keeps_what_a_judgement_needs_and_names_the_rest(work: Path) -> None:
    said, names, index = _pack(work, 500_000)

    assert (work / "results.tar.gz").stat().st_size <= 500_000
    assert names >= {"outputs/a.npz", "golden/net-1/g.npz", "records.jsonl"}
    assert index["left_out"] == {"caches": 1, "samples": 1, "logs": 2}
    assert "1 samples" in said
