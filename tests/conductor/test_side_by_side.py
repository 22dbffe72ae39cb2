"""Several GPUs: what runs beside what, and what a mishap on one of them costs the others."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from compat.conductor.durations import FILE
from compat.conductor.process import Watch
from compat.conductor.slots import Slot
from tests.conductor.yard import ONE, TWO, Yard, overlap

BUILDS = {
    (model, target): f"build/{model}/fp32-weak/plain/{target}/{target}"
    for model in ("light", "heavy")
    for target in ("trt-a", "trt-b")
}


@dataclass
class Ran:
    """What a run on two GPUs left: its records, and what it printed."""

    records: list[dict[str, Any]]
    lines: list[str]

    def of(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the records with these values."""
        return _of(self.records, **wanted)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Two TensorRT targets and ONNX Runtime on two GPUs, builds and benchmarks slow enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        yard = Yard(tmp_path_factory.mktemp("two"), patch)
        yard.targets |= {"ort": ("onnxruntime", "1.30.0")}
        items = yard.conductor(TWO).kitchen.plan.items
        slow = {item.id: "slow" for item in items if item.check in ("build", "latency")}
        records = yard.run(TWO, slow)
        yield Ran(records, yard.printed.getvalue().splitlines())


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """A fresh work folder, on a machine whose own variable says nothing."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return Yard(tmp_path, monkeypatch)


def _of(records: list[dict[str, Any]], **wanted: Any) -> list[dict[str, Any]]:
    """Return the records with these values, by the time of their beginning."""
    found = [r for r in records if all(r[name] == value for name, value in wanted.items())]
    return sorted(found, key=lambda record: float(record["facts"].get("begin", 0)))


def test_builds_run_at_the_same_time_each_on_a_gpu_of_its_own(ran: Ran) -> None:
    """Two GPUs are at work at once, and neither ever has two processes."""
    builds = ran.of(phase="build")

    beside = [(a, b) for a, b in combinations(builds, 2) if overlap(a, b)]
    assert beside
    assert all(a["facts"]["gpu"] != b["facts"]["gpu"] for a, b in beside)
    assert {r["facts"]["gpu"] for r in builds} == {"4", "6"}
    assert {r["status"] for r in ran.records} == {"ok"}


def test_the_heaviest_model_is_built_first(ran: Ran) -> None:
    """No GPU is left alone with the longest build at the end."""
    order = [r["model"] for r in ran.of(check="build")]

    assert order[:2] == ["heavy", "heavy"]
    assert order[-1] == "light"


def test_light_checks_of_a_runtime_share_a_job_and_heavy_ones_do_not(yard: Yard) -> None:
    """Where a runtime refuses in milliseconds, a job per model would cost more than that."""
    yard.rounds = 1
    yard.models = {"one": 1_000, "two": 1_000, "three": 1_000, "heavy": 900_000, "mass": 900_000}

    jobs: dict[str, list[set[str]]] = {}  # of each process, the models of its jobs
    for record in _of(yard.run(TWO), phase="check", runtime="trt-b"):
        mine = jobs.setdefault(record["facts"]["pid"], [])
        if {"process_start_s", "handover_s"} & record["facts"].keys():
            mine.append(set())
        mine[-1].add(record["model"])

    together = [job for process in jobs.values() for job in process]
    assert sorted(map(sorted, together)) == [["heavy"], ["mass"], ["one", "three", "two"]]


def test_a_rebuild_follows_its_build_in_the_same_process(ran: Ran) -> None:
    """It compares with the engine that has just been built."""
    (build,) = ran.of(check="build", model="heavy", builder="trt-a")
    (rebuild,) = ran.of(check="rebuild", model="heavy", builder="trt-a")

    assert build["facts"]["pid"] == rebuild["facts"]["pid"]
    assert build["facts"]["end"] <= rebuild["facts"]["begin"]


@pytest.mark.parametrize(("before", "behind"), [("build", "check"), ("check", "bench")])
def test_a_phase_ends_on_all_gpus_before_the_next(ran: Ran, before: str, behind: str) -> None:
    """Every engine is there before any is loaded."""
    last = max(r["facts"]["end"] for r in ran.of(phase=before))

    assert last <= min(r["facts"]["begin"] for r in ran.of(phase=behind))


def test_a_benchmark_has_its_gpu_alone_and_never_changes_it(ran: Ran) -> None:
    """All rounds and targets of a model share a GPU; another model runs beside it."""
    records = [r for r in ran.of(phase="bench") if r["runtime"] != "ort"]

    assert any(overlap(a, b) for a, b in combinations(records, 2))
    gpus = set()
    for model in ("light", "heavy"):
        mine = _of(records, model=model)
        (gpu,) = {r["facts"]["gpu"] for r in mine}
        gpus.add(gpu)
        assert [(r["round"], r["runtime"]) for r in mine] == [
            (round_, target) for round_ in (0, 1) for target in ("trt-a", "trt-b")
        ]
    assert gpus == {"4", "6"}


def test_what_is_timed_on_the_cpu_has_the_machine_alone(ran: Ran) -> None:
    """ONNX Runtime takes every core; beside another benchmark both would be slower."""
    cpu = ran.of(phase="bench", runtime="ort")

    rest = [r for r in ran.of(phase="bench") if r["runtime"] != "ort"]
    assert len(cpu) == 4
    assert max(r["facts"]["end"] for r in rest) <= cpu[0]["facts"]["begin"]
    assert not any(overlap(a, b) for a, b in combinations(cpu, 2))


def test_a_line_says_which_gpu_it_is_of(ran: Ran) -> None:
    """Where processes run side by side, every line can be read by itself."""
    builds = [line for line in ran.lines if "] " in line and " build " in line]

    assert len(builds) == 6
    assert all("GPU 4" in line or "GPU 6" in line for line in builds if "trt" in line)
    assert all("CPU" in line for line in builds if "ort" in line)
    assert "build on 2 GPUs" in ran.lines
    rounds = [line for line in ran.lines if "blocks measured" in line and "heavy" in line]
    assert len(rounds) == 1
    assert "heavy, round 1 of 2: 2 blocks measured" in rounds[0]


def test_a_crash_on_one_gpu_costs_its_own_item(yard: Yard) -> None:
    """The process beside it goes on undisturbed, and the crashed one's unit is taken up again."""
    heavy = BUILDS["heavy", "trt-a"]
    records = yard.run(TWO, {heavy: "segfault", BUILDS["heavy", "trt-b"]: "slow"})

    crashed = _of(records, status="crashed")
    assert [r["item"] for r in crashed] == [heavy]
    assert crashed[0]["reason"] == "signal-SIGSEGV"
    beside = _of(records, phase="build", model="heavy", builder="trt-b")
    assert [r["status"] for r in beside] == ["ok", "ok"]
    assert len({r["facts"]["pid"] for r in beside}) == 1
    assert {r["status"] for r in _of(records, builder="trt-b")} == {"ok"}


