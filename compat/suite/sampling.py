"""Clocks, power, temperature and throttle reasons of the GPU beside a latency block, by NVML.

Samples are taken between runs and never inside one: the clock is GPU time, but a host that is late
with a short run leaves the GPU idle between the two events, and that would count. Asking costs 0.1
to 1 ms, and the registers change slower than that.
"""

import importlib
import statistics
import time
from typing import Any, Callable, Dict, List, Optional, Set

_INTERVAL_S = 0.1
# NVML API reference, "Clocks Event Reasons": these lower the clocks because of heat or power. The
# others are an idle GPU, clocks that somebody set, or limits that hold at all times.
_THROTTLING = frozenset(
    {
        "HwPowerBrakeSlowdown",
        "HwSlowdown",
        "HwThermalSlowdown",
        "SwPowerCap",
        "SwThermalSlowdown",
    }
)
# Drivers up to R525 and old bindings know the reasons by the second name only.
_PREFIXES = ("nvmlClocksEventReason", "nvmlClocksThrottleReason")


class Sampler:
    """What NVML says of one GPU, sample by sample.

    Nothing here raises: where NVML or one of its queries is missing (a container without the
    library, vGPU, Jetson), the block is measured all the same and ``facts`` says what is missing.

    Args:
        bus_id: the GPU by its PCI bus id; "" is no GPU, and nothing is sampled.
        nvml: the module, by default ``pynvml`` (nvidia-ml-py).
        now: the clock that spaces the samples, in seconds.
    """

    def __init__(
        self, bus_id: str, nvml: Optional[Any] = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._now = now
        self._last = now()
        self._samples = 0
        self._seen: Dict[str, List[float]] = {}
        self._problems: Dict[str, str] = {}
        self._names: Dict[int, str] = {}
        self._queries: Dict[str, Callable[[], float]] = {}
        if not bus_id:
            return
        try:
            module = nvml or importlib.import_module("pynvml")
            self._queries = _queries(module, bus_id)
            self._names = _reason_names(module)
        except Exception as error:
            self._problems["all"] = _said(error)

    def look(self) -> None:
        """Take a sample if the last one is old enough."""
        if self._queries and self._now() - self._last >= _INTERVAL_S:
            self.sample()

    def sample(self) -> None:
        """Take a sample now; a query that fails is not asked again."""
        for name, query in list(self._queries.items()):
            try:
                self._seen.setdefault(name, []).append(query())
            except Exception as error:
                self._problems[name] = _said(error)
                del self._queries[name]
        self._samples += bool(self._queries)
        self._last = self._now()

    def numbers(self) -> Dict[str, float]:
        """Return the block's figures; what could not be read is left out.

        Clocks in MHz and power in W are medians, the lowest SM clock beside; temperature in degrees
        Celsius is the highest. ``throttled_share`` is the share of samples that were throttled.
        """
        found: Dict[str, float] = {}
        for name in ("sm_clock_mhz", "memory_clock_mhz", "power_w"):
            if self._seen.get(name):
                found[name] = float(statistics.median(self._seen[name]))
        if self._seen.get("sm_clock_mhz"):
            found["sm_clock_min_mhz"] = min(self._seen["sm_clock_mhz"])
        if self._seen.get("temperature_c"):
            found["temperature_c"] = max(self._seen["temperature_c"])
        if self._seen.get("reasons"):
            throttled = [bool(self._reasons(bits) & _THROTTLING) for bits in self._seen["reasons"]]
            found["throttled_share"] = sum(throttled) / len(throttled)
        if self._samples:
            found["samples_nvml"] = self._samples
        return found

    def facts(self) -> Dict[str, Any]:
        """Return the throttle reasons by NVML's names, and what could not be read, with why."""
        found: Dict[str, Any] = {}
        if self._seen.get("reasons"):
            names = {name for bits in self._seen["reasons"] for name in self._reasons(bits)}
            found["throttle_reasons"] = sorted(names)
            found["throttled"] = bool(names & _THROTTLING)
        if self._problems:
            parts = [
                text if name == "all" else "%s: %s" % (name, text)
                for name, text in self._problems.items()
            ]
            found["nvml"] = "; ".join(parts)
        return found

    def _reasons(self, bits: float) -> Set[str]:
        """Name the bits that are set; a bit that the bindings do not know is "unknown"."""
        left = int(bits)
        names = set()
        for bit, name in self._names.items():
            if left & bit:
                names.add(name)
                left &= ~bit
        return names | ({"unknown"} if left else set())


def _queries(nvml: Any, bus_id: str) -> Dict[str, Callable[[], float]]:
    """Start NVML and return what can be asked of the GPU; it is never shut down (it counts)."""
    nvml.nvmlInit()
    gpu = nvml.nvmlDeviceGetHandleByPciBusId(bus_id)

    def reasons() -> int:
        try:
            return int(nvml.nvmlDeviceGetCurrentClocksEventReasons(gpu))
        except (AttributeError, nvml.NVMLError_FunctionNotFound):
            return int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu))

    return {
        "sm_clock_mhz": lambda: float(nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM)),
        "memory_clock_mhz": lambda: float(nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_MEM)),
        "power_w": lambda: nvml.nvmlDeviceGetPowerUsage(gpu) / 1e3,
        "temperature_c": lambda: float(
            nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU)
        ),
        "reasons": reasons,
    }


def _reason_names(nvml: Any) -> Dict[int, str]:
    """Return bit -> name from the module's own constants; of two names of a bit the first."""
    found: Dict[int, str] = {}
    for prefix in _PREFIXES:
        for name in sorted(dir(nvml)):
            value = getattr(nvml, name) if name.startswith(prefix) else 0
            if value and value & (value - 1) == 0:
                found.setdefault(value, name[len(prefix) :])
    return found


def _said(error: Exception) -> str:
    """An error's text; NVML's own errors say what is wrong without their class."""
    return str(error) or type(error).__name__
