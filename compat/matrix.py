"""The matrix: every planned check of every cell, with its expectation, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any, Literal

from compat.config import Config, ModelConfig, TargetConfig
from compat.config.schema import AccuracyLimits
from compat.engine.rules import expect
from compat.errors import UserError
from compat.typings import typings

Phase = Literal["build", "check", "bench"]
PHASES: tuple[Phase, ...] = ("build", "check", "bench")
POINTS = ("min", "opt", "max")

# Flavours that hold a builder; lean and dispatch only run what others built.
BUILDERS = ("tensorrt", "tensorrt_rtx", "onnxruntime", "pytorch")
# Which runtimes may be asked to load a builder's engines.
FAMILIES = {
    "tensorrt": ("tensorrt", "tensorrt_lean", "tensorrt_dispatch"),
    "tensorrt_rtx": ("tensorrt_rtx",),
    "onnxruntime": ("onnxruntime",),
    "pytorch": ("pytorch",),
}
# Whose engine is one file that is damaged on purpose, in ways that say something of any format.
DAMAGED = ("tensorrt", "tensorrt_rtx", "onnxruntime")
# The last one may load and run, and ruin its process for whatever comes behind it.
DAMAGES = ("truncated", "foreign", "flipped-header", "flipped-weight")
# Another tool's times beside ours, of our engine and of one that it builds: shown, never judged.
CROSSCHECKS = ("trtexec_load", "trtexec_build")
# Building twice says something of a TensorRT builder; the others are baselines.
REBUILDERS = ("tensorrt", "tensorrt_rtx")


@dataclass(frozen=True, slots=True)
class Item:
    """One planned check of one cell.

    `point` is the place in the optimization profile that accuracy and latency are taken at;
    `damage` is what the check ``damaged`` does to the engine.
    """

    check: str
    phase: Phase
    model: str
    precision: str
    typing: str
    variant: str
    builder: str
    runtime: str
    point: str | None = None
    batch: int | None = None
    expectation: Mapping[str, Any] | None = None
    damage: str | None = None

    @property
    def id(self) -> str:
        """The item's name, as `--item` takes it."""
        parts = [self.check, self.model, f"{self.precision}-{self.typing}", self.variant]
        parts += [self.builder, self.runtime, *filter(None, (self.point, self.damage))]
        return "/".join(parts)

    @property
    def build_id(self) -> str:
        """The id of the build that this item's engine comes from."""
        return replace(
            self,
            check="build",
            phase="build",
            runtime=self.builder,
            point=None,
            batch=None,
            expectation=None,
            damage=None,
        ).id

    def as_dict(self) -> dict[str, Any]:
        """Return the item as it stands in ``plan.json``."""
        return {"id": self.id, **asdict(self)}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do. `golden` and `machine` are known once a run has started.

    `code`: what each upgrade breaks in the user's code (``compat.api.moves``).
    """

    config: Mapping[str, str]
    quick: bool
    targets: tuple[Mapping[str, Any], ...]
    models: tuple[Mapping[str, Any], ...]
    upgrades: tuple[Mapping[str, str], ...]
    limits: Mapping[str, Any]
    gate: Mapping[str, Any]
    items: tuple[Item, ...]
    golden: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    code: tuple[Mapping[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as it stands in ``plan.json``."""
        raw = {name: getattr(self, name) for name in self.__slots__ if name != "items"}
        raw["items"] = [item.as_dict() for item in self.items]
        return {"schema": 1, "created": datetime.now(UTC).isoformat(timespec="seconds"), **raw}

    def text(self) -> str:
        """Return ``plan.json``."""
        return as_text(self.as_dict())


