"""Which engines a claim can be tried on: the newest release that was measured speaks for all."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from packaging.version import Version

from compat.analysis.observations import Observation, Observations

TENSORRT: Final = "tensorrt"
PYTORCH: Final = "pytorch"
_VIT = re.compile("vit", re.IGNORECASE)


class Engines:
    """Observations by flavour, newest release first."""

    def __init__(self, plan: Mapping[str, Any], seen: Observations) -> None:
        self.plan = plan
        self.seen = seen
        self.targets: dict[str, Mapping[str, Any]] = {t["name"]: t for t in plan["targets"]}
        self.models: tuple[str, ...] = tuple(m["name"] for m in plan["models"])
        #: Models that are vision transformers, by their name or source.
        self.vits: tuple[str, ...] = tuple(
            m["name"] for m in plan["models"] if _VIT.search(f"{m['name']} {m.get('source', '')}")
        )
        ages = {name: _age(target) for name, target in self.targets.items()}
        held = [o for o in seen.by_id.values() if o.status == "ok" and o.pair[0] == o.pair[1]]
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

    def timed(self, flavour: str, **wanted: str) -> Observation | None:
        """Return the newest release's latency of one place, if any."""
        return next((o for o in self.at_home(flavour, "latency", **wanted) if o.rounds), None)

    def points(self, model: str) -> tuple[str, ...]:
        """Places in the profile where TensorRT was timed on a model."""
        found = self.at_home(TENSORRT, "latency", model=model)
        return tuple(dict.fromkeys(o.item["point"] for o in found))


def _age(target: Mapping[str, Any]) -> tuple[Any, bool]:
    """Newest release first, and TensorRT's own settings before others."""
    release = (*Version(target["version"]).release, 0, 0, 0, 0)[:4]
    return tuple(-part for part in release), bool(target.get("build"))


def kind(item: Observation) -> str:
    """Precision with its typing and variant, as ``fp16 weak``."""
    _, precision, typing, variant = item.cell
    return " ".join([precision, typing, *([] if variant == "plain" else [variant])])
