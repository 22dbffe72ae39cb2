"""Records to verdicts: drift, latency statistics, one verdict per upgrade, and the gate.

Lives above records and matrix, below the report. Reads the plan and the records as plain
mappings and the output files in the work dir; writes nothing but its own drift cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from compat.analysis import collector, damage
from compat.analysis.claims import claims
from compat.analysis.costs import variant_costs
from compat.analysis.evidence import Evidence, gather
from compat.analysis.frame import build_table
from compat.analysis.gate import decide
from compat.analysis.observations import Observation
from compat.analysis.results import (
    Coverage,
    GateDecision,
    Judgement,
    Reason,
    Results,
    UpgradeVerdict,
)
from compat.analysis.verdict import judge_upgrades
from compat.matrix import CROSSCHECKS

__all__ = ["Coverage", "GateDecision", "Reason", "Results", "UpgradeVerdict", "compile"]


def compile(  # noqa: A001 - the verb of the pipeline: prepare, run, compile, report
    plan: Mapping[str, Any],
    records: Iterable[Mapping[str, Any]],
    *,
    work: Path | None = None,
    drift_cache: Path | None = None,
) -> Results:
    """Judge a plan by its records.

    ``work`` is the folder that output files and golden files are relative to; without it only
    metrics carried by the records (``golden_cosine`` ...) and ``drift_cache`` can speak.
    """
    with collector.paused():
        evidence = gather(plan, records, work=work, cache=drift_cache)
        return _results(evidence)


def _results(evidence: Evidence) -> Results:
    plan = evidence.plan
    observations = evidence.seen.by_id
    judgements = {i: evidence.for_table(o) for i, o in observations.items()}
    upgrades = judge_upgrades(evidence)
    ran = sum(1 for o in observations.values() if o.ran)
    deciding = {
        i: j
        for i, j in judgements.items()
        if damage.decides(observations[i], j) and observations[i].check not in CROSSCHECKS
    }
    return Results(
        plan=plan,
        table=build_table(evidence, judgements),
        upgrades=upgrades,
        counts=_counts(observations.values(), judgements, ran),
        gate=decide(plan, upgrades, deciding, ran=ran),
        environment=_environment(evidence),
        records={i: o.record for i, o in observations.items() if o.record is not None},
        variants=variant_costs(plan, evidence.seen),
        claims=claims(evidence),
    )


def _counts(
    observations: Iterable[Observation], judgements: Mapping[str, Judgement], ran: int
) -> dict[str, int]:
    """Planned and ran, then items by status (as in the records) and by verdict."""
    statuses = Counter(o.status for o in observations)
    verdicts = Counter(f"verdict-{j.verdict}" for j in judgements.values())
    return {"planned": len(judgements), "ran": ran, **dict(sorted(statuses.items())), **verdicts}


def _environment(evidence: Evidence) -> dict[str, dict[str, Any]]:
    """Facts read inside each target; where records disagree, all values are kept."""
    facts: dict[str, dict[str, Any]] = {t["name"]: {} for t in evidence.plan["targets"]}
    for observation in evidence.seen.by_id.values():
        record = observation.record
        if record is None or not observation.ran:
            continue
        name = observation.item["builder" if observation.item["phase"] == "build" else "runtime"]
        known = facts[name]
        for key, value in (record.get("target") or {}).items():
            if key not in known:
                known[key] = value
            elif known[key] != value and str(value) not in str(known[key]).split(" / "):
                known[key] = f"{known[key]} / {value}"
    return facts