def as_text(plan: Mapping[str, Any]) -> str:
    """Return ``plan.json``: an item a line, so that thousands of items stay below a megabyte."""
    entries = []
    for name, value in plan.items():
        text = _line(value)
        if name == "items":
            text = "[\n" + ",\n".join(map(_line, value)) + "\n]"
        entries.append(f"{_line(name)}:{text}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, default=list, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Selection:
    """What the command line narrows the matrix to; empty means all.

    `items` are those to run again: the plan and its report stay whole.
    """

    targets: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()
    items: tuple[str, ...] = ()


class SelectionError(UserError):
    """The command line names something that the configuration does not hold."""


def plan(config: Config, *, source: Mapping[str, str], quick: bool, selection: Selection) -> Plan:
    """Lay out every check of every cell.

    Args:
        config: a checked configuration.
        source: path and SHA-256 of its file.
        quick: small models; latency is measured but not judged.
        selection: the part of the matrix to keep.

    Raises:
        SelectionError: the selection names an unknown target, model, precision or item.
    """
    config = _narrow(config, selection)
    items = tuple(_items(config))
    unknown = [name for name in selection.items if name not in {item.id for item in items}]
    if unknown:
        raise SelectionError(
            f"unknown item {', '.join(map(repr, unknown))}; `trt-compat plan` lists every item"
        )
    return Plan(
        config=source,
        quick=quick,
        targets=tuple(_target(config, name) for name in config.targets),
        models=tuple(
            {
                "name": name,
                "source": model.source,
                "axes": {axis: list(bounds) for axis, bounds in model.axes.items()},
                "precisions": list(model.precisions or config.precisions),
            }
            for name, model in config.models.items()
        ),
        upgrades=tuple(_upgrades(config.targets)),
        limits=_limits(config),
        gate={
            "inconclusive": config.gate.inconclusive,
            "not-run": config.gate.not_run,
            "judge-latency": not quick,
        },
        items=items,
    )


def _target(config: Config, name: str) -> dict[str, Any]:
    """Return a target as it stands in ``plan.json``; `build` holds what is not TensorRT's own."""
    kept, target = ("flavour", "version", "provider", "role"), config.targets[name]
    found: dict[str, Any] = {"name": name, **{key: str(getattr(target, key)) for key in kept}}
    if not target.cross:
        found["cross"] = False
    if target.flavour in REBUILDERS:
        settings = config.build_of(name)
        found["build"] = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return found


def _narrow(config: Config, selection: Selection) -> Config:
    """Keep the selected targets, models and precisions."""
    _known("target", selection.targets, config.targets)
    _known("model", selection.models, config.models)
    used: set[str] = {
        p for model in config.models.values() for p in model.precisions or config.precisions
    }
    _known("precision", selection.precisions, used)

    def wanted(name: str, chosen: Sequence[str]) -> bool:
        return not chosen or name in chosen

    models = {
        name: model.model_copy(
            update={
                "precisions": [
                    precision
                    for precision in model.precisions or config.precisions
                    if wanted(precision, selection.precisions)
                ]
            }
        )
        for name, model in config.models.items()
        if wanted(name, selection.models)
    }
    targets = {n: t for n, t in config.targets.items() if wanted(n, selection.targets)}
    return config.model_copy(update={"targets": targets, "models": models})


def known_targets(config: Config, names: Sequence[str]) -> list[str]:
    """Return the targets of these names, or all, as configured. Raises SelectionError."""
    _known("target", names, config.targets)
    return [name for name in config.targets if not names or name in names]


def _known(what: str, names: Sequence[str], known: Mapping[str, Any] | set[str]) -> None:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SelectionError(
            f"unknown {what} {', '.join(map(repr, unknown))}; "
            f"the configuration has {', '.join(known)}"
        )


def _items(config: Config) -> Iterator[Item]:
    """Yield every item; what concerns one engine stands side by side.

    Damaged engines come last: what they do to a process can then harm no other check.
    """
    for builder, target in config.targets.items():
        if target.flavour not in BUILDERS:
            continue
        for model, settings in config.models.items():
            if target.models is not None and model not in target.models:
                continue
            for precision in _precisions(config, settings, target):
                for typing in typings(target, precision):
                    for variant in config.variants_of(target):
                        cell = Item(
                            "build", "build", model, precision, typing, variant, builder, builder
                        )
                        yield from _items_of_engine(config, cell)
    for builder in config.targets if config.damage else ():
        yield from _damaged(config, builder)


def _damaged(config: Config, builder: str) -> Iterator[Item]:
    """Yield the checks of a builder's first engine damaged in each way, in its own runtime.

    It is the plain engine where the target builds one. A version-compatible engine is also given
    to the runtime whole, without the permission to run the host code that it carries.
    """
    target = config.targets[builder]
    if target.flavour not in DAMAGED or not target.cross:
        return
    for model, settings in config.models.items():
        if target.models is not None and model not in target.models:
            continue
        for precision in _precisions(config, settings, target)[:1]:
            typing = typings(target, precision)[0]
            variants = config.variants_of(target)
            first = "plain" if "plain" in variants else variants[0]
            cell = Item("damaged", "check", model, precision, typing, first, builder, builder)
            if target.flavour == "tensorrt" and "vc" in variants:
                release = target.version
                denied = expect("tensorrt", release, release, variant="vc", host_code=False)
                vc = replace(cell, variant="vc", expectation=denied.as_dict())
                yield replace(vc, damage="host-code-denied")
            for damage in DAMAGES:
                yield replace(cell, damage=damage)
            return


def _precisions(config: Config, model: ModelConfig, target: TargetConfig) -> list[str]:
    """Return the precisions of a model, narrowed to those that its builder is asked for."""
    wanted = model.precisions or config.precisions
    return [name for name in wanted if target.precisions is None or name in target.precisions]


def _items_of_engine(config: Config, build: Item) -> Iterator[Item]:
    """Yield an engine's build, its rebuild, and its checks in every runtime of its flavour."""
    target = config.targets[build.builder]
    yield build
    if config.rebuild and target.flavour in REBUILDERS:
        yield replace(build, check="rebuild")
    for runtime, other in config.targets.items():
        if other.flavour not in FAMILIES[target.flavour]:
            continue
        if runtime != build.builder and not (target.cross and other.cross):
            continue
        expected = expect(
            target.flavour,
            target.version,
            other.version,
            runtime_flavour=other.flavour,
            variant=build.variant,
        )
        load = replace(build, check="load", phase="check", runtime=runtime)
        yield replace(load, expectation=expected.as_dict())
        if expected.outcome == "must-refuse":
            continue
        for point in POINTS:
            yield replace(load, check="accuracy", **_at(config, build.model, point))
        if config.models[build.model].labels:
            yield replace(load, check="top1")
        for way, point in _crosschecks(config, load):
            yield replace(load, check=f"trtexec_{way}", **_at(config, build.model, point))
        for point in config.bench.points if _is_timed(config, build.builder, runtime) else ():
            at = _at(config, build.model, point)
            yield replace(load, check="latency", phase="bench", **at)


def _at(config: Config, model: str, point: str) -> dict[str, Any]:
    batch = config.models[model].axes.get("batch")
    return {"point": point, "batch": batch[POINTS.index(point)] if batch else None}


def _is_timed(config: Config, builder: str, runtime: str) -> bool:
    """Tell whether a pair answers an upgrade's question: rebuilt, or the old engine kept."""
    roles = (config.targets[builder].role, config.targets[runtime].role)
    return builder == runtime or roles == ("current", "candidate")


def _crosschecks(config: Config, load: Item) -> Iterator[tuple[str, str]]:
    """Yield what trtexec is asked, too, and where: full TensorRT's plain engines, at home."""
    flavour = config.targets[load.builder].flavour
    if flavour == "tensorrt" and load.variant == "plain" and load.builder == load.runtime:
        yield from product(config.bench.trtexec, config.bench.points)


def _upgrades(targets: Mapping[str, TargetConfig]) -> Iterator[dict[str, str]]:
    for name, target in targets.items():
        for other, candidate in targets.items():
            if (target.role, candidate.role) == ("current", "candidate") and (
                target.flavour == candidate.flavour
            ):
                yield {"from": name, "to": other}


def _limits(config: Config) -> dict[str, Any]:
    accuracy = {
        name: {
            precision: model.accuracy.get(precision, AccuracyLimits()).over(
                config.limits.accuracy.get(precision, AccuracyLimits())
            )
            for precision in model.precisions or config.precisions
        }
        for name, model in config.models.items()
    }
    return {
        "latency": config.limits.latency,
        "max-cv": {"gpu": config.limits.max_cv.gpu, "host": config.limits.max_cv.host},
        "accuracy": accuracy,
    }
