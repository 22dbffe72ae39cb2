"""A small matrix of two TensorRT targets over fake suites: what the conductor starts is real."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from compat.conductor import phases
from compat.conductor.jobs import Kitchen
from compat.conductor.phases import Conductor
from compat.conductor.progress import Progress
from compat.conductor.slots import Slot
from compat.config import Config
from compat.matrix import Selection, plan
from compat.prepared import PreparedModel, TypedModel
from compat.records import RecordStore
from compat.targets import Environment, TargetSpec

FAKE = Path(__file__).with_name("fake_suite.py")
ONE = (Slot(),)
TWO = (Slot(0, "4"), Slot(1, "6"))
TARGETS = {"trt-a": ("tensorrt", "8.6.0"), "trt-b": ("tensorrt", "8.5.3.1")}


class Yard:
    """One work folder; the heavier model comes last in the plan."""

    def __init__(self, work: Path, patch: pytest.MonkeyPatch) -> None:
        self.work = work
        self.rounds = 2
        self.precisions = ["fp32"]
        self.targets = dict(TARGETS)
        self.models = {"light": 1_000, "heavy": 9_000}
        self.printed = io.StringIO()
        patch.setattr(phases, "SUITE", FAKE)

    def conductor(
        self, slots: tuple[Slot, ...], do: Mapping[str, str] | None = None, **options: Any
    ) -> Conductor:
        """Return a conductor whose suites do to each item what `do` says."""
        config = Config.model_validate(
            {
                "schema": 1,
                "precisions": self.precisions,
                "targets": {
                    name: {"flavour": flavour, "version": version}
                    for name, (flavour, version) in self.targets.items()
                },
                "models": {name: {"source": f"{name}.onnx"} for name in self.models},
                "bench": {"rounds": self.rounds},
            }
        )
        planned = plan(config, source={}, quick=False, selection=Selection())
        kitchen = Kitchen(
            config=config,
            plan=planned,
            work=self.work,
            machine={"arch": "x86_64", "gpus": []},
            models={name: self._model(name, size) for name, size in self.models.items()},
            environments={name: self._environment(name, do or {}) for name in self.targets},
        )
        store = RecordStore(self.work / "records.jsonl")
        console = Console(file=self.printed, width=200)
        progress = Progress(console, planned.items, store, self.rounds, len(slots))
        return Conductor(kitchen, store, progress, {}, slots=slots, **options)

    def run(
        self, slots: tuple[Slot, ...], do: Mapping[str, str] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        """Run every phase and return the records that this run has written, in their order."""
        before = len(self.records())
        conductor = self.conductor(slots, do, **options)
        with conductor.progress:
            for phase in ("build", "check", "bench"):
                conductor.run_phase(phase)
        return self.records()[before:]

    def records(self) -> list[dict[str, Any]]:
        """Return what is on record, in the order of writing."""
        path = self.work / "records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _model(self, name: str, size: int) -> PreparedModel:
        path = self.work / f"{name}.onnx"
        path.write_bytes(b"o" * size)
        typed = tuple(
            TypedModel("fp32", "strong", opset, path, f"{name}-{opset}", "ok") for opset in (16, 17)
        )
        points = {point: {"batch": 1} for point in ("min", "opt", "max")}
        feeds = {point: self.work / "feeds" / f"{name}-{point}.npz" for point in points}
        return PreparedModel(
            *(name, name, (), (), {}, points, dict.fromkeys(points, 1)),
            *(typed, feeds, {}, "", True),
        )

    def _environment(self, name: str, do: Mapping[str, str]) -> Environment:
        flavour, version = self.targets[name]
        spec = TargetSpec(name, flavour, version, "local", "other")
        env = {"FAKE_DO": json.dumps(do)}
        return Environment(spec, Path(sys.executable), self.work, env, name, cached=True)


def overlap(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Tell whether two items were being done at the same time."""
    return bool(a["facts"]["begin"] < b["facts"]["end"] and b["facts"]["begin"] < a["facts"]["end"])
