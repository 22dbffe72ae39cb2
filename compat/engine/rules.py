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

    `refusal` is the reason code of a documented refusal, "any" where the texts name none;
    `contradicted_by` an official text that says otherwise.
    """

    outcome: Outcome
    rule: str
    text: str
    source: str
    refusal: str = ""
    contradicted_by: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the expectation as it stands in ``plan.json``."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of ``rules.toml``; an empty tuple fits everything."""

    id: str
    flavours: tuple[str, ...]
    relation: str
    outcome: Outcome
    text: str
    source: str
    runtimes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    majors: tuple[str, ...] = ()
    since: str = "0"
    refusal: str = ""
    contradicted_by: str = ""

    def fits(self, case: Case) -> bool:
        """Tell whether this rule speaks of a case."""
        runtimes = self.runtimes or self.flavours
        return (
            case.flavour in self.flavours
            and case.runtime_flavour in runtimes
            and (not self.variants or case.variant in self.variants)
            and case.relation in _RELATIONS.get(self.relation, (self.relation,))
            and (not self.majors or case.majors in self.majors)
            and case.built_with >= Version(self.since)
        )


_RELATIONS = {
    "different": ("older-in-newer", "newer-in-older"),
    "any": ("same", "build-unknown", "older-in-newer", "newer-in-older"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """An engine and a runtime that is asked to load it."""

    flavour: str
    runtime_flavour: str
    variant: str
    built_with: Version
    run_with: Version

    @property
    def relation(self) -> str:
        """How the two versions stand to each other."""
        if self.built_with == self.run_with:
            return "same"
        fewer, more = sorted((self.built_with.release, self.run_with.release), key=len)
        if len(fewer) < len(more) and more[: len(fewer)] == fewer:
            return "build-unknown"
        return "older-in-newer" if self.built_with < self.run_with else "newer-in-older"

    @property
    def majors(self) -> str:
        """The step between majors, such as "8>10", or "same"."""
        built, run = self.built_with.major, self.run_with.major
        return "same" if built == run else f"{built}>{run}"


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, in the order in which they are asked."""
    raw = tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))
    return tuple(_rule(row) for row in raw["rules"])


def _rule(row: dict[str, Any]) -> Rule:
    values: dict[str, Any] = {}
    for key, value in row.items():
        values[key.replace("-", "_")] = tuple(value) if isinstance(value, list) else value
    return Rule(**values)


def expect(
    flavour: str,
    built_with: str,
    run_with: str,
    *,
    runtime_flavour: str = "",
    variant: str = "plain",
) -> Expectation:
    """Return what the rules say of an engine of `built_with` in a runtime of `run_with`.

    Args:
        flavour: the builder's flavour.
        built_with: exact version of the builder.
        run_with: exact version of the runtime.
        runtime_flavour: the runtime's flavour, the builder's own by default.
        variant: the build variant of the engine.
    """
    built, run = Version(built_with), Version(run_with)
    case = Case(flavour, runtime_flavour or flavour, variant, built, run)
    for rule in rules():
        if rule.fits(case):
            return Expectation(
                rule.outcome,
                rule.id,
                rule.text,
                rule.source,
                rule.refusal,
                rule.contradicted_by,
            )
    return Expectation("undocumented", "no-rule", _NO_RULE, "")
