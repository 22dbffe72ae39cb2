"""From the keys of ``compat.toml`` to what the models and targets parts take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from compat.config import Config, ModelConfig, TargetConfig
from compat.config.load import local_source
from compat.models import ModelSpec, describe
from compat.targets import TargetSpec

_BUILTIN_AXES = {"batch": (1, 8, 16)}
_BUILTIN_INPUTS = {"builtin:clip-vit-b32-text": "text"}


class _Offline(Protocol):
    @property
    def offline(self) -> bool: ...


def resolve_axes(config: Config, folder: Path) -> Config:
    """Give every model its profile: the one written, else the one its graph proposes.

    Raises:
        ModelError: a user's ONNX file cannot be read, or a dynamic axis has no safe proposal.
    """
    resolved = {}
    for name, model in config.models.items():
        path = local_source(model, folder)
        proposed = describe(path).axes if path is not None else _BUILTIN_AXES
        axes = {**proposed, **model.axes}
        resolved[name] = model.model_copy(update={"axes": axes})
    return config.model_copy(update={"models": resolved})


def model_specs(
    config: Config, names: Sequence[str], folder: Path, *, quick: bool
) -> list[ModelSpec]:
    """Return what to prepare for each named model."""
    return [_spec(name, config.models[name], config, folder, quick) for name in names]


def _spec(name: str, model: ModelConfig, config: Config, folder: Path, quick: bool) -> ModelSpec:
    path = local_source(model, folder)
    builtin = _BUILTIN_INPUTS.get(model.source, "photographs")
    default = "noise" if path is not None else builtin
    return ModelSpec(
        name=name,
        source=str(path) if path is not None else model.source,
        size="quick" if quick else "full",
        axes=dict(model.axes),
        precisions=tuple(model.precisions or config.precisions),
        inputs=_inputs(model.inputs or default, folder),
        calibration=_inputs(model.calibration or model.inputs or default, folder),
        fp32_nodes=tuple(model.fp32_nodes),
    )


def _inputs(value: str, folder: Path) -> str:
    """Return a vocabulary word as it is, a path relative to the configuration's folder."""
    return value if value in ("photographs", "text", "noise") else str(folder / value)


def target_spec(name: str, target: TargetConfig, options: _Offline) -> TargetSpec:
    """Return what to provide for a target."""
    return TargetSpec(
        name=name,
        flavour=target.flavour,
        version=target.version,
        provider=target.provider,
        role=target.role,
        python=target.python,
        cuda=target.cuda,
        index=target.index,
        find_links=tuple(target.find_links),
        offline=options.offline,
    )
