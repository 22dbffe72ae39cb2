"""What the documented rules say must happen when one release loads another's engine."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from packaging.version import Version

Outcome = Literal["must-load", "must-refuse", "undocumented"]

_NO_RULE = "No documented rule speaks of this pair."


@dataclass(frozen=True, slots=True)
class Expectation:
    """A documented outcome with the rule that says it and the rule's source.

    `refusal` is the reason code that a documented refusal carries ("" if none is documented).
    """

    outcome: Outcome
    rule: str
    text: str
    source: str
    refusal: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the expectation as it stands in ``plan.json``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of ``rules.toml``."""

    id: str
    flavours: tuple[str, ...]
    relation: str
    outcome: Outcome
    text: str
    source: str
    refusal: str = ""


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, in the order in which they are asked."""
    raw = tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))
    return tuple(Rule(**{**row, "flavours": tuple(row["flavours"])}) for row in raw["rules"])


def expect(flavour: str, built_with: str, run_with: str) -> Expectation:
    """Return what the rules say of an engine of `built_with` in a runtime of `run_with`.

    Args:
        flavour: the flavour of both; engines never cross flavours in the matrix.
        built_with: exact version of the builder.
        run_with: exact version of the runtime.
    """
    relation = _relation(built_with, run_with)
    for rule in rules():
        fits = rule.relation == relation or (rule.relation == "different" and relation != "same")
        if flavour in rule.flavours and fits:
            return Expectation(rule.outcome, rule.id, rule.text, rule.source, rule.refusal)
    return Expectation("undocumented", "no-rule", _NO_RULE, "")


def _relation(built_with: str, run_with: str) -> str:
    built, run = Version(built_with), Version(run_with)
    if built == run:
        return "same"
    return "older-in-newer" if built < run else "newer-in-older"
