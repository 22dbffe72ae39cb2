"""Claims that are a figure: throughput, latency, memory, the loss of right answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from compat.analysis.claims.engines import (
    NO_INT8,
    PYTORCH,
    TENSORRT,
    WRONG,
    Engines,
    engine,
    kind,
)
from compat.analysis.claims.statement import ABOUT, Statement, share, times
from compat.analysis.comparison import Names, pair_up
from compat.analysis.costs import VARIANT, numbers, plain_beside
from compat.analysis.evidence import Evidence
from compat.analysis.observations import Observation
from compat.analysis.predictions import CHECK as TOP1
from compat.analysis.results import Claim

Pair = tuple[Observation, Observation]

THROUGHPUT: Final = Statement(
    "fp16-throughput",
    "fp16 in TensorRT gives about 3 times the throughput of PyTorch on a ViT",
    3 * (1 - ABOUT),
    3 * (1 + ABOUT),
)
INT8_LATENCY: Final = Statement(
    "int8-latency",
    "int8 in TensorRT takes about 30% of PyTorch's latency, less than a third",
    high=1 / 3,
)
INT8_TOP1: Final = Statement(
    "int8-top1", "int8 loses less than 1% of top-1", high=0.01, unit="lost", opposite="gained"
)
FP16_MEMORY: Final = Statement(
    "fp16-memory",
    "fp16 takes about 40% less memory than fp32",
    0.4 * (1 - ABOUT),
    0.4 * (1 + ABOUT),
    unit="less",
    opposite="more",
)
HARDWARE: Final = Statement(
    "hardware-compatible-cost",
    "hardware-compatible engines are 20 to 25% slower",
    0.2 * (1 - ABOUT),
    0.25 * (1 + ABOUT),
    unit="slower",
    opposite="faster",
)


@dataclass(frozen=True, slots=True)
class _Baseline:
    """One way of running a model in PyTorch."""

    id: str
    name: str
    precision: str
    variant: str


_EAGER: Final = (
    _Baseline("eager-fp32", "eager fp32", "fp32", "plain"),
    _Baseline("eager-fp16", "eager fp16", "fp16", "plain"),
)
_COMPILED: Final = _Baseline("compiled-fp16", "torch.compile fp16", "fp16", "compiled")
_SIDES: Final = Names("TensorRT", "PyTorch", "PyTorch")
_QUICK: Final = "a quick run takes small models and short blocks"
_ALL_LEFT_OUT: Final = "every engine that could be compared is left out, see below"
#: Where memory is counted: its name, the check that records it, the number.
_MEMORY: Final = (
    ("engine file", "build", "engine_bytes"),
    ("device memory", "latency", "device_bytes"),
    ("execution context", "latency", "context_bytes"),
)


def fp16_throughput(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Throughput of fp16 on the ViTs of the plan; the same batch, so the inverse of latency."""
    tried: list[Pair] = []
    for baseline in (*_EAGER, _COMPILED):
        pairs, seen = _with_pytorch(engines, engines.vits, ("fp16",), baseline)
        if missing := _missing(engines, pairs, seen, ("fp16", "a ViT"), baseline):
            yield THROUGHPUT.missing(missing, baseline.id, f"against {baseline.name}")
        yield from _ratios(evidence, THROUGHPUT, pairs, against=baseline, inverse=True)
        tried += seen
    yield from _left_out(engines, THROUGHPUT, tried)


