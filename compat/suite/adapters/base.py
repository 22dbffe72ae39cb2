"""What every runtime must offer to be a column of the matrix."""

import abc
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np

from ..memory import DeviceUse

Arrays = Dict[str, np.ndarray]
Profile = Mapping[str, Mapping[str, List[int]]]  # input -> {"min" | "opt" | "max": shape}


class Request(NamedTuple):
    """What to build: a typed ONNX file, its optimization profile and the builder's settings.

    `calibration` is an ``.npz`` of inputs, `calibration_cache` and `timing_cache` files that a
    later build of the same version on the same GPU reads again; "" means none. `nodes` is a list
    of nodes that keep fp32 in a weakly typed build (see `trt_precision.keep_fp32`).
    """

    onnx: str
    precision: str
    typing: str
    variant: str
    profile: Profile
    workspace_bytes: int = 0
    optimization_level: Optional[int] = None
    timing_cache: str = ""
    calibration: str = ""
    calibration_cache: str = ""
    nodes: Optional[Mapping[str, Any]] = None


class Build(NamedTuple):
    """What a build gave: the serialized engine, numbers (seconds, counts) and facts."""

    data: Union[bytes, memoryview]
    numbers: Dict[str, float]
    facts: Dict[str, Any]


class Engine(abc.ABC):
    """A loaded engine, ready to run."""

    #: device memory taken since before it was loaded; None where there is no device
    device_use: Optional[DeviceUse] = None
    #: seconds of loading it that are no part of `load_s`, by name
    beside_load: Optional[Mapping[str, float]] = None

    @abc.abstractmethod
    def run(self, feeds: Arrays) -> Arrays:
        """Run once and return every output by name; first axis is the batch."""

    @abc.abstractmethod
    def bind(self, feeds: Arrays) -> Callable[[], Any]:
        """Return a call that runs once on inputs that are already in place."""

    def timer(self) -> Callable[[], float]:
        """Return the clock that measures the calls of `bind`, in seconds."""
        return time.perf_counter

    def facts(self) -> Dict[str, Any]:
        """Return what a latency record should say of how runs are launched."""
        return {}

    def numbers(self) -> Dict[str, float]:
        """Return the device memory that the engine takes by now, in bytes, and `beside_load`."""
        found = dict(self.beside_load or {})
        if self.device_use is not None:
            found["device_bytes"] = self.device_use.look()
        return found

    def layers(self) -> str:
        """Return the layers as JSON, as the runtime's own inspector writes them; "" for none."""
        return ""


class Adapter(abc.ABC):
    """A runtime at one version, inside one process."""

    flavour = ""
    #: who measures a run: "host" (perf_counter around a synchronous call) or "cuda-event"
    clock = "host"

    @abc.abstractmethod
    def version(self) -> str:
        """Return the version as the module itself states it."""

    @abc.abstractmethod
    def arch(self) -> str:
        """Return what engines of this process are built for, as it stands in their names."""

    @abc.abstractmethod
    def facts(self) -> Dict[str, Any]:
        """Return what else identifies this environment (driver, GPU, providers)."""

    def bus_id(self) -> str:
        """Return the PCI bus id of the GPU that this process uses; "" where it uses none."""
        return ""

    def free_device_share(self) -> Optional[float]:
        """Return the free part of the device's memory, 0 to 1; None where no device is in use."""
        return None

    def require_device(self) -> None:
        """Raise NotRun where this machine lacks what running an engine needs."""
        return

    @abc.abstractmethod
    def build(self, request: Request, log: Callable[[str], None]) -> Build:
        """Build an engine; every message of parser and builder goes to `log`.

        Raises:
            Outcome: the parser refused, the builder failed, or the version cannot express it.
        """

    @abc.abstractmethod
    def load(
        self, path: str, log: Callable[[str], None], trusted: bool = False
    ) -> Tuple[Engine, float]:
        """Load an engine file whose digest was checked; return it and the seconds taken.

        Args:
            path: the engine file.
            log: receives every message of the runtime.
            trusted: this run built the engine, so host code inside it may be run.

        Raises:
            Outcome: refused, or not to be tried on this machine.
        """
