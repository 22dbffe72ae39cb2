"""Real pictures as model inputs: those that come with scikit-image, or a folder of the user's."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from compat.models.builtins import ImageRecipe
from compat.models.errors import ModelError
from compat.models.weights import FloatArray

__all__ = ["PHOTOGRAPHS", "folder_files", "image_batch", "photograph_files", "preprocess"]

# Pictures inside scikit-image's wheel since 0.20; the rest of skimage.data is downloaded on use.
PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "hubble_deep_field.jpg",
    "retina.jpg",
    "ihc.png",
    "camera.png",
    "coins.png",
    "moon.png",
    "brick.png",
    "grass.png",
    "gravel.png",
    "clock_motion.png",
    "cell.png",
)

_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def photograph_files() -> tuple[Path, ...]:
    """The files of scikit-image, found without importing it (and scipy with it)."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            "no-photographs",
            "inputs = 'photographs' needs the pictures of scikit-image, which is not installed; "
            "install it, or name a folder of images.",
        )
    folder = Path(spec.submodule_search_locations[0]) / "data"
    files = tuple(folder / name for name in PHOTOGRAPHS if (folder / name).is_file())
    if not files:
        raise ModelError("no-photographs", f"{folder}: holds none of scikit-image's pictures.")
    return files


def folder_files(folder: Path) -> tuple[Path, ...]:
    """Every image of a folder, by name; a file with another suffix is not looked at."""
    files = tuple(sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES))
    if not files:
        known = " ".join(sorted(_SUFFIXES))
        raise ModelError("no-images", f"{folder}: no image in this folder (looked for {known}).")
    return files


def image_batch(
    files: Sequence[Path], count: int, recipe: ImageRecipe, seed: int | None = None
) -> FloatArray:
    """`count` different images [count, 3, H, W], float32.

    The first round takes each file whole; further rounds, and every image where a seed is given,
    take a seeded crop of 60 to 95 % of the sides, mirrored half of the time.
    """
    images = [preprocess(picture, recipe) for picture in _pictures(files, count, seed)]
    return np.stack(images)


def preprocess(picture: Image.Image, recipe: ImageRecipe) -> FloatArray:
    """One RGB picture to [3, H, W], as the model's own image processor does it."""
    height, width = recipe.image
    resampling = _FILTERS[recipe.filter]
    if recipe.fit == "squash":
        picture = picture.resize((width, height), resampling)
    else:
        scale = max(
            recipe.resize / min(picture.size), width / picture.width, height / picture.height
        )
        picture = picture.resize(
            (max(width, round(picture.width * scale)), max(height, round(picture.height * scale))),
            resampling,
        )
        left, top = (picture.width - width) // 2, (picture.height - height) // 2
        picture = picture.crop((left, top, left + width, top + height))
    pixels = np.asarray(picture, dtype=np.float32) / np.float32(255)
    mean, std = np.array(recipe.mean, np.float32), np.array(recipe.std, np.float32)
    normal: FloatArray = ((pixels - mean) / std).transpose(2, 0, 1)
    return normal


def _pictures(files: Sequence[Path], count: int, seed: int | None) -> Iterator[Image.Image]:
    loaded = {path: _open(path) for path in files[:count]}
    for index in range(count):
        path = files[index % len(files)]
        if seed is None and index < len(files):
            yield loaded[path]
        else:
            yield _crop(loaded[path], f"{seed or 0}/{path.name}/{index}")


def _crop(picture: Image.Image, key: str) -> Image.Image:
    digest = hashlib.sha256(key.encode()).digest()
    rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))
    share = rng.uniform(0.6, 0.95)
    width, height = max(1, int(picture.width * share)), max(1, int(picture.height * share))
    left = int(rng.integers(0, picture.width - width + 1))
    top = int(rng.integers(0, picture.height - height + 1))
    part = picture.crop((left, top, left + width, top + height))
    return ImageOps.mirror(part) if rng.random() < 0.5 else part


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ModelError(
            "not-an-image",
            f"{path}: cannot be decoded as an image ({error}); remove it from the folder or "
            "replace it.",
        ) from None
