"""What failed and what did not run, with equal cases collapsed into one."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from compat.report.cells import failure
from compat.report.rows import Row
from compat.suite.refusals import MESSAGES, Message

T = TypeVar("T")

_STATUS_FIRST = ("crashed", "timeout", "failed", "refused", "ok")


@dataclass(frozen=True, slots=True)
class Finding:
    """Equal failures, or equal reasons for not running, as one."""

    code: str
    state: str
    text: str
    status: str
    checks: tuple[str, ...]
    targets: tuple[str, ...]
    runtimes: tuple[str, ...]
    first: Row
    count: int
    meets_candidate: bool  # whether one of them was run by what one may move to

    @property
    def advice(self) -> str:
        """What is behind it and what a person can do; the command that repeats it, if unknown."""
        again = f"Try the first one again: {self.first.text('repeat')}"
        return advice(self.code, self.text) or again


#: What a person can do about a reason for not running.
REMEDIES = {
    "no-cuda-driver": "Run the same command on a machine with an NVIDIA GPU and its driver, "
    "then merge the records.",
    "no-record": "The run stopped before these; run `nox -s compat` again, it goes on there.",
    "load-refused": "Nothing to do: the engine was refused, so it has no outputs and no latency.",
    "no-engine": "Look at the build of the engine first.",
    "suite-did-not-run": "The target's environment is broken, not an engine; the log named there "
    "holds what it said.",
    "no-importer": "Nothing to do: PyTorch has only the built-in models, as a baseline for them.",
    "onnx-package-missing": "Install it where PyTorch is: pip install onnx.",
    "torchvision-package-missing": "Install it where PyTorch is: pip install torchvision.",
    "transformers-package-missing": "Install it where PyTorch is: pip install transformers.",
    "compiler-missing": "Install a C++ compiler and Python's headers where PyTorch is.",
    "timeout": "If it only needs longer, raise its limit under [timeouts] in compat.toml.",
    "signal-SIGKILL": "Give it more memory, or run fewer other programs beside it.",
}


def advice(code: str, said: str) -> str:
    """Cause and remedy of a reason code, if known; ``said`` tells the rows of a code apart."""
    if code in REMEDIES:
        return REMEDIES[code]
    rows = [m for m in MESSAGES if m.reason == code]
    row: Message | None = next((m for m in rows if re.search(m.pattern, said)), None)
    row = row or next(iter(rows), None)
    return "" if row is None else f"{sentence(row.cause)} {sentence(row.remedy)}"


def sentence(text: str) -> str:
    """A cause or remedy of a catalogue as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def failures(items: Iterable[Row]) -> list[Finding]:
    """Failing items by root cause.

    What the candidate of an upgrade met goes before what other targets did; then crashes go first,
    then what most share.
    """
    cells = _grouped((r for r in items if r.text("verdict") == "fail"), _root_cause)
    found = [_finding(list(chain(*alike))) for alike in _grouped(cells, _told)]
    return sorted(found, key=lambda f: (not f.meets_candidate, _rank(f.status), -f.count))


def missing(items: Iterable[Row]) -> list[Finding]:
    """Items that did not run by reason, most first."""
    groups = _grouped(
        (r for r in items if not r.ran and r.text("verdict") != "fail"),
        lambda r: (r.text("status"), r.text("reason")),
    )
    return sorted(map(_finding, groups), key=lambda f: -f.count)


def _rank(status: str) -> int:
    return _STATUS_FIRST.index(status) if status in _STATUS_FIRST else len(_STATUS_FIRST)


def _root_cause(row: Row) -> tuple[str, ...]:
    """Crashes and refusals are one by what was said; a drift is its own, by model and limit."""
    status = row.text("status")
    if status != "ok":
        return row.text("check"), status, row.text("reason"), row.text("message")
    return row.text("check"), row.text("verdict_code"), *row.cell


def _told(group: list[Row]) -> Hashable:
    """An engine that is wrong by the same in two runtimes is wrong itself."""
    first = group[0]
    if first.text("status") != "ok":
        return _root_cause(first)
    builder, _, *engine = first.cell
    said = frozenset((r.text("point"), r.text("verdict_reason")) for r in group)
    return first.text("check"), first.text("verdict_code"), builder, *engine, said


def _grouped(these: Iterable[T], by: Callable[[T], Hashable]) -> list[list[T]]:
    groups: dict[Hashable, list[T]] = {}
    for one in these:
        groups.setdefault(by(one), []).append(one)
    return list(groups.values())


def _finding(group: list[Row]) -> Finding:
    first = group[0]
    said = first.text("verdict_reason") or first.text("message")
    return Finding(
        first.text("reason") or first.text("verdict_code"),
        failure(first) if first.text("verdict") == "fail" else first.text("status"),
        said,
        first.text("status"),
        _distinct(r.text("check") for r in group),
        _distinct(t for r in group for t in (r.text("builder"), r.text("runtime"))),
        _distinct(r.text("runtime") for r in group),
        first,
        len(group),
        any(r.text("runtime_role") == "candidate" for r in group),
    )


def _distinct(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))
