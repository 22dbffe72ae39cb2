"""Several runs, one report: what may be merged, and whose record answers a cell."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compat.bundle.merge import choose, choose_beside, merge
from compat.bundle.parts import BundleError
from compat.bundle.source import Source

ITEM = {
    "check": "load",
    "phase": "check",
    "model": "net",
    "precision": "fp16",
    "typing": "strong",
    "variant": "plain",
    "builder": "a",
    "runtime": "a",
    "point": None,
    "batch": None,
    "expectation": None,
}


def _record(item: str, status: str = "ok", machine: str = "one", **more: Any) -> dict[str, Any]:
    kept = {key: ITEM[key] for key in ("check", "model", "precision", "typing")}
    base = {"item": item, "round": None, "key": item, "status": status, "machine": machine}
    return {**kept, **base, "reason": "", "message": "", "numbers": {}, "files": {}, **more}


def _source(name: str, *records: dict[str, Any]) -> Source:
    return Source(Path(name), {}, records, name, {})


def test_what_ran_answers_before_what_did_not() -> None:
    first = _source("one", _record("x", "not-run"), _record("y"))
    second = _source("two", _record("x", machine="two"), _record("y", "not-run", "two"))

    chosen, aside = choose([first, second])

    assert {(r["item"], r["machine"]) for r in chosen} == {("x", "two"), ("y", "one")}
    assert len(aside) == 2


def test_times_of_two_machines_are_never_put_beside_each_other() -> None:
    """The machine that timed more keeps the series; the other's blocks are set aside."""
    first = _source("one", _record("l1", check="latency", round=0))
    second = _source(
        "two",
        _record("l2", machine="two", check="latency", round=0),
        _record("l2", machine="two", check="latency", round=1),
    )

    chosen, aside = choose([first, second])

    assert {r["machine"] for r in chosen} == {"two"}
    assert [r["item"] for r in aside] == ["l1"]


def test_trtexecs_time_is_of_the_machine_whose_latencies_stand() -> None:
    """Else the page would put the times of two machines beside each other."""
    first = _source("one", _record("t", check="trtexec_load"))
    second = _source("two", _record("l", machine="two", check="latency", round=0))

    chosen, aside = choose([first, second])

    assert [r["item"] for r in chosen] == ["l"]
    assert [r["item"] for r in aside] == ["t"]


def test_what_was_read_in_stands_beside_its_own_machines_record_only() -> None:
    chosen = [_record("latency/a", machine="one"), _record("latency/b", machine="two")]
    rows = [
        {"item": f"crosscheck/trtexec/{name}", "beside": f"latency/{name}", "machine": "two"}
        for name in ("a", "b", "gone")
    ]
    sources = [_source("one"), replace(_source("two"), crosschecks=tuple(rows))]

    beside, aside = choose_beside(sources, chosen)

    assert [row["beside"] for row in beside] == ["latency/b"]
    assert [row["beside"] for row in aside] == ["latency/a", "latency/gone"]


def test_a_failure_is_not_hidden_by_another_machine_that_did_not_try() -> None:
    chosen, _ = choose(
        [_source("one", _record("x", "not-run")), _source("two", _record("x", "crashed", "two"))]
    )

    assert [r["status"] for r in chosen] == ["crashed"]


