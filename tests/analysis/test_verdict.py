"""One verdict per upgrade: every word, every way to it."""

from __future__ import annotations

from typing import Any

import pytest

from compat import analysis
from compat.analysis import UpgradeVerdict
from tests import builders

A, B = "ort-1.30", "ort-1.31"
PAIRS = ((A, A), (A, B), (B, B))
KEPT, REBUILT, CURRENT = f"{A}/{B}", f"{B}/{B}", f"{A}/{A}"


def upgrade(
    *changes: tuple[str, str, dict[str, Any]], models: tuple[str, ...] = ("m",), **plan: Any
) -> UpgradeVerdict:
    """Judge a small run that holds everywhere, except for (check, pair, record) changes."""
    items = [i for m in models for a, b in PAIRS for i in builders.cell_items(m, "fp32", a, b)]
    records = [r for n, i in enumerate(items) for r in good_records(i, n)]
    for check, pair, change in changes:
        for record in records:
            builder, runtime = pair.split("/")
            if (record["check"], record["builder"], record["runtime"]) == (check, builder, runtime):
                if "status" in change:
                    record["round"] = None
                numbers = {**record["numbers"], **change.get("numbers", {})}
                record |= {**change, "numbers": numbers}
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    made = builders.plan(items, targets, [(A, B)], models, **plan)
    return analysis.compile(made, records).upgrades[0]


