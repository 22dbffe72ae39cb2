"""Plan and records brought together."""

from __future__ import annotations

import pytest

from compat.analysis.observations import observe
from tests import builders

A = "ort-1.30"
BUILD = builders.item("build", "resnet50", "fp32", A, A)
LATENCY = builders.item("latency", "resnet50", "fp32", A, A, "opt")
PLAN = builders.plan([BUILD, LATENCY], [builders.target(A)], [])


def test_an_item_without_a_record_is_not_run() -> None:
    seen = observe(PLAN, []).by_id[BUILD["id"]]
    assert (seen.status, seen.reason, seen.ran) == ("not-run", "no-record", False)


@pytest.mark.parametrize(
    ("status", "target", "ran"),
    [
        ("ok", {"python": "3.11"}, True),
        ("failed", {"python": "3.11"}, True),
        ("failed", {}, False),
        ("unsupported", {"python": "3.11"}, False),
        ("not-run", {"python": "3.11"}, False),
    ],
)
def test_only_what_came_out_of_a_target_ran(status: str, target: dict[str, str], ran: bool) -> None:
    seen = observe(PLAN, [builders.record(BUILD, status, target=target)]).by_id[BUILD["id"]]
    assert seen.ran == ran
    assert seen.failed_on_host == (status == "failed" and not ran)


def test_a_later_record_replaces_an_earlier_one() -> None:
    records = [builders.record(BUILD, "crashed"), builders.record(BUILD)]
    assert observe(PLAN, records).by_id[BUILD["id"]].status == "ok"


def test_a_later_record_of_a_round_replaces_that_round_only() -> None:
    records = [*builders.rounds_of(LATENCY, 1, rounds=3), *builders.rounds_of(LATENCY, 2, rounds=1)]
    seen = observe(PLAN, records).by_id[LATENCY["id"]]
    assert sorted(seen.rounds) == [1, 2, 3]
    assert seen.rounds[1]["numbers"] == records[-1]["numbers"]


def test_a_crash_in_one_round_is_the_status_of_the_item() -> None:
    records = builders.rounds_of(LATENCY, 1, rounds=4)
    records[2] |= {"status": "crashed", "reason": "signal-SIGSEGV", "numbers": {}}
    seen = observe(PLAN, records).by_id[LATENCY["id"]]
    assert (seen.status, seen.reason) == ("crashed", "signal-SIGSEGV")
    assert sorted(seen.rounds) == [1, 2, 4]


def test_rounds_replace_an_older_record_without_a_round_and_not_a_newer_one() -> None:
    rounds = builders.rounds_of(LATENCY, 1)
    older = builders.record(LATENCY, "not-run", started="2026-11-19T00:00:00Z")
    newer = builders.record(LATENCY, "crashed", started="2026-11-21T00:00:00Z")
    assert observe(PLAN, [older, *rounds]).by_id[LATENCY["id"]].status == "ok"
    assert observe(PLAN, [newer, *rounds]).by_id[LATENCY["id"]].status == "crashed"


def test_a_record_of_an_unplanned_item_is_left_out() -> None:
    stray = builders.record(builders.item("build", "other", "fp32", A, A))
    assert list(observe(PLAN, [stray]).by_id) == [BUILD["id"], LATENCY["id"]]
