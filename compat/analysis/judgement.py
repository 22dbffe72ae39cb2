"""What each item says on its own: load against its expectation, accuracy and latency by limits."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any, Final

from compat.analysis import damage, labels
from compat.analysis.comparison import LatencyVerdict
from compat.analysis.drift import Metrics
from compat.analysis.labels import Comparison
from compat.analysis.observations import BROKEN, Observation
from compat.analysis.results import Judgement
from compat.analysis.untaken import untaken
from compat.matrix import CROSSCHECKS

LabelEvidence = tuple[Comparison | None, Comparison | None]

#: Reason code of a refusal that a version rule foretells, unless the expectation names another.
DOCUMENTED_REFUSAL: Final = "version-mismatch"

#: Checks that are told and not judged.
_SHOWN: Final = ("rebuild", *CROSSCHECKS)

#: Limit key -> (metric, whether the limit is a minimum).
LIMITS: Final = {
    "cosine": ("cosine", True),
    "relative-l2": ("relative_l2", False),
    "top1-agreement": ("top1_agreement", True),
    "max-abs": ("max_abs", False),
    "sqnr-db": ("sqnr_db", True),
}


def judge(
    plan: Mapping[str, Any],
    item: Observation,
    golden: Metrics | None,
    current: Metrics | None,
    latency: LatencyVerdict | None,
    labelled: LabelEvidence = (None, None),
) -> Judgement:
    """Judge one item; ``current`` and ``latency`` compare it with the current version, if any.

    ``labelled`` compares a labelled check with the golden predictions and the current version.
    """
    if item.status == "not-run":
        return Judgement("not-run", item.message, code=item.reason)
    if item.status == "unsupported":
        return Judgement("info", item.message or "cannot be expressed", code="unsupported")
    match item.check:
        case "load":
            found = _load(plan, item)
        case check if check in _SHOWN:
            found = Judgement("info", item.message, code=item.reason)
        case damage.CHECK:
            found = damage.judge(item)
        case _ if item.status != "ok":
            found = _broken(item)
        case "accuracy":
            found = _accuracy(plan, item, golden, current)
        case "top1":
            numbers = (item.record or {}).get("numbers") or {}
            found = labels.judge(numbers, label_limit(plan, item), *labelled)
        case "latency":
            found = _latency(latency)
        case _:
            found = Judgement("pass")
    return found


def _broken(item: Observation, news: str = "") -> Judgement:
    return Judgement("fail", item.message, news, item.reason or item.status)


def _load(plan: Mapping[str, Any], item: Observation) -> Judgement:
    expectation = item.item.get("expectation") or {}
    outcome = expectation.get("outcome", "undocumented")
    if item.status in BROKEN:
        return _broken(item, "surprise" if outcome == "must-load" else "undocumented")
    if item.status == "ok":
        if outcome == "must-refuse":
            return Judgement("info", "loads though no rule promises it", "bonus", "bonus")
        return Judgement("pass", "", "as documented" if outcome == "must-load" else "undocumented")
    if outcome == "must-load" and (text := untaken(plan, item)):
        return Judgement("fail", f"{item.message}: {text}", "as documented", item.reason)
    return _refused(item, outcome, expectation.get("refusal") or DOCUMENTED_REFUSAL)


def _refused(item: Observation, outcome: str, expected: str) -> Judgement:
    """A refusal is as documented only if it is the refusal that the rule foretells."""
    if outcome == "must-load":
        return Judgement("fail", item.message, "surprise", item.reason)
    if outcome == "undocumented":
        return Judgement("info", item.message, "undocumented", item.reason)
    if expected in (item.reason, "any"):
        return Judgement("pass", item.message, "as documented", item.reason)
    text = f"refused, but for {item.reason or 'no stated reason'} instead of {expected}"
    return Judgement("inconclusive", text, "undocumented", item.reason)


def _accuracy(
    plan: Mapping[str, Any], item: Observation, golden: Metrics | None, current: Metrics | None
) -> Judgement:
    """Judge against the golden outputs and the current version, by the same limits."""
    if golden is None:
        return Judgement("inconclusive", "no outputs to compare", code="no-outputs")
    limits = _limits(plan, item)
    for metrics, against in ((golden, "golden fp32"), (current, "the current version")):
        if metrics is not None:
            broken = _beyond(metrics, limits, against)
            if broken is not None:
                return broken
    wanted = [key for key in LIMITS if limits.get(key) is not None]
    if not wanted:
        return Judgement("inconclusive", "no limit is set for this precision", code="no-limit")
    unmeasured = [key for key in wanted if LIMITS[key][0] not in golden]
    if unmeasured:
        text = f"{', '.join(unmeasured)} has a limit and cannot be measured on these outputs"
        return Judgement("inconclusive", text, code="limit-not-measured")
    return Judgement("pass")


def label_limit(plan: Mapping[str, Any], item: Observation) -> float | None:
    """How much top-1 an item may lose; None where that is not judged."""
    limit: float | None = _limits(plan, item).get(labels.LIMIT)
    return limit


def _limits(plan: Mapping[str, Any], item: Observation) -> Mapping[str, float | None]:
    by_model: Mapping[str, Any] = plan["limits"]["accuracy"].get(item.item["model"], {})
    found: Mapping[str, float | None] = by_model.get(item.item["precision"], {})
    return found


def beyond_current(plan: Mapping[str, Any], item: Observation, moved: Metrics) -> bool:
    """Whether an item lies beyond its limits from the current version, whatever the golden says."""
    limits = _limits(plan, item)
    return _beyond(moved, limits, "the current version") is not None


def _beyond(metrics: Metrics, limits: Mapping[str, float | None], against: str) -> Judgement | None:
    """The first limit that the metrics violate; NaN and dead outputs violate any."""
    if metrics.get("mismatch"):
        return Judgement("fail", f"outputs differ in name or shape from {against}", code="outputs")
    for metric, code in (("nan", "nan"), ("inf", "inf")):
        count = metrics.get(metric, 0)
        if count:
            return Judgement("fail", f"{count:.0f} {code.upper()} in the outputs", code=code)
    if metrics.get("constant"):
        return Judgement("fail", "constant output for different inputs", code="constant")
    for key, (metric, minimum) in LIMITS.items():
        value, limit = metrics.get(metric), limits.get(key)
        if value is None or limit is None:
            continue
        if isnan(value) or (value < limit if minimum else value > limit):
            sign = "below" if minimum else "above"
            text = f"{key} {value:.5g} against {against} is {sign} the limit {limit:g}"
            return Judgement("fail", text, code=f"drift-{key}", worst=value)
    return None


def _latency(found: LatencyVerdict | None) -> Judgement:
    if found is None:
        return Judgement("info")
    worst = found.interval.ratio if found.interval else None
    match found.word:
        case "holds":
            return Judgement("pass", found.reason, worst=worst)
        case "slower":
            return Judgement("fail", found.reason, code="slower", worst=worst)
        case "not-judged":
            return Judgement("info", found.reason, code="latency-not-judged", worst=worst)
        case "inconclusive":
            return Judgement("inconclusive", found.reason, code="latency-unclear", worst=worst)
