"""Claims beside measured figures: confirmed, refuted, or what is missing to say so."""

from __future__ import annotations

from typing import Any

import pytest

from compat import analysis
from compat.analysis.claims import measured
from compat.analysis.claims.statement import Statement
from compat.analysis.results import Claim
from tests import builders

TRT, OLD, TORCH = "trt-8.6.0", "trt-8.5.3", "pytorch"
TARGETS = [
    {
        "name": OLD,
        "flavour": "tensorrt",
        "version": "8.5.3.1",
        "provider": "wheel",
        "role": "other",
    },
    {"name": TRT, "flavour": "tensorrt", "version": "8.6.0", "provider": "wheel", "role": "other"},
    {"name": TORCH, "flavour": "pytorch", "version": "2.3.0", "provider": "wheel", "role": "other"},
]
Planned = tuple[dict[str, Any], list[dict[str, Any]]]


def _latency(
    name: str, precision: str, base: float, variant: str = "plain", **numbers: float
) -> Planned:
    item = builders.item("latency", "vit-b16", precision, name, name, "opt", variant)
    records = builders.rounds_of(item, len(item["id"]), base=base)
    for record in records:
        record["numbers"] |= numbers
    return item, records


def _single(item: dict[str, Any], status: str = "ok", **changes: Any) -> Planned:
    return item, [builders.record(item, status, **changes)]


def _claims(
    *planned: Planned, targets: list[Any] | None = None, upgrades: Any = (), **plan: Any
) -> list[Claim]:
    laid_out = builders.plan([i for i, _ in planned], targets or TARGETS, upgrades) | plan
    return list(analysis.compile(laid_out, [r for _, rs in planned for r in rs]).claims)


def _row(claims: list[Claim], prefix: str) -> Claim:
    (row,) = [c for c in claims if c.id.startswith(prefix)]
    return row


def test_without_evidence_every_claim_says_what_is_missing() -> None:
    """What was not measured is told plainly and is never green."""
    claims = _claims()

    assert {c.word for c in claims} == {"not-measured"}
    assert all(c.note and not c.measured and not c.items for c in claims)
    assert len({c.id for c in claims}) == len(claims)
    assert _row(claims, "fp16-throughput/eager-fp32").note == "PyTorch was not timed in eager fp32"


def test_a_plan_without_tensorrt_makes_no_claims_about_it() -> None:
    assert _claims(targets=[builders.target("ort-1.30")]) == []


def test_a_plan_without_pytorch_says_so() -> None:
    row = _row(_claims(targets=TARGETS[:2]), "int8-latency/eager-fp16")

    assert row.note == "the plan has no PyTorch target"


@pytest.mark.parametrize(
    ("factor", "word", "note"),
    [
        (3.0, "confirmed", ""),
        (1.5, "refuted", "less than claimed"),
        (9.0, "refuted", "more than claimed"),
        (3.6, "inconclusive", "the interval reaches across what is claimed"),
    ],
)
def test_throughput_is_held_against_each_way_of_pytorch(
    factor: float, word: str, note: str
) -> None:
    claims = _claims(
        _latency(TRT, "fp16", 0.01),
        _latency(TORCH, "fp32", 0.01 * factor),
        _latency(TORCH, "fp16", 0.02, "compiled"),
    )

    row = _row(claims, "fp16-throughput/eager-fp32/")
    assert (row.word, row.note) == (word, note)
    assert row.value == pytest.approx(factor, rel=0.01)
    assert row.low is not None
    assert row.high is not None
    assert row.low < row.value < row.high
    assert len(row.items) == 2
    assert _row(claims, "fp16-throughput/compiled-fp16/").value == pytest.approx(2, rel=0.01)
    assert _row(claims, "fp16-throughput/eager-fp16").word == "not-measured"


def test_the_newest_release_speaks() -> None:
    claims = _claims(
        _latency(OLD, "fp16", 0.03), _latency(TRT, "fp16", 0.01), _latency(TORCH, "fp32", 0.03)
    )

    assert TRT in _row(claims, "fp16-throughput/eager-fp32/").where


