"""Feeds of a model: photographs, token ids, noise, the user's images or arrays."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compat.models.builtins import ImageRecipe, TextRecipe
from compat.models.errors import ModelError
from compat.models.photographs import folder_files, image_batch, photograph_files
from compat.models.spec import TensorInfo

__all__ = ["Feed", "InputSource", "input_source", "load_npz"]

Array = NDArray[np.generic]
Feed = dict[str, Array]

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)
# Ids of the published CLIP tokenizer, for a user's text model without a recipe of its own.
_MOST_ITEMS = 256
_IMAGE_NUMBERS = 3 * 224 * 224
_CLIP_START, _CLIP_END = 49406, 49407


@dataclass(frozen=True, slots=True)
class InputSource:
    """A named, repeatable set of inputs for one model.

    `identity` goes into cache keys, `text` into the manifest.
    """

    kind: str
    identity: str
    text: str
    tensors: tuple[TensorInfo, ...]
    recipe: ImageRecipe | TextRecipe | None
    files: tuple[Path, ...] = ()

    def feed(self, sizes: Mapping[str, int]) -> Feed:
        """Inputs at one point of the profile; a smaller batch is the front of a larger one."""
        return self._make(sizes, None)

    def calibration(self, sizes: Mapping[str, int], items: int) -> list[Feed]:
        """Several feeds of the given shape, at least `items` items where the source has them."""
        batch = max(1, self._batch(sizes))
        rounds = -(-items // batch)
        if self.kind == "npz":
            return list(self._npz_chunks(sizes, rounds))
        return [self._make(sizes, seed) for seed in range(1, rounds + 1)]

    def items(self, usual: int) -> int:
        """How many items to calibrate on: arrays of small images are taken by the hundred.

        The quantizer keeps the activations of all of them, so the bound is on their numbers.
        """
        if self.kind != "npz":
            return usual
        each = max(1, math.prod(d for d in self.tensors[0].shape[1:] if isinstance(d, int)))
        return max(usual, min(_MOST_ITEMS, usual * _IMAGE_NUMBERS // each))

    def _batch(self, sizes: Mapping[str, int]) -> int:
        shape = _shape(self.tensors[0], sizes)
        return shape[0] if shape else 1

    def _make(self, sizes: Mapping[str, int], seed: int | None) -> Feed:
        if self.kind == "npz":
            return _cut(self._arrays(), self.tensors, sizes, 0, self.files[0])
        if self.kind == "images":
            return self._images(sizes, seed)
        if self.kind == "text":
            return self._text(sizes, seed)
        return {t.name: _noise(t, _shape(t, sizes), seed) for t in self.tensors}

    def _images(self, sizes: Mapping[str, int], seed: int | None) -> Feed:
        (tensor,) = self.tensors
        count, _, height, width = _shape(tensor, sizes)
        recipe = self.recipe
        if not isinstance(recipe, ImageRecipe):
            short = min(height, width) * 256 // 224
            edge = (height, width)
            recipe = ImageRecipe(edge, short, "crop", "bilinear", _IMAGENET_MEAN, _IMAGENET_STD)
        return {tensor.name: image_batch(self.files, count, recipe, seed).astype(tensor.dtype)}

    def _text(self, sizes: Mapping[str, int], seed: int | None) -> Feed:
        (tensor,) = self.tensors
        count, tokens = _shape(tensor, sizes)
        recipe = self.recipe
        if not isinstance(recipe, TextRecipe):
            recipe = TextRecipe(tokens, _CLIP_START, _CLIP_END)
        rows = [_sentence(recipe, tokens, f"{seed or 0}/{i}") for i in range(count)]
        return {tensor.name: np.stack(rows).astype(tensor.dtype)}

    def _arrays(self) -> Feed:
        arrays = load_npz(self.files[0])
        divisor = arrays.pop("divisor", None)  # whole numbers: see compat.models.labelled
        if divisor is None:
            return arrays
        return {t.name: _divided(arrays[t.name], divisor) for t in self.tensors}

    def _npz_chunks(self, sizes: Mapping[str, int], rounds: int) -> Iterator[Feed]:
        arrays = self._arrays()
        batch = max(1, self._batch(sizes))
        available = max(1, min(len(a) if a.ndim else 1 for a in arrays.values()) // batch)
        for index in range(min(rounds, available)):
            yield _cut(arrays, self.tensors, sizes, index * batch, self.files[0])


def input_source(
    name: str,
    words: str,
    tensors: tuple[TensorInfo, ...],
    recipe: ImageRecipe | TextRecipe | None,
) -> InputSource:
    """Understand `inputs` or `calibration` of compat.toml for a model with these inputs."""
    if words == "noise":
        _check_numeric(name, tensors)
        text = "seeded noise: N(0, 1) for floats, 0 or 1 for integers"
        return InputSource("noise", "noise-1", text, tensors, None)
    if words == "photographs":
        _check_image_input(name, words, tensors)
        files = photograph_files()
        text = f"{len(files)} pictures of scikit-image: " + ", ".join(f.name for f in files)
        return InputSource("images", _contents(files), text, tensors, recipe, files)
    if words in {"labelled", "training"}:
        raise ModelError(
            "no-dataset",
            f"model {name!r}: {words!r} is a set of images that this source does not have.",
        )
    if words == "text":
        _check_text_input(name, tensors)
        text = "seeded token ids (start, body of 4 to 70 ids, end, padding); no tokenizer is used"
        return InputSource("text", "text-1", text, tensors, recipe)
    return _from_path(name, words, tensors, recipe)


def _from_path(
    name: str,
    words: str,
    tensors: tuple[TensorInfo, ...],
    recipe: ImageRecipe | TextRecipe | None,
) -> InputSource:
    path = Path(words).expanduser()
    if path.is_dir():
        _check_image_input(name, words, tensors)
        files = folder_files(path)
        text = f"{len(files)} images of the folder {path}"
        return InputSource("images", _identity(files), text, tensors, recipe, files)
    if path.suffix == ".npz" and path.is_file():
        text = f"arrays of {path}"
        return InputSource("npz", _identity((path,)), text, tensors, None, (path,))
    raise ModelError(
        "inputs-missing",
        f"model {name!r}: inputs {words!r} is none of 'photographs', 'text', 'noise', and no "
        "folder of images or .npz file of that name exists.",
    )


def _identity(files: Sequence[Path]) -> str:
    """Changes when a file is replaced; contents are not read."""
    stamps = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(repr(stamps).encode()).hexdigest()


def _contents(files: Sequence[Path]) -> str:
    """Changes with what is in a file: an unpacked wheel has other times on every machine."""
    found = [(f.name, hashlib.sha256(f.read_bytes()).hexdigest()) for f in files]
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _shape(tensor: TensorInfo, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sizes[d] if isinstance(d, str) else d for d in tensor.shape)


def _rng(key: str) -> np.random.Generator:
    digest = hashlib.sha256(key.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def _noise(tensor: TensorInfo, shape: tuple[int, ...], seed: int | None) -> Array:
    rng = _rng(f"{seed or 0}/{tensor.name}")
    dtype = np.dtype(tensor.dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape, dtype=np.float32).astype(dtype)
    return rng.integers(0, 2, shape).astype(dtype)


def _sentence(recipe: TextRecipe, tokens: int, key: str) -> NDArray[np.int64]:
    """start, a body of varying length, end; the rest is the end id, as CLIP's tokenizer pads."""
    rng = _rng(key)
    row = np.full(tokens, recipe.end, np.int64)
    length = int(rng.integers(min(4, max(1, tokens - 2)), max(2, min(71, tokens - 1))))
    row[0] = recipe.start
    row[1 : 1 + length] = rng.integers(1, recipe.start, length)[: tokens - 1]
    return row


