"""The keys of container targets: what they need, what they are not, and where they go."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.config import ConfigError, load_config
from compat.settings import target_spec

_DIGEST = "sha256:" + "a" * 64
_IMAGE = 'image = "nvcr.io/nvidia/tensorrt:23.08-py3"'


def _matrix(tmp_path: Path, keys: str, more: str = "") -> Path:
    path = tmp_path / "compat.toml"
    path.write_text(
        f'[targets.ngc]\nflavour = "tensorrt"\nversion = "8.6.1.6"\n{keys}\n'
        f'[models.m]\nsource = "builtin:resnet50"\n{more}'
    )
    return path


def test_everything_reaches_the_target(tmp_path: Path) -> None:
    keys = f'provider = "container"\n{_IMAGE}\ndigest = "{_DIGEST}"\npython = "python3.8"'
    more = '[containers]\nengine = "docker"\ngpus = "cdi"\nmemory = "2GiB"\nshm-size = "1GiB"\n'
    path = _matrix(tmp_path, keys, f"{more}pull = true")

    spec = target_spec("ngc", load_config(path), tmp_path, offline=False)

    assert spec.python == "python3.8"
    image = spec.image
    assert image is not None
    assert (image.name, image.digest) == ("nvcr.io/nvidia/tensorrt:23.08-py3", _DIGEST)
    assert (image.engine, image.gpus, image.pull) == ("docker", "cdi", True)
    assert (image.memory, image.shm_size) == (2 * 2**30, 2**30)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('provider = "container"', "a container target names its image"),
        (_IMAGE, 'image and digest go with provider = "container"'),
        (f'provider = "container"\n{_IMAGE}\ndigest = "latest"', "64 hexadecimal digits"),
        ('provider = "container"\nimage = "a b"', "without spaces"),
        ('provider = "container"\nimage = "--privileged"', "registry/name:tag"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(ConfigError, match="ngc") as caught:
        load_config(_matrix(tmp_path, keys))

    assert said in str(caught.value)


def test_an_image_and_an_installation_are_named_by_all_four_parts(tmp_path: Path) -> None:
    """Their library says them; only the package index calls some wheels by three."""
    wheel = _matrix(tmp_path, "").read_text().replace("8.6.1.6", "10.4.0")
    (tmp_path / "wheel.toml").write_text(wheel)
    assert load_config(tmp_path / "wheel.toml").targets["ngc"].version == "10.4.0"

    (tmp_path / "local.toml").write_text(wheel.replace("[models", 'provider = "local"\n[models', 1))
    with pytest.raises(ConfigError, match="versions have 4 parts"):
        load_config(tmp_path / "local.toml")

    (tmp_path / "image.toml").write_text(
        wheel.replace("[models", f'provider = "container"\n{_IMAGE}\n[models', 1)
    )
    with pytest.raises(ConfigError, match="versions have 4 parts"):
        load_config(tmp_path / "image.toml")


@pytest.mark.parametrize("size", ["16GG", "a lot", "-1"])
def test_a_size_that_is_none(tmp_path: Path, size: str) -> None:
    keys = f'provider = "container"\n{_IMAGE}'
    with pytest.raises(ConfigError) as caught:
        load_config(_matrix(tmp_path, keys, f'[containers]\nmemory = "{size}"\n'))

    assert f"containers.memory: '{size}' is not a size such as" in str(caught.value)
