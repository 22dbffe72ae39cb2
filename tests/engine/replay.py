"""The stored GPU records held against the rules: what each rule foretold, and what was seen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compat.engine.prediction import Engine, Runtime, Statement, predict
from compat.engine.rules import rules
from compat.records import read_records

ROOT = Path(__file__).parents[2]
REPORTS = ("h200", "h200-models", "h200-full", "h200-repeats", "h200-reload")
_RAN = ("ok", "refused", "crashed", "timeout", "failed")


@dataclass(frozen=True)
class Trial:
    """One engine that one runtime was given, with what the rules say and what it did."""

    report: str
    engine: str
    runtime: str
    said: Statement
    status: str
    reason: str
    refusal: str

    @property
    def agrees(self) -> bool:
        """Whether it did what the rule says; a refusal has to be the one that the rule names."""
        if self.said.answer == "must-load":
            return self.status == "ok"
        return self.status == "refused" and self.refusal in ("any", self.reason)

    @property
    def seen(self) -> str:
        """What it did, in words."""
        return "loaded" if self.status == "ok" else f"{self.status}: {self.reason}"


@cache
def trials() -> tuple[Trial, ...]:
    """Return every load of the stored runs, with those of whole engines that were not trusted."""
    return tuple(_trials())


def _trials() -> Iterator[Trial]:
    for report in REPORTS:
        folder = ROOT / "reports" / report
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        newest = {record["item"]: record for record in read_records(folder / "records.jsonl")}
        targets = {target["name"]: target for target in plan["targets"]}
        for item in plan["items"]:
            denied = item.get("damage") == "host-code-denied"
            record = newest.get(item["id"])
            if (item["check"] == "load" or denied) and record and record["status"] in _RAN:
                yield _trial(report, item, record, targets, denied=denied)


def _trial(
    report: str,
    item: dict[str, Any],
    record: dict[str, Any],
    targets: dict[str, Any],
    *,
    denied: bool,
) -> Trial:
    built, run = targets[item["builder"]], targets[item["runtime"]]
    engine = Engine(item["id"], built["flavour"], built["version"], variant=item["variant"])
    found = predict(engine, Runtime(run["flavour"], run["version"], host_code=not denied))
    said = found.statements[0]
    return Trial(
        report,
        f"{built['flavour']} {built['version']} {item['variant']}",
        f"{run['flavour']} {run['version']}",
        said,
        record["status"],
        record["reason"],
        refusals()[said.rule],
    )


def refusals() -> dict[str, str]:
    """Return the refusal that each rule foretells."""
    return {"no-rule": ""} | {rule.id: rule.refusal for rule in rules()}


def tested() -> str:
    """Return the table of rules with the number of loads that agree with them and that do not."""
    agree: Counter[str] = Counter()
    other: Counter[str] = Counter()
    answers: dict[str, str] = {}
    for one in trials():
        if one.said.answer not in ("must-load", "must-refuse"):
            continue
        answers[one.said.rule] = one.said.answer
        (agree if one.agrees else other)[one.said.rule] += 1
    rows = [
        f"| `{rule}` | {answers[rule]} | {agree[rule]} | {other[rule]} |"
        for rule in sorted(answers)
    ]
    return "\n".join(["| rule | says | agree | disagree |", "|---|---|--:|--:|", *rows])


def disagreements() -> str:
    """Return the table of what was seen against a rule."""
    seen = Counter(
        (one.said.rule, one.said.answer, one.engine, one.runtime, one.seen, one.report)
        for one in trials()
        if one.said.answer in ("must-load", "must-refuse") and not one.agrees
    )
    rows = [
        f"| `{rule}` | {answer} | {engine} | {runtime} | {did} | {count} | `reports/{report}` |"
        for (rule, answer, engine, runtime, did, report), count in sorted(seen.items())
    ]
    head = [
        "| rule | says | engine | runtime | seen | loads | evidence |",
        "|---|---|---|---|---|--:|---|",
    ]
    return "\n".join([*head, *rows])


def open_questions() -> str:
    """Return the table of what was seen where the texts say nothing."""
    seen = Counter(
        (one.said.rule, one.engine, one.runtime, one.seen)
        for one in trials()
        if one.said.answer not in ("must-load", "must-refuse")
    )
    rows = [
        f"| `{rule}` | {engine} | {runtime} | {did} | {count} |"
        for (rule, engine, runtime, did), count in sorted(seen.items())
    ]
    return "\n".join(["| rule | engine | runtime | seen | loads |", "|---|---|---|---|--:|", *rows])


def untested() -> list[str]:
    """Return the rules of which no stored record says anything."""
    used = {one.said.rule for one in trials()}
    return [rule.id for rule in rules() if rule.id not in used]
