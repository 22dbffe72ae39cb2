"""What one process does, where several GPUs share the work."""

from __future__ import annotations

from collections.abc import Sequence

from compat.conductor.units import side_by_side
from compat.matrix import Item, Phase

TARGETS = ("trt-a", "trt-b")


def _item(phase: Phase, model: str, runtime: str = "trt-a") -> Item:
    check = {"build": "build", "check": "load", "bench": "latency"}[phase]
    return Item(
        phase=phase,
        check=check,
        builder=runtime,
        runtime=runtime,
        model=model,
        precision="fp32",
        typing="weak",
        variant="plain",
    )


def _cut(phase: Phase, sizes: Sequence[int], slots: int = 1, runtimes: int = 1) -> list[list[str]]:
    """Return the models of each unit; a model is named by its place and weighs what is said."""
    items = [
        _item(phase, str(number), runtime)
        for runtime in TARGETS[:runtimes]
        for number in range(len(sizes))
    ]
    units = side_by_side(
        items, TARGETS, 1, lambda group: sum(sizes[int(i.model)] for i in group), slots
    )
    return sorted([item.model for item in unit.items] for unit in units)


def test_checks_share_a_process_up_to_a_sixth_of_a_slots_work() -> None:
    """Twelve equal models on one GPU are six processes, on two GPUs twelve."""
    assert list(map(len, _cut("check", [1] * 12))) == [2] * 6
    assert list(map(len, _cut("check", [1] * 12, slots=2))) == [1] * 12


def test_a_heavy_model_between_light_ones_does_not_part_them() -> None:
    assert _cut("check", [1, 100, 1, 100, 1]) == [["0", "2", "4"], ["1"], ["3"]]


def test_runtimes_never_share_a_process() -> None:
    """Each has an environment of its own."""
    assert _cut("check", [0, 0], runtimes=2) == [["0", "1"], ["0", "1"]]


def test_builds_and_benchmarks_keep_their_processes() -> None:
    """A benchmark compares within a model; a build that crashes takes no other's cache along."""
    for phase in ("build", "bench"):
        assert _cut(phase, [0, 0]) == [["0"], ["1"]]
