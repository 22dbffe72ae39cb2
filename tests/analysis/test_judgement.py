"""What single items say: loads against rules, accuracy against limits."""

from __future__ import annotations

import math
from typing import Any

import pytest

from compat import analysis
from tests import builders

A, B = "rtx-1.6", "rtx-1.7"


def load_row(outcome: str, status: str, reason: str, **expectation: str) -> Any:
    """The table row of one load with an expectation and an observation."""
    item = builders.item("load", "resnet50", "fp32", A, B)
    item["expectation"] = item["expectation"] | {"outcome": outcome} | expectation
    plan = builders.plan([item], [builders.target(A), builders.target(B)], [])
    record = builders.record(item, status, reason=reason, message="said so")
    return analysis.compile(plan, [record]).table.iloc[0]


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "news", "verdict"),
    [
        ("must-load", "ok", "", "as documented", "pass"),
        ("must-load", "refused", "version-mismatch", "surprise", "fail"),
        ("must-load", "crashed", "signal-SIGSEGV", "surprise", "fail"),
        ("must-refuse", "refused", "version-mismatch", "as documented", "pass"),
        ("must-refuse", "ok", "", "bonus", "info"),
        ("must-refuse", "failed", "os-error", "undocumented", "fail"),
        ("undocumented", "ok", "", "undocumented", "pass"),
        ("undocumented", "refused", "version-mismatch", "undocumented", "info"),
        ("must-load", "not-run", "no-cuda-driver", "", "not-run"),
        ("must-load", "unsupported", "", "", "info"),
    ],
)
def test_news_of_a_load(outcome: str, status: str, reason: str, news: str, verdict: str) -> None:
    row = load_row(outcome, status, reason)
    assert (row["news"], row["verdict"]) == (news, verdict)


def test_a_refusal_for_another_reason_is_not_the_documented_one() -> None:
    row = load_row("must-refuse", "refused", "unsupported-cc")
    assert row["verdict"] == "inconclusive"
    assert "unsupported-cc instead of version-mismatch" in row["verdict_reason"]
    assert row["news"] == "undocumented"


def test_a_rule_may_name_its_own_refusal() -> None:
    row = load_row("must-refuse", "refused", "lean-required", refusal="lean-required")
    assert row["news"] == "as documented"


@pytest.mark.parametrize(
    ("arch", "news"), [("sm_90", "as documented"), ("sm_89", "surprise"), ("", "surprise")]
)
def test_a_gpu_that_the_release_does_not_take_is_no_surprise(arch: str, news: str) -> None:
    """It fails all the same: TensorRT-RTX takes no H200, and the texts say so."""
    item = builders.item("load", "resnet50", "fp32", B, B)
    item["expectation"] = item["expectation"] | {"outcome": "must-load"}
    plan = builders.plan([item], [builders.target(A), builders.target(B)], [])
    record = builders.record(item, "refused", reason="unsupported-cc", message="said so")
    record["target"] = {"version": "1.7.1.116", "arch": arch}
    row = analysis.compile(plan, [record]).table.iloc[0]

    assert (row["news"], row["verdict"]) == (news, "fail")
    assert ("does not take sm_90" in row["verdict_reason"]) == (arch == "sm_90")


def accuracy_row(precision: str = "fp16", limits: Any = None, **numbers: float | None) -> Any:
    """The table row of one accuracy item with given metrics."""
    item = builders.item("accuracy", "resnet50", precision, A, A, "max")
    plan = builders.plan([item], [builders.target(A)], [])
    if limits is not None:
        plan["limits"]["accuracy"]["resnet50"][precision] = limits
    record = builders.accuracy_record(item, 1, **numbers)
    return analysis.compile(plan, [record]).table.iloc[0]


