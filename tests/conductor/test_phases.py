"""Which records stand, and which blocks have to be measured again beside their counterparts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from compat.conductor.phases import ONE_TIME_S, _is_of_one_time

NOW = datetime.now(UTC)


def _block(seconds_ago: float) -> dict[str, Any]:
    return {"started": (NOW - timedelta(seconds=seconds_ago)).isoformat()}


@pytest.mark.parametrize(
    ("blocks", "of_one_time"),
    [
        ([None, None], True),
        ([_block(5), _block(1)], True),
        ([_block(30 * ONE_TIME_S), _block(30 * ONE_TIME_S - 20)], True),
        ([_block(2 * ONE_TIME_S), _block(1)], False),
        ([_block(60), None], True),
        ([_block(2 * ONE_TIME_S), None], False),
    ],
    ids=["none yet", "just now", "both last week", "apart", "goes on after a stop", "one is old"],
)
def test_the_two_sides_of_a_round_are_of_one_time(blocks: list[Any], of_one_time: bool) -> None:
    """Versions take turns; a block of last week is worth nothing beside one of today."""
    assert _is_of_one_time(blocks) is of_one_time