def test_an_unstable_series_confirms_nothing() -> None:
    item, records = _latency(TORCH, "fp32", 0.03)
    for record in records:
        record["numbers"]["std_s"] = record["numbers"]["mean_s"]

    row = _row(_claims(_latency(TRT, "fp16", 0.01), (item, records)), "fp16-throughput/eager-fp32/")

    assert row.word == "inconclusive"
    assert "unstable PyTorch" in row.note


def test_one_round_shows_its_figure_and_confirms_nothing() -> None:
    """A lent machine went back after the first round: what it measured is told, as what it is."""
    planned = [_latency(TRT, "fp16", 0.01), _latency(TORCH, "fp32", 0.03)]
    once = [(item, records[:1]) for item, records in planned]

    row = _row(_claims(*once), "fp16-throughput/eager-fp32")

    assert (row.word, row.note) == ("inconclusive", "1 paired round; 4 are needed")
    assert row.value is None
    assert float(row.measured[1:].split()[0]) == pytest.approx(3, rel=0.05)


def test_a_series_that_waits_for_the_host_varies_as_the_host_does() -> None:
    """Eager PyTorch at small batches does; its limit is that of a host clock."""
    ours, (item, records) = _latency(TRT, "fp16", 0.01), _latency(TORCH, "fp32", 0.03)
    for record in records:
        record["facts"] |= {"clock": "cuda-event", "enqueue_bound": True}
        record["numbers"]["std_s"] = 0.06 * record["numbers"]["mean_s"]
    for record in ours[1]:
        record["facts"] |= {"clock": "cuda-event"}
        record["numbers"]["std_s"] = 0.001 * record["numbers"]["mean_s"]

    row = _row(_claims(ours, (item, records)), "fp16-throughput/eager-fp32")

    assert row.word == "confirmed"


def test_times_of_two_machines_are_not_compared() -> None:
    """After a merge PyTorch may have run elsewhere, in the same minutes."""
    ours, theirs = _latency(TRT, "fp16", 0.01), _latency(TORCH, "fp32", 0.03)
    for machine, (_, records) in (("one", ours), ("other", theirs)):
        for record in records:
            record["machine"] = machine

    row = _row(_claims(ours, theirs), "fp16-throughput/eager-fp32/")

    assert (row.word, row.note) == ("inconclusive", "measured on different machines")


def test_a_quick_run_measures_no_figure() -> None:
    claims = _claims(
        _latency(TRT, "fp16", 0.01),
        _latency(TRT, "fp16", 0.01, "hc-ampere-plus"),
        _latency(TORCH, "fp32", 0.03),
        quick=True,
    )

    assert {c.word for c in claims} == {"not-measured"}


@pytest.mark.parametrize(("latency", "word"), [(0.009, "confirmed"), (0.015, "refuted")])
def test_int8_is_less_than_a_third_or_not(latency: float, word: str) -> None:
    claims = _claims(_latency(TRT, "int8", latency), _latency(TORCH, "fp32", 0.03))

    assert _row(claims, "int8-latency/eager-fp32/").word == word


def test_memory_is_counted_where_records_say_it() -> None:
    claims = _claims(
        *[
            _single(
                builders.item("build", "vit-b16", precision, TRT, TRT),
                numbers={"engine_bytes": size, "build_s": 1.0},
            )
            for precision, size in (("fp16", 60), ("fp32", 100))
        ],
        _latency(TRT, "fp16", 0.01, device_bytes=90),
        _latency(TRT, "fp32", 0.01, device_bytes=100),
    )

    engine = _row(claims, "fp16-memory/engine-bytes")
    assert (engine.word, engine.measured) == ("confirmed", "40.0% less")
    device = _row(claims, "fp16-memory/device-bytes")
    assert (device.word, device.note) == ("refuted", "less than claimed")
    context = _row(claims, "fp16-memory/context-bytes")
    assert (context.word, "context_bytes" in context.note) == ("not-measured", True)


