"""Which engines a claim can be tried on: the newest release that was measured speaks for all.

What an engine with wrong outputs takes says nothing of TensorRT, so none speaks for a figure; nor
does one of int8 that the builder made without int8 speak for int8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from packaging.version import Version

from compat.analysis import predictions
from compat.analysis.evidence import Evidence
from compat.analysis.observations import Observation

TENSORRT: Final = "tensorrt"
PYTORCH: Final = "pytorch"
WRONG: Final = "whose outputs do not hold"
NO_INT8: Final = "where the builder fell back and no layer is in int8"
_BUILTIN = "builtin:"
_BUILTIN_VITS: Final = frozenset({"vit-b16", "clip-vit-b32-image", "dinov2-vits14"})
_WORD = re.compile("[a-z0-9]+")


class Engines:
    """Observations by flavour, newest release first."""

    def __init__(self, evidence: Evidence) -> None:
        plan, seen = evidence.plan, evidence.seen
        self.plan = plan
        self.targets: dict[str, Mapping[str, Any]] = {t["name"]: t for t in plan["targets"]}
        self.models: tuple[str, ...] = tuple(m["name"] for m in plan["models"])
        #: Models that are vision transformers, by their source or name.
        self.vits: tuple[str, ...] = tuple(m["name"] for m in plan["models"] if _is_vit(m))
        ages = {name: _age(target) for name, target in self.targets.items()}
        held = [o for o in seen.by_id.values() if o.status == "ok" and o.pair[0] == o.pair[1]]
        self._wrong = {
            (o.pair[0], *o.cell)
            for o in seen.by_id.values()
            if o.check in ("accuracy", predictions.CHECK) and o.pair[0] == o.pair[1]
            if evidence.judge(o, evidence.primary(o)).verdict == "fail"
        }
        self._without_int8 = {
            (o.pair[0], *o.cell)
            for o in seen.by_id.values()
            if o.check == "build" and o.status == "ok" and _is_int8_in_name_only(o)
        }
        self._by_place: dict[tuple[str, ...], list[Observation]] = {}
        for item in sorted(held, key=lambda o: ages[o.item["builder"]]):
            place = self._flavour(item), item.check
            self._by_place.setdefault(place, []).append(item)
            self._by_place.setdefault((*place, item.item["model"]), []).append(item)

    def has(self, flavour: str) -> bool:
        """Whether the plan holds a target of this flavour."""
        return any(t["flavour"] == flavour for t in self.targets.values())

    def _flavour(self, item: Observation) -> str:
        return str(self.targets[item.item["builder"]]["flavour"])

    def version(self, name: str) -> str:
        """The pinned version of a target."""
        return str(self.targets[name]["version"])

    def at_home(
        self, flavour: str, check: str, *, model: str | None = None, **wanted: str
    ) -> Iterator[Observation]:
        """Yield what held in the runtime that built it, newest release first."""
        place = (flavour, check) if model is None else (flavour, check, model)
        for found in self._by_place.get(place, ()):
            if all(found.item.get(name) == value for name, value in wanted.items()):
                yield found

    def holds(self, item: Observation) -> bool:
        """Whether an engine can speak for a figure."""
        return not self.why_not(item)

    def why_not(self, item: Observation) -> str:
        """Say what keeps an engine from speaking for a figure; "" where nothing does.

        WRONG: a check of its outputs failed in the runtime that built it. NO_INT8: it is an int8
        engine by its name only.
        """
        name = (item.pair[0], *item.cell)
        return WRONG if name in self._wrong else NO_INT8 if name in self._without_int8 else ""

    def timed(
        self, flavour: str, *, any_outputs: bool = False, **wanted: str
    ) -> Observation | None:
        """Return the newest release's latency of one place, if any; by default one that `holds`."""
        found = (o for o in self.at_home(flavour, "latency", **wanted) if o.rounds)
        return next((o for o in found if any_outputs or self.holds(o)), None)

    def points(self, model: str) -> tuple[str, ...]:
        """Places in the profile where TensorRT was timed on a model."""
        found = self.at_home(TENSORRT, "latency", model=model)
        return tuple(dict.fromkeys(o.item["point"] for o in found))


def _is_int8_in_name_only(build: Observation) -> bool:
    """Whether the builder said that it fell back, and no layer's type that it told is int8.

    In fused regions no type is told, so one word alone is no evidence: TensorRT 8.6 made "fused"
    engines of ViTs from Q/DQ nodes, in int8, and from a calibration table, in fp16 to the bit.
    """
    facts = (build.record or {}).get("facts") or {}
    fell_back = "precision-fallback" in (facts.get("notices") or {})
    asked = build.item["precision"] in ("int8", "int8-calibrated")
    types = facts.get("layer_types") or {}
    return asked and fell_back and bool(types) and "Int8" not in types


def _is_vit(model: Mapping[str, Any]) -> bool:
    """Whether a model is a vision transformer; of the user's own, the name says so."""
    source = str(model.get("source", ""))
    if source.startswith(_BUILTIN):
        return source.removeprefix(_BUILTIN).partition("@")[0] in _BUILTIN_VITS
    words = _WORD.findall(model["name"].lower())
    return "vit" in words and "text" not in words


def _age(target: Mapping[str, Any]) -> tuple[Any, bool]:
    """Newest release first, and TensorRT's own settings before others."""
    release = (*Version(target["version"]).release, 0, 0, 0, 0)[:4]
    return tuple(-part for part in release), bool(target.get("build"))


def kind(item: Observation) -> str:
    """Precision with its typing and variant, as ``fp16 weak``."""
    _, precision, typing, variant = item.cell
    return " ".join([precision, typing, *([] if variant == "plain" else [variant])])


def engine(item: Observation) -> str:
    """An engine in words, as ``resnet50 fp16 weak of trt-10.3``."""
    return f"{item.item['model']} {kind(item)} of {item.item['builder']}"
