"""The maintenance command that writes wheels.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from compat.targets import catalogue, refresh

_LOCK = """
lock-version = "1.0"
[[packages]]
name = "demo"
wheels = [
  {url = "x://h/demo-1.0-cp311-cp311-manylinux_2_28_x86_64.whl", hashes = {sha256 = "aa"}},
  {url = "x://h/demo-1.0-cp311-cp311-manylinux_2_28_aarch64.whl", hashes = {sha256 = "bb"}},
  {url = "x://h/demo-1.0-cp312-cp312-manylinux_2_28_x86_64.whl", hashes = {sha256 = "cc"}},
  {url = "x://h/demo-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", hashes = {sha256 = "dd"}},
  {url = "x://h/demo-1.0-cp311-cp311t-manylinux_2_28_x86_64.whl", hashes = {sha256 = "ee"}},
  {url = "x://h/demo-1.0-cp311-cp311-win_amd64.whl", hashes = {sha256 = "ff"}},
]
"""


def test_wheels_of() -> None:
    """Only glibc Linux wheels of the Pythons in use are recorded, free-threaded ones not."""
    assert refresh.wheels_of(_LOCK, ["3.10", "3.11"]) == {
        "cp311-cp311-manylinux_2_28_x86_64": "aa",
        "cp311-cp311-manylinux_2_28_aarch64": "bb",
    }


def test_render_is_toml() -> None:
    """What is written reads back as it was, and has no address in it."""
    wheels = {"b==2": {"py3-none-any": "22"}, "a==1": {"cp38-x.y-z": "11"}}

    text = refresh.render(wheels)

    assert tomllib.loads(text) == wheels
    assert "://" not in text


@pytest.mark.network
def test_main_agrees_with_the_file(tmp_path: Path) -> None:
    """A refresh of one pin finds the digests that are recorded."""
    pin = "pytest==9.2.0"
    out = tmp_path / "wheels.toml"

    assert refresh.main([pin, "--file", str(out)]) == 0

    assert tomllib.loads(out.read_text()) == {pin: catalogue().wheels[pin]}