def int8_latency(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Latency of int8, from Q/DQ and calibrated, on every model."""
    tried: list[Pair] = []
    for baseline in _EAGER:
        int8 = ("int8", "int8-calibrated")
        pairs, seen = _with_pytorch(engines, engines.models, int8, baseline)
        if missing := _missing(engines, pairs, seen, ("int8", "any model"), baseline):
            yield INT8_LATENCY.missing(missing, baseline.id, f"against {baseline.name}")
        yield from _ratios(evidence, INT8_LATENCY, pairs, against=baseline)
        tried += seen
    yield from _left_out(engines, INT8_LATENCY, tried)


def hardware_compatible(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Every hardware-compatible engine against the plain one beside it."""
    timed = [
        o
        for o in engines.at_home(TENSORRT, "latency")
        if o.rounds and o.item["variant"].startswith("hc-")
    ]
    tried = [(o, p) for o in timed if (p := plain_beside(evidence.plan, evidence.seen, o))]
    missing = "no hardware-compatible engine was timed beside its plain one"
    if evidence.plan["quick"]:
        tried, missing = [], _QUICK
    pairs = [pair for pair in tried if all(map(engines.holds, pair))]
    if not pairs:
        yield HARDWARE.missing(_ALL_LEFT_OUT if tried else missing)
    yield from _ratios(evidence, HARDWARE, pairs, against=None, less_one=True)
    yield from _left_out(engines, HARDWARE, tried)


def _with_pytorch(
    engines: Engines, models: Sequence[str], precisions: Sequence[str], baseline: _Baseline
) -> tuple[list[Pair], list[Pair]]:
    """TensorRT and PyTorch at the same model, place in the profile, and batch.

    First the pairs whose outputs hold, then those that would speak if outputs did not matter.
    """
    sound: list[Pair] = []
    seen: list[Pair] = []
    held = {"precision": baseline.precision, "variant": baseline.variant}
    for precision in precisions:
        wanted = {"precision": precision, "variant": "plain"}
        for model in () if engines.plan["quick"] else models:
            for point in engines.points(model):
                place = {"model": model, "point": point}
                for found, any_outputs in ((sound, False), (seen, True)):
                    ours = engines.timed(TENSORRT, any_outputs=any_outputs, **wanted, **place)
                    theirs = engines.timed(PYTORCH, any_outputs=any_outputs, **held, **place)
                    if ours and theirs and ours.item.get("batch") == theirs.item.get("batch"):
                        found.append((ours, theirs))
    return sound, seen


def _left_out(engines: Engines, statement: Statement, seen: Sequence[Pair]) -> Iterator[Claim]:
    """The rows that name the engines that would have spoken, were they what they should be."""
    found = [o for pair in seen for o in pair]
    for why, place, where in (
        (WRONG, "left-out", "engines with wrong outputs"),
        (NO_INT8, "no-int8", "int8 engines without int8"),
    ):
        if them := dict.fromkeys(engine(o) for o in found if engines.why_not(o) == why):
            note = f"left out: {', '.join(them)}, {why}"
            yield statement.missing(note, place, where)


def _missing(
    engines: Engines,
    pairs: list[Pair],
    seen: list[Pair],
    ours: tuple[str, str],
    baseline: _Baseline,
) -> str:
    """What it would take to compare with PyTorch; empty where it was compared."""
    if engines.plan["quick"]:
        return _QUICK
    if pairs:
        return ""
    if seen:
        return _ALL_LEFT_OUT
    precision, model = ours
    if not engines.has(PYTORCH):
        return "the plan has no PyTorch target"
    wanted = {"precision": baseline.precision, "variant": baseline.variant}
    if engines.timed(PYTORCH, any_outputs=True, **wanted) is None:
        return f"PyTorch was not timed in {baseline.name}"
    return f"no {precision} engine of {model} was timed beside PyTorch in {baseline.name}"


def _ratios(
    evidence: Evidence,
    statement: Statement,
    pairs: Sequence[Pair],
    *,
    against: _Baseline | None,
    inverse: bool = False,
    less_one: bool = False,
) -> Iterator[Claim]:
    """The rows of engines that were timed, each beside what it is held against.

    The figure is ours / theirs, or its ``inverse``; ``less_one`` shows by how much it is more.
    """
    names = _SIDES if against else VARIANT
    turned = [(theirs, ours) for ours, theirs in pairs] if inverse else pairs
    names = Names(names.reference, names.item, names.item) if inverse else names
    for (ours, theirs), found in zip(pairs, pair_up(evidence.plan, turned, names), strict=True):
        held = f"{theirs.item['builder']} {against.name if against else kind(theirs)}"
        where = f"{_place(ours)}: {ours.item['builder']} {kind(ours)} against {held}"
        parts = [ours.item["builder"], *ours.cell, ours.item["point"] or ""]
        place = "/".join([*([against.id] if against else []), *parts])
        one, shown = (1.0, share) if less_one else (0.0, times)
        if found.interval is None:
            seen = "" if found.ratio is None else shown(found.ratio - one)
            measured = f"{seen} {statement.unit}".strip() if seen else ""
            yield statement.row(place, where, "inconclusive", measured, note=found.unclear)
            continue
        i = found.interval
        span = (i.ratio - one, i.low - one, i.high - one)
        items = (ours.id, theirs.id)
        yield statement.figure(place, where, span, shown, unclear=found.unclear, items=items)


def _place(item: Observation) -> str:
    batch = item.item.get("batch")
    return f"{item.item['model']}, batch {batch}" if batch else str(item.item["model"])


def int8_top1(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Right answers that int8 loses to the fp32 golden predictions, on each labelled model."""
    rows = []
    for model in engines.models:
        for precision in ("int8", "int8-calibrated"):
            found = engines.at_home(
                TENSORRT, TOP1, model=model, precision=precision, variant="plain"
            )
            item = next(found, None)
            golden = evidence.labelled.golden.get(item.id) if item else None
            if item is None or golden is None or engines.why_not(item) == NO_INT8:
                continue
            where = f"{model}, {golden.items:,} items: {item.item['builder']} {kind(item)}"
            span = (golden.loss, *golden.interval)
            place = "/".join((item.item["builder"], *item.cell))
            rows.append(INT8_TOP1.figure(place, where, span, _points, items=[item.id]))
    if not rows:
        rows.append(INT8_TOP1.missing("no int8 engine was run over a labelled set"))
    yield from rows


def _points(value: float) -> str:
    return f"{value * 100:.2f}%"


def fp16_memory(evidence: Evidence, engines: Engines) -> Iterator[Claim]:
    """Bytes of fp16 against fp32 by the same builder, wherever they were counted."""
    quick = bool(evidence.plan["quick"])
    tried: list[Pair] = []
    for name, check, number in _MEMORY:
        seen = [] if quick else list(_halves(engines, check, number, any_outputs=True))
        pairs = [] if quick else _halves(engines, check, number)
        rows = [_memory(name, number, pair) for pair in pairs]
        if not rows:
            missing = f"no fp16 and fp32 engine of one builder both have {number} on record"
            missing = _QUICK if quick else _ALL_LEFT_OUT if seen else missing
            rows = [FP16_MEMORY.missing(missing, number.replace("_", "-"), name)]
        yield from rows
        tried += seen
    yield from _left_out(engines, FP16_MEMORY, tried)


def _memory(name: str, number: str, pair: Pair) -> Claim:
    ours, theirs = pair
    less = 1 - _bytes(ours, number) / _bytes(theirs, number)
    where = f"{name}, {_place(ours)}: {ours.item['builder']} {kind(ours)} against fp32"
    place = [number.replace("_", "-"), ours.item["builder"], *ours.cell]
    place += [ours.item["point"]] if ours.item["point"] else []
    items = (ours.id, theirs.id)
    return FP16_MEMORY.figure("/".join(place), where, (less, less, less), share, items=items)


def _halves(
    engines: Engines, check: str, number: str, *, any_outputs: bool = False
) -> Iterator[Pair]:
    """The fp16 engine that speaks at each place, beside its fp32 engine."""
    for model in engines.models:
        for point in engines.points(model) if check == "latency" else (None,):
            place = {"model": model, "variant": "plain", **({"point": point} if point else {})}
            pairs = _half_and_full(engines, check, number, place)
            held = (pair for pair in pairs if any_outputs or all(map(engines.holds, pair)))
            yield from islice(held, 1)


def _half_and_full(
    engines: Engines, check: str, number: str, wanted: dict[str, str]
) -> Iterator[Pair]:
    """Every builder whose fp16 and fp32 engines both say the number, newest first."""
    for ours in engines.at_home(TENSORRT, check, precision="fp16", **wanted):
        same = {"builder": ours.item["builder"], "typing": ours.item["typing"]}
        for theirs in engines.at_home(TENSORRT, check, precision="fp32", **same, **wanted):
            if _bytes(ours, number) and _bytes(theirs, number):
                yield ours, theirs


def _bytes(item: Observation, number: str) -> float:
    """A number of a build, or its largest over rounds; 0 where the records do not say it."""
    if item.rounds:
        return max(numbers(item, number), default=0.0)
    return float(((item.record or {}).get("numbers") or {}).get(number) or 0.0)
