"""From the keys of ``compat.toml`` to what the models and targets parts take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from compat.config import Config, ModelConfig, TargetConfig
from compat.config.load import local_source
from compat.models import ModelError, ModelSpec, describe
from compat.targets import Image, TargetSpec
from compat.typings import onnx_opset, onnx_precision, typings

_BUILTIN_AXES = {"batch": (1, 8, 16)}
_WORDS = ("", "photographs", "text", "noise", "labelled", "training")
QUICK_LABELS = 500


def resolve_axes(config: Config, folder: Path) -> Config:
    """Give every model its profile: the one written, else the one its graph proposes.

    Raises:
        ModelError: a user's ONNX file cannot be read, or a dynamic axis has no safe proposal.
    """
    resolved = {}
    for name, model in config.models.items():
        axes = {**_proposed_axes(name, model, local_source(model, folder)), **model.axes}
        resolved[name] = model.model_copy(update={"axes": axes})
    return config.model_copy(update={"models": resolved})


def _proposed_axes(
    name: str, model: ModelConfig, path: Path | None
) -> Mapping[str, tuple[int, int, int]]:
    """Return what a model's own graph proposes; nothing is known of a hub's file yet."""
    if path is None:
        return _BUILTIN_AXES if model.source.startswith("builtin:") else {}
    found = describe(path)
    lacking = [axis for axis in found.missing if axis not in model.axes]
    if lacking:
        lines = "\n".join(f"{axis} = [min, opt, max]" for axis in lacking)
        raise ModelError(
            "axis-missing",
            f"{path}: dynamic axes without a range; write into the configuration:\n"
            f"[models.{name}.axes]\n{lines}",
        )
    return found.axes


def model_specs(
    config: Config, names: Sequence[str], folder: Path, *, quick: bool
) -> list[ModelSpec]:
    """Return what to prepare for each named model."""
    return [_spec(name, config.models[name], config, folder, quick) for name in names]


def _spec(name: str, model: ModelConfig, config: Config, folder: Path, quick: bool) -> ModelSpec:
    path = local_source(model, folder)
    precisions = model.precisions or config.precisions
    return ModelSpec(
        name=name,
        source=str(path) if path is not None else model.source,
        size="quick" if quick else "full",
        axes=dict(model.axes),
        precisions=_onnx_precisions(config, model),
        inputs=_inputs(model.inputs or "", folder),
        calibration=_inputs(model.calibration or model.inputs or "", folder),
        fp32_nodes=tuple(model.fp32_nodes),
        low_precision_nodes=tuple(model.low_precision_nodes),
        labels=_labels(model.labels, folder),
        labels_limit=_labels_limit(model.labels_limit, quick),
        calibrated="int8-calibrated" in precisions,
    )


def _onnx_precisions(config: Config, model: ModelConfig) -> tuple[str, ...]:
    """Return the typed graphs that any target of the matrix builds from."""
    needed = {
        onnx_precision(target, precision, typing)
        for precision in model.precisions or config.precisions
        for target in config.targets.values()
        for typing in typings(target, precision)
    }
    return tuple(sorted(needed))


def opsets(config: Config) -> tuple[int, ...]:
    """Return the opsets that the matrix's targets take, the newest first."""
    return tuple(sorted({onnx_opset(t) for t in config.targets.values()}, reverse=True))


def _inputs(value: str, folder: Path) -> str:
    """Return a vocabulary word as it is, a path relative to the configuration's folder."""
    return value if value in _WORDS else str(folder / value)


def _labels(value: str | None, folder: Path) -> str:
    return str(folder / value) if value and value != "builtin" else value or ""


def _labels_limit(limit: int | None, quick: bool) -> int | None:
    return min(limit or QUICK_LABELS, QUICK_LABELS) if quick else limit


def target_spec(name: str, config: Config, folder: Path, *, offline: bool) -> TargetSpec:
    """Return what to provide for a target; its paths are relative to the configuration's folder."""
    target = config.targets[name]
    python = target.python
    if target.provider == "local" and python is not None and "/" in python:
        python = str(folder / Path(python).expanduser())
    return TargetSpec(
        name=name,
        flavour=target.flavour,
        version=target.version,
        provider=target.provider,
        role=target.role,
        python=python,
        cuda=target.cuda,
        index=target.index,
        find_links=tuple(folder / path.expanduser() for path in target.find_links),
        offline=offline,
        image=_image(target, config),
    )


def _image(target: TargetConfig, config: Config) -> Image | None:
    if target.image is None:
        return None
    ways = config.containers
    return Image(
        name=target.image,
        digest=target.digest,
        engine=ways.engine,
        gpus=ways.gpus,
        memory=ways.memory,
        shm_size=ways.shm_size,
        pull=ways.pull,
    )