@pytest.mark.parametrize(
    ("lost", "word"), [(20, "confirmed"), (400, "refuted"), (90, "inconclusive")]
)
def test_a_loss_of_right_answers_has_its_interval(lost: int, word: str) -> None:
    item = builders.item("top1", "vit-b16", "int8", TRT, TRT)
    numbers = {"n": 10_000, "correct": 9000, "golden_items": 10_000}
    claims = _claims(_single(item, numbers={**numbers, "golden_lost": lost, "golden_gained": 0}))

    row = _row(claims, "int8-top1/")
    assert (row.word, row.value) == (word, lost / 10_000)


def _load(builder: str, runtime: str, status: str, variant: str = "plain") -> Planned:
    item = builders.item("load", "vit-b16", "fp16", builder, runtime, None, variant)
    return _single(item, status)


@pytest.mark.parametrize(
    ("statuses", "word", "told"),
    [
        (("ok", "ok"), "confirmed", "2 of 2 loaded"),
        (("refused", "refused"), "refuted", "0 of 2 loaded"),
        (("ok", "crashed"), "inconclusive", "1 of 2 loaded"),
        (("not-run", "not-run"), "not-measured", ""),
    ],
)
def test_loads_between_patch_releases_are_counted(
    statuses: tuple[str, str], word: str, told: str
) -> None:
    patch = {**TARGETS[0], "name": "patch", "version": "8.5.2.2"}
    row = _row(
        _claims(
            _load(OLD, "patch", statuses[0]),
            _load("patch", OLD, statuses[1]),
            _load(OLD, TRT, "refused"),
            _load("patch", OLD, "ok", "vc"),
            targets=[*TARGETS, patch],
        ),
        "patch-loads/",
    )

    assert (row.word, row.measured) == (word, told)


@pytest.mark.parametrize(
    ("factor", "word"), [(1.22, "confirmed"), (1.08, "refuted"), (1.5, "refuted")]
)
def test_hardware_compatible_engines_are_held_against_plain_ones(factor: float, word: str) -> None:
    claims = _claims(
        _latency(TRT, "fp16", 0.01), _latency(TRT, "fp16", 0.01 * factor, "hc-ampere-plus")
    )

    row = _row(claims, "hardware-compatible-cost/")
    assert row.word == word
    assert row.value == pytest.approx(factor - 1, abs=0.01)


def test_a_variant_that_is_faster_is_not_called_slower_by_less_than_nothing() -> None:
    claims = _claims(_latency(TRT, "fp16", 0.01), _latency(TRT, "fp16", 0.0097, "hc-ampere-plus"))

    row = _row(claims, "hardware-compatible-cost/")
    assert row.measured.endswith("% faster")
    assert "-" not in row.measured + row.interval
    low, high = (float(end.rstrip("%")) for end in row.interval.split(" to "))
    assert low < 3 < high
    assert row.word == "refuted"


@pytest.mark.parametrize(
    ("statement", "span", "told"),
    [
        (measured.HARDWARE, (-0.01, -0.03, 0.01), ("-1 slower", "-3 to 1")),  # it may be slower
        (measured.INT8_TOP1, (-0.02, -0.03, -0.01), ("2 gained", "1 to 3")),
        (measured.FP16_MEMORY, (-0.1, -0.1, -0.1), ("10 more", "")),
    ],
)
def test_a_figure_of_the_other_sign_has_its_own_word(
    statement: Statement, span: tuple[float, float, float], told: tuple[str, str]
) -> None:
    row = statement.figure("x", "x", span, lambda figure: f"{figure * 100:.0f}")

    assert (row.measured, row.interval) == told
    assert (row.value, row.low, row.high) == span