def good_records(item: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    match item["check"]:
        case "accuracy":
            return [builders.accuracy_record(item, seed)]
        case "latency":
            return builders.rounds_of(item, seed)
        case _:
            return [builders.record(item)]


def no(status: str, reason: str = "why", message: str = "It said no.") -> dict[str, Any]:
    return {"status": status, "reason": reason, "message": message}


def slower(factor: float = 1.4) -> dict[str, Any]:
    return {"numbers": {"median_s": 0.02 * factor, "mean_s": 0.02 * factor, "std_s": 0.0004}}


DRIFT = {"numbers": {"golden_cosine": 0.5, "current_cosine": 0.5}}


def codes(found: UpgradeVerdict) -> list[tuple[str, str]]:
    return [(r.weight, r.code) for r in found.reasons]


def test_safe_if_old_and_rebuilt_engines_hold() -> None:
    found = upgrade()
    assert (found.verdict, found.reasons) == ("safe", ())
    assert (found.coverage.ran, found.coverage.planned) == (19, 19)


@pytest.mark.parametrize("status", ["refused", "failed", "crashed", "timeout"])
def test_rebuild_if_only_the_old_engine_does_not_load(status: str) -> None:
    gone = no("not-run", "load-refused")
    found = upgrade(("load", KEPT, no(status)), ("accuracy", KEPT, gone), ("latency", KEPT, gone))
    assert found.verdict == "rebuild"
    assert [r.weight for r in found.reasons] == ["rebuild"]
    assert found.coverage.moot == 4


@pytest.mark.parametrize(("check", "change"), [("accuracy", DRIFT), ("latency", slower())])
def test_rebuild_if_only_the_old_engine_drifts_or_is_slower(
    check: str, change: dict[str, Any]
) -> None:
    assert upgrade((check, KEPT, change)).verdict == "rebuild"


@pytest.mark.parametrize("status", ["refused", "failed", "crashed", "timeout", "unsupported"])
def test_blocked_if_only_the_candidate_does_not_build(status: str) -> None:
    found = upgrade(("build", REBUILT, no(status)))
    assert (found.verdict, codes(found)) == ("blocked", [("blocks", f"build-{status}")])


@pytest.mark.parametrize(
    ("check", "change", "code"),
    [
        ("accuracy", DRIFT, "drift-cosine"),
        ("accuracy", {"numbers": {"golden_nan": 1}}, "nan"),
        ("accuracy", no("crashed", "signal-SIGSEGV"), "signal-SIGSEGV"),
        ("latency", slower(), "slower"),
        ("load", no("refused"), "engine-refused"),
        ("load", no("crashed"), "load-crashed"),
    ],
)
def test_blocked_if_the_rebuilt_engine_breaks(
    check: str, change: dict[str, Any], code: str
) -> None:
    found = upgrade((check, REBUILT, change))
    assert found.verdict == "blocked"
    assert codes(found)[0] == ("blocks", code)


def test_what_the_current_version_already_violates_does_not_block() -> None:
    golden = {"numbers": {"golden_cosine": 0.5}}
    found = upgrade(*(("accuracy", pair, golden) for pair in (CURRENT, KEPT, REBUILT)))
    assert found.verdict == "safe"
    assert set(codes(found)) == {("note", "already-so")}
    assert "already so in the current version" in found.reasons[0].text


def test_what_the_current_version_violates_and_the_candidate_violates_more_blocks() -> None:
    golden = {"numbers": {"golden_cosine": 0.9}}
    found = upgrade(("accuracy", CURRENT, golden), ("accuracy", REBUILT, DRIFT))
    assert found.verdict == "blocked"


@pytest.mark.parametrize("status", ["failed", "unsupported"])
def test_a_model_that_builds_in_neither_is_no_regression(status: str) -> None:
    found = upgrade(("build", CURRENT, no(status)), ("build", REBUILT, no(status)))
    assert found.verdict == "inconclusive"
    assert ("note", "not-compared") in codes(found)


@pytest.mark.parametrize("status", ["failed", "unsupported"])
def test_safe_is_said_only_of_what_was_compared(status: str) -> None:
    """One model of two builds in neither version: the other one holds, and that is all."""
    items = [i for m in "mn" for a, b in PAIRS for i in builders.cell_items(m, "fp32", a, b)]
    records = [r for n, i in enumerate(items) for r in good_records(i, n)]
    for record in records:
        if record["model"] == "n":
            gone = no(status) if record["check"] == "build" else no("not-run", "no-engine")
            record.update(gone, round=None, numbers={})
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    results = analysis.compile(builders.plan(items, targets, [(A, B)], "mn"), records)
    (found,) = results.upgrades
    assert (found.verdict, codes(found)) == ("safe", [("note", "not-compared")])
    assert "builds in neither version, so nothing was compared" in found.reasons[0].text
    assert found.coverage.uncompared == ("n fp32 strong",)
    assert found.coverage.text.endswith("; not compared: n fp32 strong")
    assert results.gate.reasons[0].endswith("; not compared: n fp32 strong")


@pytest.mark.parametrize("pairs", [(CURRENT, REBUILT), (REBUILT,), (CURRENT,)])
def test_what_the_host_could_not_prepare_is_no_news_of_a_version(pairs: tuple[str, ...]) -> None:
    lost = no("failed", "precision-not-applied") | {"target": {}, "numbers": {}}
    found = upgrade(*(("build", pair, lost) for pair in pairs))
    assert found.verdict == "inconclusive"
    assert codes(found) == [("gap", "not-prepared")]
    assert found.coverage.ran == 19 - len(pairs)


@pytest.mark.parametrize("status", ["failed", "crashed", "timeout", "refused", "unsupported"])
@pytest.mark.parametrize("check", ["accuracy", "latency"])
def test_what_broke_in_both_versions_was_not_measured(check: str, status: str) -> None:
    """Not a regression, and no pass either."""
    found = upgrade(*((check, pair, no(status)) for pair in (CURRENT, KEPT, REBUILT)))
    assert found.verdict == "inconclusive"
    assert set(codes(found)) == {("gap", "not-measured")}
    assert "could not be measured in either version" in found.reasons[0].text


def test_a_crash_where_the_current_version_only_drifts_blocks() -> None:
    drifting = {"numbers": {"golden_cosine": 0.9}}
    found = upgrade(("accuracy", CURRENT, drifting), ("accuracy", REBUILT, no("crashed")))
    assert (found.verdict, codes(found)[0]) == ("blocked", ("blocks", "why"))


def test_a_drift_where_the_current_version_crashed_has_nothing_to_compare_with() -> None:
    found = upgrade(("accuracy", CURRENT, no("crashed")), ("accuracy", REBUILT, DRIFT))
    assert found.verdict == "inconclusive"
    assert ("gap", "no-baseline") in codes(found)


def test_a_current_version_that_crashes_at_load_leaves_a_gap() -> None:
    found = upgrade(("load", CURRENT, no("crashed")), models=("m",))
    assert (found.verdict, codes(found)) == ("inconclusive", [("gap", "no-baseline")])


def test_a_model_that_only_the_candidate_builds_is_told_and_nothing_to_compare() -> None:
    found = upgrade(("build", CURRENT, no("failed")))
    assert found.verdict == "inconclusive"
    assert ("note", "fixed") in codes(found)


def test_a_current_version_that_loads_nothing_leaves_nothing_to_compare() -> None:
    found = upgrade(*(("load", pair, no("refused")) for pair in (CURRENT, KEPT, REBUILT)))
    assert found.verdict == "inconclusive"
    assert codes(found)[0] == ("gap", "no-baseline")


def test_a_failure_without_a_baseline_is_inconclusive() -> None:
    found = upgrade(("accuracy", CURRENT, no("not-run")), ("accuracy", REBUILT, DRIFT))
    assert found.verdict == "inconclusive"
    assert ("gap", "no-baseline") in codes(found)
    built = upgrade(("build", CURRENT, no("not-run")), ("build", REBUILT, no("failed")))
    assert built.verdict == "inconclusive"


def test_not_run_if_nothing_but_builds_ran() -> None:
    driver = no("not-run", "no-cuda-driver")
    checks = ("load", "accuracy", "latency")
    found = upgrade(*((c, p, driver) for c in checks for p in (CURRENT, KEPT, REBUILT)))
    assert found.verdict == "not-run"
    assert codes(found) == [("gap", "no-cuda-driver")]
    assert "not run" in found.reasons[0].text
    assert (found.coverage.ran, found.coverage.planned) == (4, 19)


def test_a_broken_build_blocks_even_where_nothing_else_could_run() -> None:
    driver = no("not-run", "no-cuda-driver")
    checks = ("load", "accuracy", "latency")
    changes = [(c, p, driver) for c in checks for p in (CURRENT, KEPT, REBUILT)]
    assert upgrade(*changes, ("build", REBUILT, no("failed"))).verdict == "blocked"


def test_one_missing_check_makes_it_inconclusive() -> None:
    found = upgrade(("latency", REBUILT, no("not-run", "no-record")))
    assert found.verdict == "inconclusive"
    assert codes(found) == [("gap", "no-record")]


def test_a_quick_run_can_not_be_safe() -> None:
    gate = {"inconclusive": "allow", "not-run": "allow", "judge-latency": False}
    found = upgrade(gate=gate)
    assert found.verdict == "inconclusive"
    assert found.reasons[0].text.endswith("latency is not judged in a quick run")


def test_a_plan_without_latency_can_not_be_safe() -> None:
    items = [i for a, b in PAIRS for i in builders.cell_items("m", "fp32", a, b, latency=())]
    records = [r for n, i in enumerate(items) for r in good_records(i, n)]
    plan = builders.plan(items, [builders.target(A), builders.target(B)], [(A, B)], ["m"])
    found = analysis.compile(plan, records).upgrades[0]
    assert found.verdict == "inconclusive"
    assert {r.code for r in found.reasons} == {"latency-not-planned"}


@pytest.mark.parametrize(
    ("change", "word"), [([], "rebuild"), ([("latency", REBUILT, slower())], "blocked")]
)
def test_a_candidate_that_keeps_to_itself_is_judged_rebuilt(change: Any, word: str) -> None:
    """It differs in how it builds; whether it loads the old engines was not asked."""
    items = [i for a, b in (PAIRS[0], PAIRS[2]) for i in builders.cell_items("m", "fp32", a, b)]
    records = [r for n, i in enumerate(items) for r in good_records(i, n)]
    for check, pair, changed in change:
        for record in records:
            if (record["check"], f"{record['builder']}/{record['runtime']}") == (check, pair):
                record["numbers"] |= changed["numbers"]
    alone = {**builders.target(B, "candidate"), "cross": False}
    made = builders.plan(items, [builders.target(A, "current"), alone], [(A, B)], ("m",))

    found = analysis.compile(made, records).upgrades[0]

    assert found.verdict == word
    assert ("note", "not-crossed") in codes(found)


def test_a_model_that_only_the_current_version_builds_is_told_and_nothing_to_compare() -> None:
    """A target that lists its models says so itself; the others are judged all the same."""
    kept = [i for a, b in PAIRS for i in builders.cell_items("m", "fp32", a, b)]
    items = [*kept, *builders.cell_items("left-out", "fp32", A, A)]
    records = [r for n, i in enumerate(items) for r in good_records(i, n)]
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    made = builders.plan(items, targets, [(A, B)], ("m", "left-out"))

    found = analysis.compile(made, records).upgrades[0]

    assert found.verdict == "safe"
    assert found.coverage.uncompared == ("left-out fp32 strong",)


def test_a_variant_that_only_one_version_builds_is_called_by_its_name() -> None:
    """Beside the plain engine of the same model, "m fp32" alone would name the wrong one."""
    kept = [i for a, b in PAIRS for i in builders.cell_items("m", "fp32", a, b)]
    alone = builders.item("build", "m", "fp32", A, A, variant="hc-ampere-plus")
    records = [r for n, i in enumerate([*kept, alone]) for r in good_records(i, n)]
    targets = [builders.target(A, "current"), builders.target(B, "candidate")]
    made = builders.plan([*kept, alone], targets, [(A, B)], ("m",))

    texts = [reason.text for reason in analysis.compile(made, records).upgrades[0].reasons]

    assert [text for text in texts if text.startswith("m fp32 hc-ampere-plus: planned for")]


def test_an_upgrade_without_any_item_is_not_run() -> None:
    plan = builders.plan([], [builders.target(A), builders.target(B)], [(A, B)])
    found = analysis.compile(plan, []).upgrades[0]
    assert (found.verdict, found.reasons[0].code) == ("not-run", "nothing-planned")


def test_an_engine_that_loads_against_the_rules_is_told() -> None:
    items = [i for a, b in PAIRS for i in builders.cell_items("m", "fp32", a, b)]
    for item in items:
        if item["check"] == "load" and (item["builder"], item["runtime"]) == (A, B):
            item["expectation"]["outcome"] = "must-refuse"
    records = [r for n, i in enumerate(items) for r in good_records(i, n)]
    plan = builders.plan(items, [builders.target(A), builders.target(B)], [(A, B)], ["m"])
    found = analysis.compile(plan, records).upgrades[0]
    assert (found.verdict, codes(found)) == ("safe", [("note", "bonus")])


def test_equal_causes_are_one_reason_led_by_the_worst() -> None:
    found = upgrade(
        ("accuracy", REBUILT, {"numbers": {"golden_cosine": 0.7}}), models=("m", "n", "o")
    )
    (reason,) = found.reasons
    assert len(reason.items) == 9
    assert reason.text.startswith("9 items")
    assert reason.worst == 0.7


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (("m",), "3 items of m fp32 (rebuilt engine): "),
        (("m", "n"), "6 items of m and n (rebuilt engine): "),
        (("m", "n", "o"), "9 items of m, n and o (rebuilt engine): "),
        (("m", "n", "o", "p"), "12 items of 4 models (rebuilt engine): "),
    ],
)
def test_a_reason_says_whose_items_they_are(models: tuple[str, ...], said: str) -> None:
    """ "2 items: constant output" sent the reader looking for the model."""
    found = upgrade(("accuracy", REBUILT, {"numbers": {"golden_cosine": 0.7}}), models=models)

    assert found.reasons[0].text.startswith(said)


def test_a_reason_of_one_item_names_its_batch() -> None:
    """Latency is measured at one point of the profile here."""
    slow = {"median_s": 0.1, "mean_s": 0.1, "std_s": 0.0001}

    found = upgrade(("latency", REBUILT, {"numbers": slow}))

    assert found.reasons[0].text.startswith("m fp32 opt (rebuilt engine): ")


def test_reasons_that_block_come_first() -> None:
    found = upgrade(
        ("latency", KEPT, no("not-run", "no-record")),
        ("accuracy", KEPT, DRIFT),
        ("accuracy", REBUILT, DRIFT),
    )
    assert [r.weight for r in found.reasons] == ["blocks", "gap", "rebuild"]
