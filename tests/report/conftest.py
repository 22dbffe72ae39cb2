"""Results that the report tests show, made once: the report never changes them."""

from __future__ import annotations

from typing import Any

import pytest

from compat import analysis
from compat.analysis import Results
from tests import builders

#: A name that breaks HTML, Markdown, XML, a shell and a fragment at once.
NASTY = "mod<b>&\"'|`*ë—模型 1"


@pytest.fixture(scope="session")
def results() -> Results:
    """The default-like run with its planted troubles."""
    plan, records = builders.default_run()
    return analysis.compile(plan, records)


@pytest.fixture(scope="session")
def nasty() -> Results:
    """Two engines of a model with a nasty name; one crashed with a nasty message."""
    targets = ("ort-1.30", "ort-1.31")
    items: list[dict[str, Any]] = [
        i for t in targets for i in builders.cell_items(NASTY, "fp32", t, t, latency=())
    ]
    records = [
        builders.accuracy_record(i, 1) if i["check"] == "accuracy" else builders.record(i)
        for i in items
    ]
    message = "</pre><script>alert(1)</script> | \x1b[31m\x00 ]]> ü"
    records[-1] |= {"status": "crashed", "reason": "signal-SIGSEGV", "message": message}
    plan = builders.plan(items, [builders.target(t) for t in targets], [targets], [NASTY])
    return analysis.compile(plan, records)


@pytest.fixture(scope="session")
def empty() -> Results:
    """A plan that holds nothing."""
    return analysis.compile(builders.plan([], [], []), [])