@pytest.mark.parametrize(
    ("numbers", "code"),
    [
        ({"golden_cosine": 0.99}, "drift-cosine"),
        ({"golden_relative_l2": 0.2}, "drift-relative-l2"),
        ({"golden_top1_agreement": 0.9}, "drift-top1-agreement"),
        ({"golden_nan": 3}, "nan"),
        ({"golden_inf": 1}, "inf"),
        ({"golden_constant": 1}, "constant"),
        ({"golden_mismatch": 1}, "outputs"),
        ({"golden_cosine": math.nan}, "drift-cosine"),
    ],
)
def test_beyond_a_limit_an_item_fails(numbers: dict[str, float], code: str) -> None:
    row = accuracy_row("fp16", None, **numbers)
    assert (row["verdict"], row["verdict_code"]) == ("fail", code)


def test_inside_all_limits_an_item_passes() -> None:
    assert accuracy_row()["verdict"] == "pass"


def test_every_limit_of_the_configuration_is_known() -> None:
    limits = {"cosine": 0.5, "relative-l2": 1.0, "top1-agreement": 0.5, "max-abs": 1e-9}
    assert accuracy_row(limits=limits)["verdict_code"] == "drift-max-abs"
    assert accuracy_row(limits={"sqnr-db": 500.0})["verdict_code"] == "drift-sqnr-db"


@pytest.mark.parametrize("limits", [{}, {"cosine": None}])
def test_without_a_limit_nothing_passes(limits: dict[str, None]) -> None:
    row = accuracy_row(limits=limits)
    assert (row["verdict"], row["verdict_code"]) == ("inconclusive", "no-limit")


def test_a_limit_that_can_not_be_measured_is_no_pass() -> None:
    """Outputs without classes have no top-1 to agree on, whatever the configuration asks."""
    row = accuracy_row(golden_top1_agreement=None)
    assert (row["verdict"], row["verdict_code"]) == ("inconclusive", "limit-not-measured")
    assert row["verdict_reason"].startswith("top1-agreement has a limit")
    assert accuracy_row(golden_top1_agreement=None, golden_cosine=0.5)["verdict"] == "fail"


def test_without_a_limit_nan_still_fails() -> None:
    assert accuracy_row(limits={}, golden_nan=1)["verdict"] == "fail"


@pytest.mark.parametrize("status", ["refused", "failed", "crashed", "timeout"])
def test_a_build_that_did_not_end_well_fails(status: str) -> None:
    item = builders.item("build", "resnet50", "fp32", A, A)
    plan = builders.plan([item], [builders.target(A)], [])
    table = analysis.compile(plan, [builders.record(item, status, reason="why")]).table
    assert table["verdict"].tolist() == ["fail"]


def test_a_rebuild_is_a_fact_and_never_a_check() -> None:
    item = builders.item("rebuild", "resnet50", "fp32", A, A)
    plan = builders.plan([item], [builders.target(A)], [])
    record = builders.record(item, numbers={"identical": 0, "bytes_differing": 9})
    assert analysis.compile(plan, [record]).table["verdict"].tolist() == ["info"]


@pytest.mark.parametrize(
    ("outcome", "load", "verdicts"),
    [
        ("undocumented", "refused", ["info", "info"]),
        ("must-load", "refused", ["fail", "fail"]),
        ("undocumented", "ok", ["pass", "fail"]),  # it loaded, and was refused later: news
        ("must-refuse", "ok", ["info", "fail"]),
    ],
)
def test_what_a_refusal_without_a_rule_kept_from_running_is_no_failure(
    outcome: str, load: str, verdicts: list[str]
) -> None:
    """Nothing says that it must load; twenty such items led the findings of a real run."""
    items = [builders.item("load", "m", "fp32", A, B), builders.item("top1", "m", "fp32", A, B)]
    items[0]["expectation"]["outcome"] = outcome
    plan = builders.plan(items, [builders.target(A), builders.target(B)], [], ["m"])
    records = [
        builders.record(items[0], load, reason="" if load == "ok" else "version-mismatch"),
        builders.record(items[1], "refused", reason="version-mismatch", message="It said no."),
    ]

    results = analysis.compile(plan, records)

    assert results.table["verdict"].tolist() == verdicts
    assert results.gate.value == ("fail" if "fail" in verdicts else "inconclusive")
