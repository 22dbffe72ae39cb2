"""Damaged engines: what the runtime does with one that got past the manifest's digest.

It is information about the runtime's own checking and takes no part in any upgrade's verdict. Only
a digest that lets damage through fails: that is this product's own guard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from compat.analysis.observations import BROKEN, Observation
from compat.analysis.results import Judgement
from compat.records import is_broken

CHECK: Final = "damaged"
#: The kind that damages nothing: a whole engine that the runtime was not told to trust.
HOST_CODE_DENIED: Final = "host-code-denied"
_HOST_CODE_REFUSAL: Final = "host-code-not-allowed"


def judge(item: Observation) -> Judgement:
    """Judge one item that ran."""
    record = item.record or {}
    facts: Mapping[str, Any] = record.get("facts") or {}
    if is_broken({"check": CHECK, "status": item.status, "facts": facts}):
        return Judgement("fail", item.message, code=item.reason or item.status)
    if item.item.get("damage") == HOST_CODE_DENIED:
        return _untrusted(item)
    if not facts.get("stopped_by_digest"):  # the process ended before it said so
        text = f"{item.reason or item.status}; not known whether the digest had stopped it before"
        return Judgement("info", text, code="damage-unknown")
    return _stopped(item, facts, record.get("numbers") or {})


def _stopped(item: Observation, facts: Mapping[str, Any], numbers: Mapping[str, Any]) -> Judgement:
    """A damaged engine that the digest has stopped: what the runtime does with it all the same."""
    if item.status == "refused":
        text = f"the digest stops it; the runtime refuses it too: {item.reason}"
        return Judgement("info", text, code="damage-refused")
    only = "only the manifest's digest stops it: the runtime"
    if item.status in ("crashed", "timeout"):
        verb = "hangs" if item.status == "timeout" else f"dies ({item.reason})"
        return Judgement("info", f"{only} {verb} on it", code="damage-kills")
    if item.status in BROKEN:
        said = "loads it without a word, then fails" if facts.get("loaded_silently") else "fails"
        return Judgement("info", f"{only} {said}: {item.message}", code="damage-breaks")
    text = f"{only} loads it without a word; {said_change(numbers)}"
    return Judgement("info", text, code="damage-loads")


def decides(item: Observation, found: Judgement) -> bool:
    """Whether the gate may look at an item: at a damaged engine only if the digest let it by."""
    return item.check != CHECK or found.verdict == "fail"


def _untrusted(item: Observation) -> Judgement:
    """A whole engine whose host code may not be run: one refusal is documented."""
    if item.status == "ok":
        text = "loads an engine with host code though it was not allowed to run any"
        return Judgement("info", text, "surprise", "host-code-loads")
    if item.status != "refused":
        text = f"does not refuse it in order: {item.message or item.reason}"
        return Judgement("info", text, "surprise", "host-code-kills")
    if item.reason == _HOST_CODE_REFUSAL:
        return Judgement("info", f"refuses it: {item.reason}", "as documented", "host-code-refused")
    text = f"refused, but for {item.reason or 'no stated reason'} instead of {_HOST_CODE_REFUSAL}"
    return Judgement("info", text, "undocumented", "host-code-refused")


def said_change(numbers: Mapping[str, Any]) -> str:
    """How far the outputs of a damaged engine are from those of the whole one, in words."""
    if numbers.get("outputs_lost"):
        return "outputs missing or of another shape"
    if numbers.get("not_finite"):
        return f"{numbers['not_finite']:.0f} values are finite only with or only without the damage"
    if numbers.get("compared") == 0:
        return "no value could be compared"
    change = numbers.get("max_abs_change")
    if change is None:
        return "not run"
    if not change:
        return "outputs as before"
    whole = numbers.get("max_abs_whole")
    scale = f" (largest output {whole:.3g})" if whole else ""
    return f"output off by up to {change:.3g}{scale}"
