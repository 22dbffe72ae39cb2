"""Photographs, token ids, noise, folders and arrays as inputs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compat.models import ModelError, ModelSpec, TensorInfo, inputs, prepare
from compat.models.builtins import ImageRecipe, TextRecipe
from compat.models.inputs import input_source
from compat.models.photographs import PHOTOGRAPHS, image_batch, photograph_files, preprocess

RECIPE = ImageRecipe((32, 32), 36, "crop", "bilinear", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
IMAGE = (TensorInfo("x", "float32", ("batch", 3, 32, 32)),)
IDS = (TensorInfo("ids", "int64", ("batch", 77)),)


def test_photographs_are_known_by_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibration table of another machine is found by them; a wheel unpacks with other times."""
    here = input_source("m", "photographs", IMAGE, RECIPE).identity
    copies = tuple(Path(shutil.copy(file, tmp_path)) for file in photograph_files())
    monkeypatch.setattr(inputs, "photograph_files", lambda: copies)
    assert input_source("m", "photographs", IMAGE, RECIPE).identity == here

    copies[0].write_bytes(copies[0].read_bytes() + b" ")
    assert input_source("m", "photographs", IMAGE, RECIPE).identity != here


def test_the_installed_scikit_image_has_every_photograph() -> None:
    assert tuple(f.name for f in photograph_files()) == PHOTOGRAPHS


def test_preprocessing_crops_the_centre_and_normalises() -> None:
    picture = Image.new("RGB", (100, 50), (255, 0, 0))
    picture.paste((0, 255, 0), (0, 0, 10, 50))
    pixels = preprocess(picture, RECIPE)
    assert pixels.shape == (3, 32, 32)
    assert pixels.dtype == np.float32
    assert (pixels[0] == 2.0).all()
    assert (pixels[1] == -2.0).all()


def test_squashing_keeps_the_borders() -> None:
    picture = Image.new("RGB", (100, 50), (255, 0, 0))
    picture.paste((0, 255, 0), (0, 0, 10, 50))
    recipe = ImageRecipe((32, 32), 32, "squash", "bicubic", RECIPE.mean, RECIPE.std)
    pixels = preprocess(picture, recipe)
    assert (pixels[1, :, 0] > 1.0).all()


def test_every_image_of_a_large_batch_differs_and_is_repeatable() -> None:
    files = photograph_files()[:3]
    images = image_batch(files, 10, RECIPE)
    assert len({image.tobytes() for image in images}) == 10
    assert (images == image_batch(files, 10, RECIPE)).all()
    assert (image_batch(files, 3, RECIPE, seed=1) != images[:3]).any()


def test_calibration_images_are_not_the_measured_ones() -> None:
    source = input_source("m", "photographs", IMAGE, RECIPE)
    measured = {i.tobytes() for i in source.feed({"batch": 16})["x"]}
    feeds = source.calibration({"batch": 8}, 16)
    calibrated = {i.tobytes() for feed in feeds for i in feed["x"]}
    assert len(feeds) == 2
    assert len(calibrated) == 16
    assert not measured & calibrated


def test_token_ids_have_start_end_padding_and_varying_length() -> None:
    source = input_source("m", "text", IDS, TextRecipe(77, 49406, 49407))
    ids = source.feed({"batch": 16})["ids"]
    assert ids.dtype == np.int64
    assert (ids[:, 0] == 49406).all()
    assert (ids[:, -1] == 49407).all()
    ends = ids.argmax(axis=1)
    assert len(set(ends.tolist())) > 5
    for row, end in zip(ids, ends, strict=True):
        assert (row[1:end] < 49406).all()
        assert (row[end:] == 49407).all()


def test_noise_follows_the_types() -> None:
    tensors = (
        TensorInfo("f", "float16", ("n", 4)),
        TensorInfo("i", "int32", ("n",)),
        TensorInfo("b", "bool", ("n", 2)),
        TensorInfo("s", "int64", ()),
    )
    feed = input_source("m", "noise", tensors, None).feed({"n": 3})
    assert {k: (str(v.dtype), v.shape) for k, v in feed.items()} == {
        "f": ("float16", (3, 4)),
        "i": ("int32", (3,)),
        "b": ("bool", (3, 2)),
        "s": ("int64", ()),
    }
    assert set(np.unique(feed["i"])) <= {0, 1}


