"""What the documented rules foretell of one engine in one runtime.

An engine seldom states everything that the rules ask for. Then every possibility is asked, and
where their answers differ the answer is ``unknown``, with what it depends on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any, Literal

from packaging.version import Version

from compat.engine.rules import (
    About,
    Case,
    Rule,
    build_of,
    gpu_relation,
    no_rule,
    relation,
    speaks,
)

#: "unknown": the file does not state what the answer depends on; "broken": no whole engine.
Answer = Literal["must-load", "undocumented", "unknown", "must-refuse", "broken"]
_WORST_LAST: tuple[Answer, ...] = ("must-load", "undocumented", "unknown", "must-refuse", "broken")

VARIANTS = ("plain", "vc", "vc-lean-excluded", "hc-ampere-plus", "hc-same-cc", "stripped")
LEVELS = ("none", "ampere-plus", "same-cc")
_LEVEL_OF = {"hc-ampere-plus": "ampere-plus", "hc-same-cc": "same-cc"}
_RELATIONS = ("same", "older-in-newer", "newer-in-older")
_FIRST_WITH_VARIANTS = Version("8.6")
_FIRST_SAME_CC = Version("10.9")
_UNSTATED = {
    "variant": "whether it was built with version compatibility (--variant says it)",
    "level": "its hardware compatibility level (--variant says it)",
    "relation": "the parts of the version that are not given",
}
_WORDS = {"variant": "{}", "level": "hardware level {}", "relation": "{} version"}
#: The end of a sentence on what is not known of an engine, by the question that it leaves open.
_MISSING = {"gpu": "for which GPU it was built", "platform": "on which platform it was built"}


@dataclass(frozen=True, slots=True)
class Engine:
    """What is known of an engine; an empty part is not known.

    `arch` is the compute capability of the builder's GPU without its dot; `targets` those that a
    TensorRT-RTX engine names; `platform` such as "linux-x86_64". `problems` say why it is none.
    """

    name: str
    flavour: str = ""
    version: str = ""
    variant: str = ""
    lean_runtime: str = ""
    level: str = ""
    arch: int | None = None
    targets: frozenset[int] | None = None
    platform: str = ""
    problems: tuple[str, ...] = ()

    def variants(self) -> tuple[str, ...]:
        """Return the build variants that it may have, by version and lean runtime."""
        if self.variant:
            return (self.variant,)
        if self.flavour != "tensorrt" or Version(self.version) < _FIRST_WITH_VARIANTS:
            return ("plain",)
        if self.lean_runtime == "embedded":
            return ("vc",)
        without = ("plain", "vc-lean-excluded")
        return without if self.lean_runtime == "none" else ("plain", "vc", "vc-lean-excluded")

    def levels(self) -> tuple[str, ...]:
        """Return the hardware compatibility levels that it may have."""
        if self.level:
            return (self.level,)
        if self.variant:
            return (_LEVEL_OF.get(self.variant, "none"),)
        version = Version(self.version)
        if self.flavour != "tensorrt" or version < _FIRST_WITH_VARIANTS:
            return ("none",)
        return LEVELS if version >= _FIRST_SAME_CC else LEVELS[:2]


@dataclass(frozen=True, slots=True)
class Runtime:
    """What is to load the engine; an absent part is not asked about.

    `gpu` is a compute capability without its dot, `gpu_name` how people call the GPU. `untaken`
    says, with `untaken_source`, that the release does not take that GPU at all; `unnamed` that no
    text was found that says it, which changes no answer.
    """

    flavour: str
    version: str
    gpu: int | None = None
    gpu_name: str = ""
    host_code: bool = False
    platform: str = ""
    untaken: str = ""
    untaken_source: str = ""
    unnamed: str = ""

    def __str__(self) -> str:
        on = f" on {self.gpu_name or f'sm_{self.gpu}'}" if self.gpu else ""
        return f"{self.flavour} {self.version}{on}"


@dataclass(frozen=True, slots=True)
class Statement:
    """The answer to one question, with what it rests on and what to do."""

    about: str
    answer: Answer
    rule: str
    text: str
    source: str = ""
    documented: str = ""
    remedy: str = ""
    contradicted_by: str = ""
    contradiction: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for an engine in a runtime.

    `statements` are what it rests on, the deciding one first; with ``unknown`` those of every
    possibility, and `depends_on` says on what.
    """

    engine: Engine
    runtime: Runtime
    answer: Answer
    statements: tuple[Statement, ...]
    depends_on: tuple[str, ...] = ()
    possible: dict[str, Answer] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        engine = asdict(self.engine)
        engine["targets"] = sorted(self.engine.targets) if self.engine.targets else None
        engine["problems"] = list(self.engine.problems)
        return {
            "answer": self.answer,
            "engine": engine,
            "runtime": asdict(self.runtime),
            "statements": [asdict(one) for one in self.statements],
            "depends_on": list(self.depends_on),
            "possible": self.possible,
        }


def worst(answers: list[Answer]) -> Answer:
    """Return the answer that decides."""
    return max(answers, key=_WORST_LAST.index)


