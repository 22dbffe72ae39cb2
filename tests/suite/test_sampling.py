"""Clocks and throttle reasons beside a block, with a fake NVML: this machine has no GPU.

The fake has the names and values of nvidia-ml-py 13.615; its readings are made up.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from compat.suite.sampling import Sampler

BUS = "0000:1b:00.0"
IDLE, CLOCKS_SET, POWER_CAP, HW_SLOWDOWN, SYNC = 0x1, 0x2, 0x4, 0x8, 0x10
SW_THERMAL, HW_THERMAL, POWER_BRAKE, DISPLAY, BOARD = 0x20, 0x40, 0x80, 0x100, 0x200


class NvmlError(Exception):
    """The base class of NVML's errors."""


class FunctionNotFoundError(NvmlError):
    """What the bindings raise where the driver lacks a function."""


EVENT_REASONS = {
    "None": 0,
    "GpuIdle": IDLE,
    "ApplicationsClocksSetting": CLOCKS_SET,
    "UserDefinedClocks": CLOCKS_SET,
    "SwPowerCap": POWER_CAP,
    "SyncBoost": SYNC,
    "SwThermalSlowdown": SW_THERMAL,
    "DisplayClockSetting": DISPLAY,
    "All": 0x1FF,
}
# Older bindings have all names in this spelling, newer ones some.
THROTTLE_REASONS = {
    "SwPowerCap": POWER_CAP,
    "HwSlowdown": HW_SLOWDOWN,
    "HwThermalSlowdown": HW_THERMAL,
    "HwPowerBrakeSlowdown": POWER_BRAKE,
    "BoardLimit": BOARD,
}


def fake_nvml(**readings: list[Any]) -> Any:
    """NVML with one GPU whose readings come from lists; the last value stays, an error is raised.

    ``asked`` are the names of the readings that were asked for.
    """
    values = {"init": [None], "sm": [1980], "memory": [3201], "power": [412_500], "heat": [58]}
    values |= {"reasons": [0], "older_reasons": [0], **readings}
    asked: list[str] = []

    def reading(name: str) -> Any:
        asked.append(name)
        value = values[name].pop(0) if len(values[name]) > 1 else values[name][0]
        if isinstance(value, Exception):
            raise value
        return value

    return SimpleNamespace(
        asked=asked,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        NVML_TEMPERATURE_GPU=0,
        NVMLError_FunctionNotFound=FunctionNotFoundError,
        nvmlInit=lambda: reading("init"),
        nvmlDeviceGetHandleByPciBusId={BUS: "gpu"}.__getitem__,
        nvmlDeviceGetClockInfo=lambda _, kind: reading({1: "sm", 2: "memory"}[kind]),
        nvmlDeviceGetPowerUsage=lambda _: reading("power"),
        nvmlDeviceGetTemperature=lambda _, sensor: reading("heat"),
        nvmlDeviceGetCurrentClocksEventReasons=lambda _: reading("reasons"),
        nvmlDeviceGetCurrentClocksThrottleReasons=lambda _: reading("older_reasons"),
        **{f"nvmlClocksEventReason{name}": bit for name, bit in EVENT_REASONS.items()},
        **{f"nvmlClocksThrottleReason{name}": bit for name, bit in THROTTLE_REASONS.items()},
    )


def sampled(nvml: Any, times: int = 3) -> Sampler:
    sampler = Sampler(BUS, nvml)
    for _ in range(times):
        sampler.sample()
    return sampler


def test_a_block_gets_its_figures_in_people_s_units() -> None:
    nvml = fake_nvml(
        sm=[1980, 1755, 1965], power=[300_000, 412_500, 420_000], heat=[51, 63, 60], reasons=[0]
    )

    sampler = sampled(nvml)

    assert sampler.numbers() == {
        "sm_clock_mhz": 1965,
        "sm_clock_min_mhz": 1755,
        "memory_clock_mhz": 3201,
        "power_w": 412.5,
        "temperature_c": 63,
        "throttled_share": 0,
        "samples_nvml": 3,
    }
    assert sampler.facts() == {"throttle_reasons": [], "throttled": False}


@pytest.mark.parametrize("bits", [POWER_CAP, HW_SLOWDOWN, SW_THERMAL, HW_THERMAL, POWER_BRAKE])
def test_heat_and_power_throttle(bits: int) -> None:
    """Even one sample of a block: its runs were not all measured at the same clock."""
    sampler = sampled(fake_nvml(reasons=[0, bits | IDLE, 0, 0]), times=4)

    assert sampler.facts()["throttled"] is True
    assert sampler.numbers()["throttled_share"] == 0.25


def test_an_idle_gpu_and_clocks_that_somebody_set_do_not() -> None:
    facts = sampled(fake_nvml(reasons=[IDLE, CLOCKS_SET, SYNC | DISPLAY | BOARD])).facts()

    assert facts["throttled"] is False
    assert facts["throttle_reasons"] == [
        "ApplicationsClocksSetting",
        "BoardLimit",
        "DisplayClockSetting",
        "GpuIdle",
        "SyncBoost",
    ]


def test_a_reason_that_the_bindings_do_not_know_is_told() -> None:
    assert sampled(fake_nvml(reasons=[1 << 40])).facts()["throttle_reasons"] == ["unknown"]


def test_an_older_driver_knows_the_reasons_by_their_older_name() -> None:
    nvml = fake_nvml(reasons=[FunctionNotFoundError()], older_reasons=[HW_THERMAL])

    assert sampled(nvml).facts() == {"throttle_reasons": ["HwThermalSlowdown"], "throttled": True}


def test_what_is_not_supported_is_left_out_and_named() -> None:
    """On a vGPU or a Jetson; the other figures are there, and nothing is asked twice in vain."""
    nvml = fake_nvml(power=[NvmlError("Not Supported")], reasons=[NvmlError("Not Supported")])

    sampler = sampled(nvml)

    assert nvml.asked.count("power") == 1
    assert sampler.numbers()["samples_nvml"] == 3
    assert not {"power_w", "throttled_share"} & set(sampler.numbers())
    assert sampler.facts() == {"nvml": "power_w: Not Supported; reasons: Not Supported"}


def test_without_nvml_the_block_is_measured_all_the_same() -> None:
    missing = fake_nvml(init=[NvmlError("NVML Shared Library Not Found")])

    sampler = sampled(missing)

    assert sampler.numbers() == {}
    assert sampler.facts() == {"nvml": "NVML Shared Library Not Found"}


def test_the_real_bindings_say_what_is_missing_on_this_machine() -> None:
    """Neither the bindings nor the library have to be there."""
    sampler = Sampler("ffff:ff:1f.0")
    sampler.look()
    sampler.sample()

    assert sampler.numbers() == {}
    assert sampler.facts()["nvml"]


def test_on_the_cpu_nothing_is_sampled_and_nothing_is_missing() -> None:
    nvml = fake_nvml()
    sampler = Sampler("", nvml)
    sampler.sample()

    assert (sampler.numbers(), sampler.facts(), nvml.asked) == ({}, {}, [])


def test_samples_are_a_tenth_of_a_second_apart() -> None:
    """A look between two runs of 30 ms each: every fourth takes a sample."""
    now = [0.0]
    sampler = Sampler(BUS, fake_nvml(), lambda: now[0])
    sampler.sample()
    for _ in range(40):
        now[0] += 0.03
        sampler.look()

    assert sampler.numbers()["samples_nvml"] == 11
