"""``verdict.json``: the decision for machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

from compat.analysis.results import Reason, Results, UpgradeVerdict, VariantCost
from compat.api.moves import counts

SCHEMA = 1


def verdict_json(results: Results) -> str:
    """Render the decision; numbers that JSON cannot say are null."""
    gate = results.gate
    content = {
        "schema": SCHEMA,
        "gate": gate.value,
        "exit_code": gate.exit_code,
        "reasons": list(gate.reasons),
        "allowed": list(gate.allowed),
        "coverage": {"ran": results.coverage.ran, "planned": results.coverage.planned},
        "upgrades": [{**_upgrade(u), "code": _code(results, u)} for u in results.upgrades],
        "counts": dict(results.counts),
        "variants": [_variant(v) for v in results.variants],
        "claims": [asdict(c) for c in results.claims],
    }
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _upgrade(upgrade: UpgradeVerdict) -> dict[str, Any]:
    coverage = upgrade.coverage
    return {
        "from": upgrade.current,
        "to": upgrade.candidate,
        "verdict": upgrade.verdict,
        "coverage": {
            "ran": coverage.ran,
            "planned": coverage.planned,
            "moot": coverage.moot,
            "uncompared": list(coverage.uncompared),
        },
        "reasons": [_reason(r) for r in upgrade.reasons],
    }


def _code(results: Results, upgrade: UpgradeVerdict) -> dict[str, Any] | None:
    """Return what the upgrade breaks in the user's code; None where none was looked at."""
    for entry in results.plan.get("code") or ():
        if (entry["from"], entry["to"]) == (upgrade.current, upgrade.candidate):
            breaks, warnings = counts(entry)
            return {"breaks": breaks, "warnings": warnings, "problem": entry["problem"]}
    return None


def _variant(cost: VariantCost) -> dict[str, Any]:
    found = cost.interval
    return {
        "item": cost.item["id"],
        "plain": cost.plain,
        "word": cost.word,
        "reason": cost.reason,
        "ratio": found.ratio if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "size_ratio": cost.size_ratio,
        "build_ratio": cost.build_ratio,
        "load_ratio": cost.load_ratio,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    worst = reason.worst if reason.worst is not None and isfinite(reason.worst) else None
    return {
        "code": reason.code,
        "weight": reason.weight,
        "text": reason.text,
        "items": list(reason.items),
        "worst": worst,
    }