def test_strings_cannot_be_noise() -> None:
    with pytest.raises(ModelError, match=r"\.npz"):
        input_source("m", "noise", (TensorInfo("s", "object", ("n",)),), None)


@pytest.mark.parametrize(
    ("words", "tensors", "reason"),
    [
        ("photographs", IDS, "inputs-not-images"),
        ("text", IMAGE, "inputs-not-text"),
        ("no/such/folder", IMAGE, "inputs-missing"),
    ],
)
def test_inputs_that_do_not_fit(words: str, tensors: tuple[TensorInfo, ...], reason: str) -> None:
    with pytest.raises(ModelError) as caught:
        input_source("m", words, tensors, None)
    assert caught.value.reason == reason


def test_a_users_image_and_text_models_need_no_recipe() -> None:
    feed = input_source("m", "photographs", IMAGE, None).feed({"batch": 2})
    assert feed["x"].shape == (2, 3, 32, 32)
    assert input_source("m", "text", IDS, None).feed({"batch": 2})["ids"].shape == (2, 77)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures and a file that is none of ours."""
    target = tmp_path / "images"
    target.mkdir()
    Image.new("L", (40, 60), 90).save(target / "grey.png")
    Image.new("RGB", (60, 40), (1, 2, 3)).save(target / "colour.jpg")
    (target / "notes.txt").write_text("not an image, and not named as one")
    return target


def test_a_folder_of_images(folder: Path) -> None:
    feed = input_source("m", str(folder), IMAGE, RECIPE).feed({"batch": 3})
    assert feed["x"].shape == (3, 3, 32, 32)


def test_a_file_that_is_no_image_is_named(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"not a png")
    source = input_source("m", str(folder), IMAGE, RECIPE)
    with pytest.raises(ModelError, match=r"broken\.png") as caught:
        source.feed({"batch": 3})
    assert caught.value.reason == "not-an-image"


def test_a_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no image in this folder"):
        input_source("m", str(tmp_path), IMAGE, RECIPE)


def save(path: Path, **arrays: np.ndarray) -> str:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return str(path)


def test_arrays_are_cut_to_the_profile(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((20, 3, 32, 32)).astype(np.float32)
    source = input_source("m", save(tmp_path / "a.npz", x=x), IMAGE, RECIPE)
    assert (source.feed({"batch": 8})["x"] == x[:8]).all()
    second = source.calibration({"batch": 8}, 32)[1]
    assert (second["x"] == x[8:16]).all()


@pytest.mark.parametrize(
    ("name", "dtype", "shape", "reason"),
    [
        ("y", "float32", (16, 3, 32, 32), "npz-name"),
        ("x", "float64", (16, 3, 32, 32), "npz-dtype"),
        ("x", "float32", (4, 3, 32, 32), "npz-shape"),
        ("x", "float32", (16, 3, 31, 32), "npz-shape"),
        ("x", "float32", (16, 32), "npz-shape"),
    ],
)
def test_arrays_that_do_not_fit_the_model(
    tmp_path: Path, name: str, dtype: str, shape: tuple[int, ...], reason: str
) -> None:
    words = save(tmp_path / "a.npz", **{name: np.zeros(shape, dtype)})
    with pytest.raises(ModelError) as caught:
        input_source("m", words, IMAGE, None).feed({"batch": 8})
    assert caught.value.reason == reason
    assert "a.npz" in str(caught.value)


def test_a_broken_npz(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(ModelError) as caught:
        input_source("m", str(tmp_path / "a.npz"), IMAGE, None).feed({"batch": 8})
    assert caught.value.reason == "npz-broken"


def test_changed_images_make_new_feeds(
    tmp_path: Path, folder: Path, write_conv: Callable[..., Path]
) -> None:
    spec = ModelSpec("user", str(write_conv()), precisions=("int8",), inputs=str(folder))
    first = prepare(spec, tmp_path / "work")
    assert first.typed[0].status == "ok"
    assert prepare(spec, tmp_path / "work").cached
    Image.new("RGB", (60, 40), (200, 2, 3)).save(folder / "colour.jpg")
    assert prepare(spec, tmp_path / "work").feeds != first.feeds