def predict(engine: Engine, runtime: Runtime) -> Prediction:
    """Ask the rules what happens when a runtime loads an engine."""
    if engine.problems:
        text = "; ".join(engine.problems)
        found = Statement("file", "broken", "not-an-engine", text, remedy="get the whole file")
        return Prediction(engine, runtime, "broken", (found,))
    cases = list(_cases(engine, runtime))
    asked = [_statements(case, engine, runtime) for case in cases]
    answers = [worst([one.answer for one in statements]) for statements in asked]
    if len(set(answers)) == 1:
        return Prediction(engine, runtime, answers[0], _in_order(asked))
    keys = _deciding(cases, answers)
    possible: dict[str, Answer] = {}
    for case, answer in zip(cases, answers, strict=True):
        name = ", ".join(_WORDS[key].format(getattr(case, key)) for key in keys)
        possible[name] = worst([answer, possible.get(name, answer)])
    depends_on = tuple(_UNSTATED[key] for key in keys)
    return Prediction(engine, runtime, "unknown", _in_order(asked), depends_on, possible)


def _cases(engine: Engine, runtime: Runtime) -> Iterator[Case]:
    built, run = (Version(build_of(one)) for one in (engine.version, runtime.version))
    targets = engine.targets if engine.flavour == "tensorrt_rtx" else None
    gpu = frozenset[str]()
    if runtime.gpu is not None:
        gpu = gpu_relation(engine.arch, targets, runtime.gpu)
    both = engine.platform and runtime.platform
    platform = ("same" if engine.platform == runtime.platform else "other") if both else ""
    # The level is asked of a GPU only.
    levels = engine.levels() if gpu else engine.levels()[:1]
    for variant, level, how in product(engine.variants(), levels, _stands(built, run)):
        yield Case(
            engine.flavour,
            runtime.flavour,
            variant,
            built,
            run,
            how,
            level=level,
            gpu=gpu,
            host_code="" if runtime.host_code else "denied",
            platform=platform,
        )


def _stands(built: Version, run: Version) -> tuple[str, ...]:
    """Say how two versions stand; one with parts left out may be the other, and may not."""
    one, other = built.release, run.release
    if len(one) == len(other):
        # ".post1" is the same library in another package.
        return (relation(Version(_dotted(one)), Version(_dotted(other))),)
    short = min(len(one), len(other))
    if one[:short] == other[:short]:
        return _RELATIONS
    return (relation(built, run),)


def _dotted(parts: tuple[int, ...]) -> str:
    return ".".join(map(str, parts))


def _statements(case: Case, engine: Engine, runtime: Runtime) -> list[Statement]:
    """Answer every question of a case, the worst answer first."""
    rule = speaks(case, "version")
    found = [_said(rule) if rule else _no_rule(case)]
    # What is refused for its version is refused whoever may run its code.
    if found[0].answer != "must-refuse" and (rule := speaks(case, "host-code")):
        found.append(_said(rule))
    if runtime.gpu is not None:
        found.append(_asked(case, "gpu"))
    if runtime.untaken:
        remedy = "keep a release that takes this GPU, or another GPU"
        source, text = runtime.untaken_source, runtime.untaken
        found.append(Statement("gpu", "must-refuse", "gpu-not-taken", text, source, "", remedy))
    if runtime.platform:
        found.append(_asked(case, "platform"))
    return sorted(found, key=lambda one: -_WORST_LAST.index(one.answer))


def _asked(case: Case, about: About) -> Statement:
    rule = speaks(case, about)
    if rule:
        return _said(rule)
    remedy = f"say it with {'--built-on' if about == 'platform' else '--built-for'}"
    text = f"Neither the file nor a manifest beside it states {_MISSING[about]}."
    return Statement(about, "unknown", f"{about}-not-stated", text, remedy=remedy)


def _said(rule: Rule) -> Statement:
    return Statement(
        rule.about,
        rule.outcome,
        rule.id,
        rule.text,
        rule.source,
        rule.documented,
        rule.remedy,
        rule.contradicted_by,
        rule.contradiction,
        rule.seen,
    )


def _no_rule(case: Case) -> Statement:
    found = no_rule()
    remedy = "try it first, with this pair as targets of `trt-compat run`"
    if _product(case.flavour) != _product(case.runtime_flavour):
        remedy = "these are different products: build with the builder of the runtime's own"
    return Statement("version", found.outcome, found.rule, found.text, remedy=remedy)


def _product(flavour: str) -> str:
    """Return what a runtime belongs to: lean and dispatch to TensorRT, RTX to itself."""
    return "tensorrt" if flavour in ("tensorrt_lean", "tensorrt_dispatch") else flavour


def _in_order(asked: list[list[Statement]]) -> tuple[Statement, ...]:
    """Return every statement once, the deciding ones first."""
    firsts = [statements[0] for statements in asked]
    rest = [one for statements in asked for one in statements[1:]]
    return tuple(dict.fromkeys((*firsts, *rest)))


def _deciding(cases: list[Case], answers: list[Answer]) -> list[str]:
    """Return what is not known of an engine and changes the answer, all else being equal."""
    deciding = []
    for key in _UNSTATED:
        others = [one for one in _UNSTATED if one != key]
        found: dict[tuple[str, ...], set[Answer]] = {}
        for case, answer in zip(cases, answers, strict=True):
            found.setdefault(tuple(getattr(case, one) for one in others), set()).add(answer)
        if any(len(these) > 1 for these in found.values()):
            deciding.append(key)
    return deciding
