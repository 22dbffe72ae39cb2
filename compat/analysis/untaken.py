"""Refusals for the GPU alone: the release does not take it, which the catalogue of GPUs says.

The rules of versions, by which a plan expects a load, know no GPU: a plan is made before anybody
knows where it runs. Such a refusal contradicts no text, so it is no surprise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from compat.analysis.observations import Observation
from compat.targets import fit
from compat.targets.devices import find
from compat.targets.facts import facts
from compat.targets.spec import TargetError

#: By the words of the log, and by the diagnostics of TensorRT-RTX.
_REASONS: Final = ("wrong-gpu", "unsupported-cc")


def untaken(plan: Mapping[str, Any], item: Observation) -> str:
    """Return what says that the runtime's release does not take the GPU of a refusal, or ""."""
    if item.reason not in _REASONS:
        return ""
    seen = (item.record or {}).get("target") or {}
    target = next((t for t in plan["targets"] if t["name"] == item.item["runtime"]), None)
    if target is None or not seen.get("arch"):
        return ""
    try:
        (device,) = find(facts(), str(seen["arch"]))
    except (TargetError, ValueError):
        return ""
    version = str(seen.get("version") or target["version"])
    reason = fit.gpu(facts(), target["flavour"], version, device)
    return reason.text if reason.verdict == "no" else ""