def _result(
    path: Path,
    files: Mapping[str, str] | None = None,
    present: Mapping[str, str] | None = None,
    **changes: Any,
) -> Path:
    """Write a results file of one item, whose record names `files`; of them `present` are in it."""
    plan = {
        "schema": 1,
        "created": "2026-11-20T12:00:00+00:00",
        "config": {"path": "compat.toml", "sha256": "c" * 64},
        "quick": False,
        "targets": [
            {"name": "a", "flavour": "tensorrt", "version": "8.6.0", "role": "current"}
            | {"provider": "wheel"},
        ],
        "models": [{"name": "net", "source": "net.onnx", "axes": {}, "precisions": ["fp16"]}],
        "upgrades": [],
        "limits": {"latency": 0.05, "max-cv": {"gpu": 0.02, "host": 0.1}, "accuracy": {"net": {}}},
        "gate": {"inconclusive": "allow", "not-run": "allow", "judge-latency": True},
        "golden": {"net": {"opt": "golden/net-1/golden-opt-1.npz"}},
        "machine": {"cpu": path.name, "gpus": []},
        "items": [{"id": "load/net", **ITEM}],
        **changes,
    }
    record = _record("load/net", numbers={"load_s": 0.1}, target={"version": "8.6.0"})
    del record["machine"]
    record["files"] = dict(files or {})
    members = {
        **(present or {}),
        "plan.json": json.dumps(plan),
        "records.jsonl": json.dumps(record) + "\n",
        "result.json": json.dumps({"models": {"net": "d" * 64}, "left_out": {"samples": 2}}),
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def test_only_what_came_home_is_named(tmp_path: Path) -> None:
    """Engines and what had no room stay behind; the page must not send anyone to look for them."""
    files = {"log": "logs/a.log", "engine": "engines/a.engine"}
    path = _result(tmp_path / "one.tar.gz", files=files, present={"logs/a.log": "said"})

    merge([path], tmp_path / "out", None, print)

    (line,) = (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    assert json.loads(line)["files"] == {"log": "results/01/logs/a.log"}


def test_two_results_become_one_report(tmp_path: Path) -> None:
    told: list[str] = []
    paths = [_result(tmp_path / "one.tar.gz"), _result(tmp_path / "two.tar.gz")]

    results = merge(paths, tmp_path / "out", None, told.append)

    records = (tmp_path / "out" / "records.jsonl").read_text().splitlines()
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert results.counts["ran"] == 1
    assert json.loads(records[0])["machine"].startswith("one.tar.gz [")
    assert len((tmp_path / "out" / "set-aside.jsonl").read_text().splitlines()) == 1
    assert plan["golden"]["net"]["opt"] == "results/01/golden/net-1/golden-opt-1.npz"
    assert len(plan["machines"]) == 2
    assert "2 samples had no room" in " ".join(told)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"config": {"path": "x", "sha256": "e" * 64}}, "different configurations"),
        ({"quick": True}, "quick"),
        ({"golden": {"net": {"opt": "golden/net-2/golden-opt-2.npz"}}}, "another model net"),
    ],
)
def test_runs_that_do_not_belong_together(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    paths = [_result(tmp_path / "one.tar.gz"), _result(tmp_path / "two.tar.gz", **changes)]

    with pytest.raises(BundleError, match=said):
        merge(paths, tmp_path / "out", None, lambda _: None)


def test_a_result_that_is_cut_short_is_named(tmp_path: Path) -> None:
    path = _result(tmp_path / "one.tar.gz")
    path.write_bytes(path.read_bytes()[:200])

    with pytest.raises(BundleError, match=r"one\.tar\.gz"):
        merge([path], tmp_path / "out", None, lambda _: None)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "logs/../../outside"])
def test_a_result_that_leads_out_of_its_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = _result(tmp_path / "one.tar.gz", present={name: "said"})

    with pytest.raises(BundleError, match="is no plain file inside of it"):
        merge([path], tmp_path / "out", None, print)
    assert not list(tmp_path.rglob("outside"))


def test_the_same_result_twice_is_named(tmp_path: Path) -> None:
    path = _result(tmp_path / "one.tar.gz")

    with pytest.raises(BundleError, match="given twice"):
        merge([path, path], tmp_path / "out", None, lambda _: None)


def test_limits_and_gate_of_another_file(tmp_path: Path) -> None:
    """The model's ONNX need not be on the machine that merges."""
    config = tmp_path / "strict.toml"
    config.write_text(
        'schema = 1\n[targets.a]\nflavour = "tensorrt"\nversion = "8.6.0"\n'
        '[models.net]\nsource = "not-here.onnx"\n[limits]\nlatency = 0.01\n'
    )

    merge([_result(tmp_path / "one.tar.gz")], tmp_path / "out", config, lambda _: None)

    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["limits"]["latency"] == 0.01
    assert plan["gate"]["not-run"] == "stop"
