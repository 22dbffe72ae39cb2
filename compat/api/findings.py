"""What a scan finds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

Level = Literal["error", "warning"]
Confidence = Literal["high", "medium", "low"]

# Rule -> level and what it says of a finding.
RULES: dict[str, tuple[Level, str]] = {
    "gone": ("error", "a symbol that the target release does not have"),
    "renamed": ("error", "a symbol that has another name in the target release"),
    "signature": ("error", "a call whose arguments the target release does not accept"),
    "enum-value": ("error", "an integer that means another enum member in the target release"),
    "int64-input": ("warning", "an INT64 input is no longer fed as INT32 (since 9.0)"),
    "trtexec-flag": ("error", "an option that the target release's trtexec refuses"),
    "trtexec-default": ("warning", "a bare trtexec call that measures something else"),
    "ignore": ("warning", "an ignore comment without a reason, which is not obeyed"),
    "unread": ("warning", "a file that could not be read"),
}
_IGNORE = re.compile(r"#\s*trt-compat:\s*ignore(-file)?(?:\[([\w\-, ]*)\])?[ \t:]*(.*)")


@dataclass(frozen=True)
class Finding:
    """One place in the user's code."""

    rule: str
    file: str
    line: int
    column: int
    symbol: str
    message: str
    breaks_at: str = ""  # the first release, as collected, where it breaks
    replacement: str = ""
    source: str = ""
    confidence: Confidence = "high"

    @property
    def level(self) -> Level:
        """Return whether the code breaks ("error") or may mean something else ("warning")."""
        return RULES[self.rule][0]


def without_ignored(findings: Iterable[Finding], text: str, file: str) -> Iterator[Finding]:
    """Yield what no ``# trt-compat: ignore[rule] reason`` covers, and ignores without a reason.

    The comment stands on the line itself, or alone on the line above; ``ignore-file`` anywhere.
    """
    covered: dict[int, frozenset[str]] = {}
    everywhere: frozenset[str] | None = None
    if "trt-compat:" in text:
        for number, line in enumerate(text.splitlines(), 1):
            found = _IGNORE.search(line)
            if not found:
                continue
            if not found[3].strip():
                told = "an ignore needs a reason behind it: # trt-compat: ignore[rule] reason"
                yield Finding("ignore", file, number, found.start() + 1, "", told)
                continue
            rules = frozenset(re.split(r"[,\s]+", (found[2] or "").strip())) - {""}
            if found[1]:
                everywhere = rules
                continue
            covered[number] = rules
            if not line[: found.start()].strip():
                covered[number + 1] = rules
    for one in findings:
        rules_here = covered.get(one.line, everywhere)
        if rules_here is None or (rules_here and one.rule not in rules_here):
            yield replace(one, file=file)