def load_npz(path: Path) -> Feed:
    """Every array of an .npz; ModelError where it cannot be read."""
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError("npz-broken", f"{path}: is not a readable .npz file ({error}).") from None


def _divided(array: NDArray[Any], divisor: NDArray[Any]) -> Array:
    result: Array = array.astype(divisor.dtype) / divisor
    return result


def _cut(
    arrays: Feed, tensors: Sequence[TensorInfo], sizes: Mapping[str, int], start: int, path: Path
) -> Feed:
    """Check the arrays against the model and cut each dynamic axis to its size."""
    feed: Feed = {}
    for tensor in tensors:
        array = arrays.get(tensor.name)
        if array is None:
            have = ", ".join(sorted(arrays)) or "no array"
            raise ModelError("npz-name", f"{path}: has no array {tensor.name!r} (it has: {have}).")
        if str(array.dtype) != tensor.dtype:
            raise ModelError(
                "npz-dtype",
                f"{path}: {tensor.name!r} is {array.dtype}, the model reads {tensor.dtype}.",
            )
        feed[tensor.name] = _cut_one(array, tensor, sizes, start, path)
    return feed


def _cut_one(
    array: Array, tensor: TensorInfo, sizes: Mapping[str, int], start: int, path: Path
) -> Array:
    wanted = _shape(tensor, sizes)
    fits = array.ndim == len(wanted) and all(
        have >= want if isinstance(dim, str) else have == want
        for have, want, dim in zip(array.shape, wanted, tensor.shape, strict=True)
    )
    if not fits:
        raise ModelError(
            "npz-shape",
            f"{path}: {tensor.name!r} has shape {list(array.shape)}; the model reads "
            f"{list(tensor.shape)}, and the profile needs at least {list(wanted)}.",
        )
    cuts = [slice(0, n) for n in wanted]
    if cuts and isinstance(tensor.shape[0], str):
        cuts[0] = slice(start, start + wanted[0])
    return np.ascontiguousarray(array[tuple(cuts)]) if cuts else array


def _check_numeric(name: str, tensors: Sequence[TensorInfo]) -> None:
    for tensor in tensors:
        if np.dtype(tensor.dtype).kind not in "fiub":
            raise ModelError(
                "input-type",
                f"model {name!r}: input {tensor.name!r} has type {tensor.dtype}, which cannot be "
                "filled with noise; give an .npz file as `inputs`.",
            )


def _check_image_input(name: str, words: str, tensors: Sequence[TensorInfo]) -> None:
    good = len(tensors) == 1 and len(tensors[0].shape) == 4 and tensors[0].shape[1] == 3
    if not good or not tensors[0].dtype.startswith("float"):
        have = ", ".join(f"{t.name} {t.dtype}{list(t.shape)}" for t in tensors)
        raise ModelError(
            "inputs-not-images",
            f"model {name!r}: inputs = {words!r} needs one float input [batch, 3, height, width], "
            f"the model reads {have}; use 'noise' or an .npz file.",
        )


def _check_text_input(name: str, tensors: Sequence[TensorInfo]) -> None:
    good = len(tensors) == 1 and len(tensors[0].shape) == 2
    if not good or not tensors[0].dtype.startswith("int"):
        have = ", ".join(f"{t.name} {t.dtype}{list(t.shape)}" for t in tensors)
        raise ModelError(
            "inputs-not-text",
            f"model {name!r}: inputs = 'text' needs one integer input [batch, tokens], the model "
            f"reads {have}; use 'noise' or an .npz file.",
        )