@pytest.mark.parametrize(("identical", "word"), [(0, "confirmed"), (1, "inconclusive")])
def test_a_rebuild_with_other_bytes_shows_that_builds_differ(identical: int, word: str) -> None:
    """Equal bytes show nothing: the next build may still differ."""
    item = builders.item("rebuild", "vit-b16", "fp16", TRT, TRT)

    row = _row(_claims(_single(item, numbers={"identical": identical})), "build-determinism/")

    assert row.word == word
    assert row.measured == f"{1 - identical} of 1 gave other bytes"


def _built(name: str, layers: dict[str, int]) -> Planned:
    item = builders.item("build", "vit-b16", "fp16", name, name)
    return _single(item, numbers={"engine_bytes": 100}, facts={"layer_types": layers})


SMALL = {**TARGETS[1], "name": "small", "build": {"workspace": 2**26}}
AGAIN = {**TARGETS[1], "name": "again"}
USUAL, OTHER = {"Half": 60}, {"Half": 58, "Float": 2}


@pytest.mark.parametrize(
    ("small", "again", "word", "said"),
    [
        (OTHER, USUAL, "confirmed", "two builds with the same settings: the same layer types"),
        (OTHER, OTHER, "inconclusive", "so did a second build with the same settings"),
        (OTHER, None, "inconclusive", "no second build"),
        (USUAL, USUAL, "inconclusive", "the layer types did not change"),
    ],
    ids=["changed", "chance", "no control", "unchanged"],
)
def test_a_change_by_the_workspace_is_told_from_chance(
    small: dict[str, int], again: dict[str, int] | None, word: str, said: str
) -> None:
    """Builds are not deterministic: without a build of the same settings a change shows nothing."""
    planned = [_built(TRT, USUAL), _built("small", small)]
    if again is not None:
        planned.append(_built("again", again))

    claims = _claims(*planned, targets=[*TARGETS, SMALL, AGAIN])

    row = next(c for c in claims if c.id.startswith(f"workspace-tactics/small/{TRT}/"))
    assert row.word == word
    assert said in row.note


def test_a_control_that_lacks_what_differed_confirms_nothing() -> None:
    """Two builds with the same layers say nothing of a latency that neither of both has."""
    planned = [_built(name, USUAL) for name in (TRT, "small", "again")]
    planned += [_latency(TRT, "fp16", 0.01), _latency("small", "fp16", 0.012)]
    targets = [*TARGETS, SMALL, AGAIN]

    row = _row(_claims(*planned, targets=targets), f"workspace-tactics/small/{TRT}/")
    whole = [*planned, _latency("again", "fp16", 0.01)]
    control = _row(_claims(*whole, targets=targets), f"workspace-tactics/small/{TRT}/")

    assert row.word == "inconclusive"
    assert "do not say whether the latency would change by chance" in row.note
    assert control.word == "confirmed"


def _outputs(name: str, precision: str, cosine: float) -> Planned:
    item = builders.item("accuracy", "vit-b16", precision, name, name, "opt")
    return item, [builders.accuracy_record(item, 1, golden_cosine=cosine)]


def test_an_engine_with_wrong_outputs_speaks_for_no_figure() -> None:
    """It is named as left out, and the newest release whose outputs hold speaks."""
    wrong = _outputs(TRT, "fp16", 0.2)
    planned = [
        _latency(TRT, "fp16", 0.01, device_bytes=60),
        _latency(TRT, "fp32", 0.03, device_bytes=100),
        _latency(TRT, "fp16", 0.012, "hc-ampere-plus"),
        _latency(TORCH, "fp32", 0.03),
        wrong,
    ]

    claims = _claims(*planned)
    for claim in ("fp16-throughput", "fp16-memory", "hardware-compatible-cost"):
        left = _row(claims, f"{claim}/left-out")
        assert left.word == "not-measured"
        assert f"left out: vit-b16 fp16 strong of {TRT}, whose outputs do not hold" in left.note
        assert not [c for c in claims if c.id.startswith(claim) and c.measured]
    assert "is left out" in _row(claims, "fp16-throughput/eager-fp32").note

    older = _claims(*planned, _latency(OLD, "fp16", 0.02), _outputs(OLD, "fp16", 1.0))
    assert OLD in _row(older, "fp16-throughput/eager-fp32/").where
    assert TRT in _row(older, "fp16-throughput/left-out").note

    right = _claims(*planned[:-1], _outputs(TRT, "fp16", 1.0))
    assert not [c for c in right if c.id.endswith("/left-out")]


