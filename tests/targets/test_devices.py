"""GPUs and drivers by the names that people and drivers give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.suite.driver import Driver, Gpu
from compat.targets import TargetError
from compat.targets.devices import find, parse_driver, reaches, this_machine
from compat.targets.facts import facts


@pytest.mark.parametrize(
    ("text", "name", "sm", "kind"),
    [
        ("T4", "T4", 75, "data centre"),
        ("Tesla T4", "T4", 75, "data centre"),
        ("nvidia a100-sxm4-80gb", "A100", 80, "data centre"),
        ("A10", "A10", 86, "data centre"),
        ("A10G", "A10G", 86, "data centre"),
        ("L4", "L4", 89, "data centre"),
        ("L40S", "L40S", 89, "data centre"),
        ("H200", "H200", 90, "data centre"),
        ("B200", "B200", 100, "data centre"),
        ("GeForce RTX 3090", "RTX 3090", 86, "desktop"),
        ("rtx4090", "RTX 4090", 89, "desktop"),
        ("RTX 3080 Ti Laptop GPU", "RTX 3080 Ti", 86, "desktop"),
        ("Quadro RTX 6000", "Quadro RTX 6000", 75, "desktop"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", 89, "desktop"),
        ("Orin", "Orin", 87, "jetson"),
        ("Jetson Orin Nano", "Orin Nano", 87, "jetson"),
        ("sm_86", "sm_86", 86, ""),
        ("8.6", "sm_86", 86, ""),
        ("86", "sm_86", 86, ""),
        ("sm_100", "sm_100", 100, "data centre"),
        ("12.0", "sm_120", 120, "desktop"),
    ],
)
def test_one_gpu(text: str, name: str, sm: int, kind: str) -> None:
    (found,) = find(facts(), text)

    assert (found.name, found.sm, found.kind) == (name, sm, kind)


@pytest.mark.parametrize(
    ("family", "capabilities"),
    [("volta", [70]), ("Ampere", [80, 86]), ("ada", [89]), ("hopper", [90])],
)
def test_a_family_is_all_its_cards(family: str, capabilities: list[int]) -> None:
    """Jetson boards are asked for by name: they take other packages."""
    assert [device.sm for device in find(facts(), family)] == capabilities


def test_a_capability_that_nobody_listed() -> None:
    (found,) = find(facts(), "sm_199")

    assert found.row is None


def test_a_name_that_nobody_knows_has_a_way_out() -> None:
    with pytest.raises(TargetError, match=r"--gpu T44: .* did you mean T4") as caught:
        find(facts(), "T44")

    assert "compute_cap" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "driver"), [("535", "535"), ("R535", "535"), ("535.104.05", "535.104.05")]
)
def test_drivers(text: str, driver: str) -> None:
    assert parse_driver(text) == driver


@pytest.mark.parametrize("text", ["", "new", "12.4", "535.x", "5350"])
def test_what_is_no_driver(text: str) -> None:
    with pytest.raises(TargetError, match="nvidia-smi"):
        parse_driver(text)


def test_a_branch_stands_for_its_newest_driver() -> None:
    assert reaches("535", "535.104.05")
    assert not reaches("535.54.03", "535.104.05")
    assert not reaches("530", "535.54.03")


class TestThisMachine:
    """What the driver library and the kernel module say."""

    def test_with_a_gpu(self, tmp_path: Path) -> None:
        file = tmp_path / "version"
        file.write_text(
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\n"
            "GCC version:  gcc version 12.3.0\n"
        )
        driver = Driver("12.2", [Gpu("Tesla V100-SXM2-16GB", "sm_70")], "")

        machine = this_machine(facts(), driver, file)

        assert machine.driver == "535.104.05"
        assert machine.devices[0].kind == "data centre"
        assert str(machine) == "Tesla V100-SXM2-16GB (sm_70), driver 535.104.05 (CUDA 12.2)"

    def test_several_gpus_of_one_kind_are_told_once(self, tmp_path: Path) -> None:
        """`targets check` on four H200s said everything four times."""
        driver = Driver("13.0", [Gpu("NVIDIA H200", "sm_90")] * 4, "")

        machine = this_machine(facts(), driver, tmp_path / "absent")

        assert [str(device) for device in machine.devices] == ["NVIDIA H200 (sm_90)"]

    def test_a_gpu_whose_name_is_new(self, tmp_path: Path) -> None:
        """The driver measures the capability; the name need not be known."""
        driver = Driver("13.4", [Gpu("NVIDIA Something", "sm_90")], "")

        machine = this_machine(facts(), driver, tmp_path / "absent")

        assert machine.driver is None
        assert (machine.devices[0].sm, machine.devices[0].kind) == (90, "")

    def test_without_a_driver(self, tmp_path: Path) -> None:
        machine = this_machine(facts(), Driver(None, [], "no CUDA driver"), tmp_path / "absent")

        assert str(machine) == "no CUDA driver"
