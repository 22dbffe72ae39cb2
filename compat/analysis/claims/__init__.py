"""Claims that people make of TensorRT, each with the figure measured here, or what is missing.

Information for the reader: no gate looks at it, and what was not measured is never a pass.
"""

from __future__ import annotations

from compat.analysis.claims import builds, measured
from compat.analysis.claims.engines import TENSORRT, Engines
from compat.analysis.evidence import Evidence
from compat.analysis.results import Claim

__all__ = ["claims"]


def claims(evidence: Evidence) -> tuple[Claim, ...]:
    """Return the rows of every claim; none where the plan holds no builder of TensorRT."""
    if all(target["flavour"] != TENSORRT for target in evidence.plan["targets"]):
        return ()
    engines = Engines(evidence)
    return (
        *measured.fp16_throughput(evidence, engines),
        *measured.int8_latency(evidence, engines),
        *measured.int8_top1(evidence, engines),
        *measured.fp16_memory(evidence, engines),
        *builds.patch_loads(evidence, engines),
        *measured.hardware_compatible(evidence, engines),
        *builds.workspace(evidence, engines),
        *builds.determinism(evidence, engines),
    )