@pytest.mark.parametrize(
    ("types", "notices", "speaks"),
    [
        ({"Half": 4, "fused": 1}, {"precision-fallback": 118}, False),
        ({"Half": 3, "fused": 1}, {}, True),
        ({"Int8": 38, "Half": 25}, {"precision-fallback": 2}, True),
        ({}, {"precision-fallback": 2}, True),
    ],
    ids=["fell back", "fused", "in part", "no layers told"],
)
def test_an_int8_engine_without_int8_speaks_for_no_figure(
    types: dict[str, int], notices: dict[str, int], speaks: bool
) -> None:
    """On an H200 the calibrated ViT-B/16 was its fp16 engine to the bit, and "confirmed" int8."""
    build = builders.item("build", "vit-b16", "int8", TRT, TRT)
    facts = {"layer_types": types, "notices": notices}
    claims = _claims(
        _single(build, facts=facts), _latency(TRT, "int8", 0.009), _latency(TORCH, "fp32", 0.03)
    )

    row = _row(claims, "int8-latency/eager-fp32")
    assert row.word == ("confirmed" if speaks else "not-measured")
    left = [c.note for c in claims if c.id.startswith("int8-latency/no-int8")]
    assert left == (
        []
        if speaks
        else [
            f"left out: vit-b16 int8 strong of {TRT}, "
            "where the builder fell back and no layer is in int8"
        ]
    )


@pytest.mark.parametrize(
    ("name", "source", "is_vit"),
    [
        ("tower", "builtin:clip-vit-b32-image", True),
        ("small", "builtin:dinov2-vits14@pretrained", True),
        ("clip-vit-b32-text", "builtin:clip-vit-b32-text", False),
        ("my_ViT", "models/a.onnx", True),
        ("gravity", "models/vit.onnx", False),
        ("vit-text", "models/a.onnx", False),
    ],
)
def test_only_vision_transformers_are_vits(name: str, source: str, is_vit: bool) -> None:
    planned = []
    for target, precision, base in ((TRT, "fp16", 0.01), (TORCH, "fp32", 0.03)):
        item = builders.item("latency", name, precision, target, target, "opt")
        planned.append((item, builders.rounds_of(item, len(item["id"]), base=base)))
    model = {"name": name, "source": source, "axes": {}, "precisions": []}

    row = _row(_claims(*planned, models=[model]), "fp16-throughput/eager-fp32")

    assert bool(row.measured) is is_vit


def test_outputs_and_latency_of_another_workspace_are_told() -> None:
    """What tactics do shows in the outputs and in the time, if not in the layers."""
    planned = [_built(name, USUAL) for name in (TRT, "small")]
    for name, moved in ((TRT, 0.0), ("small", 0.25)):
        item = builders.item("accuracy", "vit-b16", "fp16", name, name, "opt")
        planned.append((item, [builders.accuracy_record(item, 1, current_max_abs=moved)]))
    planned += [_latency(TRT, "fp16", 0.01), _latency("small", "fp16", 0.012)]
    targets = [TARGETS[0], {**TARGETS[1], "role": "current"}, {**SMALL, "role": "candidate"}]

    row = _row(
        _claims(*planned, targets=targets, upgrades=[(TRT, "small")]), "workspace-tactics/small"
    )

    assert "the same layer types" in row.measured
    assert "outputs differ by up to 0.25" in row.measured
    assert "latency \N{MULTIPLICATION SIGN}1.2" in row.measured