def test_ctrl_c_ends_both_processes_and_keeps_what_they_finished(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No orphan keeps a GPU, and nothing that is done is done again."""
    hang = {f"re{BUILDS['heavy', target]}": "hang" for target in ("trt-a", "trt-b")}
    conductor = yard.conductor(TWO, hang)
    first = {BUILDS["heavy", "trt-a"], BUILDS["heavy", "trt-b"]}

    def interrupt(running: Mapping[Slot, Watch]) -> None:
        if {watch.started for watch in running.values()} == set(hang):
            raise KeyboardInterrupt

    monkeypatch.setattr(conductor.progress, "wait", interrupt)

    with pytest.raises(KeyboardInterrupt):
        conductor.run_phase("build")

    assert {r["item"] for r in yard.records()} == first
    for record in yard.records():
        with pytest.raises(ProcessLookupError):
            os.kill(record["facts"]["pid"], 0)
    assert list((yard.work / "jobs").glob("*.events.jsonl")) == []

    again = {r["item"] for r in yard.run(TWO)}
    assert not first & again


def test_what_is_listed_first_is_built_first(yard: Yard) -> None:
    """Where time runs out, the first precision of every model is whole."""
    yard.precisions = ["fp16", "fp32"]
    records = yard.run(TWO, build_limit=600.0)

    built = [r["precision"] for r in _of(records, check="build")]
    assert built == ["fp16"] * 4 + ["fp32"] * 4


@pytest.mark.parametrize("slots", [ONE, TWO])
def test_a_time_limit_leaves_builds_for_another_run(yard: Yard, slots: tuple[Slot, ...]) -> None:
    """What is not built is said to be so, and goes on record only when it was."""
    conductor = yard.conductor(slots, build_limit=0.0)
    with conductor.progress:
        for phase in ("build", "check", "bench"):
            conductor.run_phase(phase)

    assert {
        (answer["status"], answer["reason"])
        for answer in conductor.answers.values()
        if answer["check"] == "build"
    } == {("not-run", "no-time-left")}
    assert {a["status"] for a in conductor.answers.values()} == {"not-run"}
    assert yard.records() == []
    assert {r["status"] for r in yard.run(slots)} == {"ok"}


def test_a_time_limit_holds_on_one_gpu_too(yard: Yard) -> None:
    """Not only between two targets: each begins with a dozen builds of its own."""
    yard.models = {f"m{n}": 1_000 for n in range(6)}
    items = yard.conductor(ONE).kitchen.plan.items
    slow = {item.id: "slow" for item in items if item.check == "build"}
    conductor = yard.conductor(ONE, slow, build_limit=0.6)
    with conductor.progress:
        conductor.run_phase("build")

    answers = [a for a in conductor.answers.values() if a["check"] == "build"]
    assert {a["status"] for a in answers} == {"ok", "not-run"}
    assert sum(a["status"] == "ok" for a in answers) <= 3


def test_with_one_slot_the_order_is_target_after_target(yard: Yard) -> None:
    """One process per target and phase, also where targets take turns: it forks for each engine."""
    records = yard.run(ONE)

    assert {r["facts"]["gpu"] for r in records} == {None}
    items = yard.conductor(ONE).kitchen.plan.items
    expected = [
        (item.id, round_)
        for phase, rounds in (("build", (None,)), ("check", (None,)), ("bench", (0, 1)))
        for round_ in rounds
        for target in ("trt-a", "trt-b")
        for item in items
        if (item.phase, item.runtime) == (phase, target)
    ]
    assert [(r["item"], r["round"]) for r in records] == expected
    assert len({r["facts"]["pid"] for r in records}) == 2 + 2 + 2


def test_what_two_gpus_did_stands_where_there_is_one(yard: Yard) -> None:
    """A matrix may go on where there are fewer GPUs, or more."""
    records = yard.run(TWO)

    items = yard.conductor(ONE).kitchen.plan.items
    once = {(item.id, None) for item in items if item.phase != "bench"}
    timed = {(item.id, round_) for item in items if item.phase == "bench" for round_ in (0, 1)}
    assert sorted((r["item"], r["round"]) for r in records) == sorted(once | timed)
    assert yard.run(ONE) == []
    assert yard.run(TWO) == []


def test_an_interrupted_round_is_measured_again_on_one_gpu(yard: Yard) -> None:
    """Its blocks are compared with each other, and the GPU may be another one now."""
    yard.run(TWO)
    path = yard.work / "records.jsonl"
    lost = {("trt-b", "heavy", 1)}
    kept = [
        line
        for line, r in zip(path.read_text().splitlines(), yard.records(), strict=True)
        if (r["runtime"], r["model"], r["round"]) not in lost
    ]
    path.write_text("\n".join(kept) + "\n")

    again = yard.run(TWO)

    assert [(r["runtime"], r["model"], r["round"]) for r in again] == [
        ("trt-a", "heavy", 1),
        ("trt-b", "heavy", 1),
    ]
    assert len({r["facts"]["gpu"] for r in again}) == 1


def test_with_one_slot_no_line_speaks_of_gpus(yard: Yard) -> None:
    """There is nothing to choose, so nothing to tell."""
    yard.run(ONE)

    assert "GPU" not in yard.printed.getvalue()
    assert "bench trt-a" in yard.printed.getvalue().splitlines()


def test_the_longest_of_an_earlier_run_begins_first(yard: Yard) -> None:
    """Its size says little of how long a build takes, and one that begins last is waited for."""
    first = yard.run(TWO)
    (slow,) = _of(first, check="build", model="light", builder="trt-b")
    path = yard.work / FILE
    path.write_text(path.read_text().replace(f'"{slow["item"]}": 0.1', f'"{slow["item"]}": 300'))

    again = yard.run(TWO, chosen=frozenset(r["item"] for r in first if r["phase"] == "build"))

    builds = sorted(_of(again, check="build"), key=lambda r: r["facts"]["begin"])
    assert slow["item"] in {r["item"] for r in builds[:2]}
    assert _of(first, check="build")[0]["model"] == "heavy"
