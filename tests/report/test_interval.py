"""The drawing of an interval: inside its frame, with a text, in the colour of the verdict."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from compat.report import interval


@settings(deadline=None)
@given(st.tuples(*[st.floats(1e-6, 1e6)] * 3).map(sorted), st.floats(0.001, 0.4))
def test_every_drawing_stays_in_its_frame(limits: list[float], band: float) -> None:
    low, ratio, high = limits
    drawn = interval.draw(ratio, low, high, band, "good")
    places = [float(x) for x in re.findall(r'(?:cx="|x="|M|H)([\d.]+)', drawn)]
    assert all(0 <= x <= interval.WIDTH for x in places)


def test_it_says_its_numbers_and_wears_the_verdict() -> None:
    drawn = interval.draw(1.02, 0.99, 1.05, 0.05, "unclear")
    assert 'aria-label="ratio 1.020, 95% interval 0.990 to 1.050, band 5%"' in drawn
    assert 'class="iv unclear"' in drawn
