"""Wheels that are here already are used only if the catalogue knows their digests."""

from __future__ import annotations

import hashlib
import platform
import time
import zipfile
from pathlib import Path

import pytest

from compat.bundle import wheels
from compat.bundle.parts import BundleError
from compat.bundle.thin import thinned
from compat.targets import TargetSpec
from compat.targets.catalogue import Recipe
from compat.targets.uv import Uv

NAME = f"my_pkg-1.0-cp310-cp310-manylinux_2_17_{platform.machine()}.whl"


@pytest.fixture
def uv(tmp_path: Path) -> Uv:
    """No uv at all: whatever has to be fetched cannot be had."""
    spec = TargetSpec("mine", "tensorrt", "8.6.0", "wheel", "other")
    return Uv(spec, Path("/bin/false"), tmp_path / "log", time.monotonic() + 30, lambda _: None)


def _recipe(content: bytes) -> Recipe:
    digest = hashlib.sha256(content).hexdigest()
    return Recipe(("my-pkg==1.0",), {"my-pkg==1.0": (digest,)}, resolve=False)


def test_a_wheel_with_the_right_digest_is_not_fetched_again(uv: Uv, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"good")

    assert wheels.fetch(uv, _recipe(b"good"), "3.10", tmp_path) == [tmp_path / NAME]


def test_a_wheel_with_another_digest_is_not_used(uv: Uv, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"damaged")

    with pytest.raises(BundleError, match="my-pkg"):
        wheels.fetch(uv, _recipe(b"good"), "3.10", tmp_path)

    assert not (tmp_path / NAME).exists()


def test_a_wheel_of_another_python_is_not_taken_for_this_one(uv: Uv, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"good")

    with pytest.raises(BundleError):
        wheels.fetch(uv, _recipe(b"good"), "3.11", tmp_path)


def test_a_wheel_without_what_nothing_opens(tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("lib/libcudnn.so.8", "lib/libcudnn_cnn.so.8", "my_pkg-1.0.dist-info/METADATA"):
            archive.writestr(name, name)

    thin, left = thinned(wheel, ["lib/libcudnn_*"], tmp_path / "thin")

    assert left == ["lib/libcudnn_cnn.so.8"]
    assert thin.name == wheel.name
    with zipfile.ZipFile(thin) as archive:
        assert archive.namelist() == ["lib/libcudnn.so.8", "my_pkg-1.0.dist-info/METADATA"]
        assert archive.testzip() is None


def test_a_wheel_that_holds_no_such_file_stays_as_it_is(tmp_path: Path) -> None:
    wheel = tmp_path / NAME
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("lib/libcudnn.so.8", "shim")

    assert thinned(wheel, ["lib/libcudnn_*"], tmp_path / "thin") == (wheel, [])
