"""What the documented rules say must happen when one release loads another's engine."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from packaging.version import Version

Outcome = Literal["must-load", "must-refuse", "undocumented"]
About = Literal["version", "host-code", "gpu", "platform"]

_NO_RULE = "No documented rule speaks of this pair."
_AMPERE = 80


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
    """One row of ``rules.toml``; an empty part fits everything."""

    id: str
    flavours: tuple[str, ...]
    outcome: Outcome
    text: str
    source: str
    about: About = "version"
    relation: str = "any"
    runtimes: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    majors: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    gpu: str = ""
    host_code: str = ""
    platform: str = ""
    since: str = ""
    refusal: str = ""
    documented: str = ""
    remedy: str = ""
    contradicted_by: str = ""
    contradiction: str = ""
    seen: str = ""

    def fits(self, case: Case) -> bool:
        """Tell whether this rule speaks of a case."""
        runtimes = self.runtimes or self.flavours
        return (
            case.flavour in self.flavours
            and case.runtime_flavour in runtimes
            and (not self.variants or case.variant in self.variants)
            and case.relation in _RELATIONS.get(self.relation, (self.relation,))
            and (not self.majors or case.majors in self.majors)
            and (not self.levels or case.level in self.levels)
            and (not self.gpu or self.gpu in case.gpu)
            and (not self.host_code or self.host_code == case.host_code)
            and (not self.platform or self.platform == case.platform)
            and (not self.since or case.built_with >= Version(self.since))
        )

    @property
    def expectation(self) -> Expectation:
        """What the rule says, as a plan states it."""
        return Expectation(
            self.outcome, self.id, self.text, self.source, self.refusal, self.contradicted_by
        )


_RELATIONS = {
    "different": ("older-in-newer", "newer-in-older"),
    "any": ("same", "build-unknown", "older-in-newer", "newer-in-older"),
}


@dataclass(frozen=True, slots=True)
class Case:
    """An engine and a runtime that is asked to load it.

    `relation` says how the two versions stand to each other: same, older-in-newer, newer-in-older,
    or build-unknown, where one is the other with fewer parts. `level`, `gpu`, `host_code` and
    `platform` as in ``rules.toml``.
    """

    flavour: str
    runtime_flavour: str
    variant: str
    built_with: Version
    run_with: Version
    relation: str
    level: str = "none"
    gpu: frozenset[str] = frozenset()
    host_code: str = ""
    platform: str = ""

    @property
    def majors(self) -> str:
        """The step between majors, such as "8>10", or "same"."""
        built, run = self.built_with.major, self.run_with.major
        return "same" if built == run else f"{built}>{run}"


def relation(built_with: Version, run_with: Version) -> str:
    """Say how the version of a runtime stands to that of a builder."""
    if built_with == run_with:
        return "same"
    fewer, more = sorted((built_with.release, run_with.release), key=len)
    if len(fewer) < len(more) and more[: len(fewer)] == fewer:
        return "build-unknown"
    return "older-in-newer" if built_with < run_with else "newer-in-older"


def gpu_relation(built_on: int | None, targets: frozenset[int] | None, gpu: int) -> frozenset[str]:
    """Say what a GPU is to an engine, in the words of ``rules.toml``.

    Args:
        built_on: compute capability of the builder's GPU without its dot; None where not known.
        targets: capabilities that a TensorRT-RTX engine names; None where it names none.
        gpu: the one that is to run the engine.
    """
    words = {"ampere-or-newer" if gpu >= _AMPERE else "before-ampere"}
    if built_on is not None:
        words.add("same-cc" if built_on == gpu else "other-cc")
    if targets is not None:
        words.add("target" if gpu in targets else "no-target")
    return frozenset(words)


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("rules.toml").read_text(encoding="utf-8"))


@cache
def rules() -> tuple[Rule, ...]:
    """Return every rule, in the order in which they are asked."""
    return tuple(_rule(row) for row in _data()["rules"])


def build_of(version: str) -> str:
    """Return all parts of a version whose wheels state fewer: 8.6.0 is 8.6.0.12."""
    found: str = _data()["builds"].get(version, version)
    return found


def _rule(row: dict[str, Any]) -> Rule:
    values: dict[str, Any] = {}
    for key, value in row.items():
        values[key.replace("-", "_")] = tuple(value) if isinstance(value, list) else value
    return Rule(**values)


def speaks(case: Case, about: About) -> Rule | None:
    """Return the rule that answers one question of a case, if one does."""
    return next((rule for rule in rules() if rule.about == about and rule.fits(case)), None)


def expect(
    flavour: str,
    built_with: str,
    run_with: str,
    *,
    runtime_flavour: str = "",
    variant: str = "plain",
    host_code: bool = True,
) -> Expectation:
    """Return what the rules say of an engine of `built_with` in a runtime of `run_with`.

    GPU and platform are those that the engine was built on.

    Args:
        flavour: the builder's flavour.
        built_with: exact version of the builder.
        run_with: exact version of the runtime.
        runtime_flavour: the runtime's flavour, the builder's own by default.
        variant: the build variant of the engine.
        host_code: the runtime was told that it may run code of the engine.
    """
    built, run = Version(built_with), Version(run_with)
    case = Case(
        flavour,
        runtime_flavour or flavour,
        variant,
        built,
        run,
        relation(built, run),
        host_code="" if host_code else "denied",
    )
    version, permission = speaks(case, "version"), speaks(case, "host-code")
    if permission and (version is None or version.outcome != "must-refuse"):
        return permission.expectation
    return version.expectation if version else no_rule()


def no_rule() -> Expectation:
    """Return what is said where no rule speaks."""
    return Expectation("undocumented", "no-rule", _NO_RULE, "")
