"""What uv meant: its words to a stable reason.

The wording is that of uv 0.13.8, each pattern produced with a real run (tests/targets).
"""

from __future__ import annotations

import re
import signal

from compat.targets.process import Outcome
from compat.targets.spec import Reason

# First match wins: a full disk or a wrong hash during a flaky download is still that.
_PATTERNS: tuple[tuple[Reason, str], ...] = (
    ("disk-full", r"No space left on device|Disk quota exceeded|File too large"),
    ("hash-mismatch", r"Hash mismatch for"),
    (
        "no-network",
        r"network was disabled|Request failed after \d|error sending request"
        r"|client error \(Connect\)|dns error|Connection refused"
        r"|operation timed out|HTTP status server error",
    ),
    (
        "platform",
        r"no wheels with a matching|does not satisfy Python|requires? Python",
    ),
    (
        "version-not-found",
        r"there is no version of|was not found in|has no usable wheels|no versions? of",
    ),
)


def reason(outcome: Outcome) -> Reason:
    """Return why a uv call failed; "install-failed" where its words say nothing known."""
    if outcome.code == -signal.SIGXFSZ:
        return "disk-full"
    text = " ".join(outcome.output.split())
    for name, pattern in _PATTERNS:
        if re.search(pattern, text):
            return name
    return "install-failed"


def last_words(outcome: Outcome) -> str:
    """Return uv's most telling line: its last `cause:`, else its `error:`, else its last line."""
    lines = [line.strip() for line in outcome.output.splitlines() if line.strip()]
    for mark in ("cause:", "error:"):
        marked = [line for line in lines if line.startswith(mark)]
        if marked:
            return marked[-1].removeprefix(mark).strip()
    return lines[-1] if lines else f"exit code {outcome.code}, nothing printed"
