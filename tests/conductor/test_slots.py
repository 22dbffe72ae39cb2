"""Which GPUs are used, and what a process is told of its own."""

from __future__ import annotations

import pytest

from compat.conductor.machine import identity
from compat.conductor.slots import WHOLE_MACHINE, find
from compat.suite.driver import Gpu

H200 = Gpu("NVIDIA H200", "sm_90")
A100 = Gpu("NVIDIA A100-SXM4-80GB", "sm_80")


@pytest.mark.parametrize("gpus", [[], [H200]], ids=["none", "one"])
def test_without_a_choice_the_variable_is_left_as_it_is(gpus: list[Gpu]) -> None:
    """A machine with one GPU or none runs as if there were no slots."""
    assert find(gpus, "3", lambda _: None) == WHOLE_MACHINE
    assert WHOLE_MACHINE[0].visible is None


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, ["0", "1"]),
        ("2,3", ["2", "3"]),
        (" 3, 1", ["3", "1"]),
        ("GPU-8932f937-d72c-4106,GPU-11f0", ["GPU-8932f937-d72c-4106", "GPU-11f0"]),
        ("1,0,-1,2", ["1", "0"]),
    ],
    ids=["all", "two of more", "turned round", "uuids", "cut short"],
)
def test_a_restriction_that_stands_is_kept(visible: str | None, expected: list[str]) -> None:
    """CUDA numbers what is left anew, so a process must get the outer name of its GPU."""
    assert [slot.visible for slot in find([H200, H200], visible, lambda _: None)] == expected


def test_gpus_of_another_kind_are_left_out_and_named() -> None:
    """Results of two kinds of GPU must not mix."""
    said: list[str] = []

    slots = find([H200, A100, H200, A100], "4,5,6,7", said.append)

    assert [slot.visible for slot in slots] == ["4", "6"]
    assert said == [
        "only the GPUs like the first are used (2 x NVIDIA H200), "
        "not 2 x NVIDIA A100-SXM4-80GB (sm_80)"
    ]


def test_the_first_gpu_alone_is_still_pinned() -> None:
    """A target must not see the GPU that is left out."""
    assert [slot.visible for slot in find([H200, A100], None, lambda _: None)] == ["0"]


def test_what_a_person_reads_of_a_gpu_is_short() -> None:
    """An index as it was given, the beginning of a UUID."""
    first, second = find([H200, H200], "7,GPU-8932f937-d72c-4106", lambda _: None)

    assert (first.label, second.label) == ("GPU 7", "GPU-8932f937")


def test_a_matrix_may_go_on_with_fewer_gpus() -> None:
    """A record's key depends on the kind of GPU, and a single GPU's key stays what it was."""
    rest = {"cpu": "EPYC", "cores": 64, "arch": "x86_64", "driver_cuda": "13.0", "kernel": "6.1"}
    one, four = ({**rest, "gpus": ["NVIDIA H200 (sm_90)"] * count} for count in (1, 4))

    assert identity(one) == identity(four)
    assert identity(one)["gpus"] == ["NVIDIA H200 (sm_90)"]
    assert identity({**rest, "gpus": []})["gpus"] == []
