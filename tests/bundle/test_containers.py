"""A bundle carries no images: a container target stays behind, with the reason."""

from __future__ import annotations

from typing import cast

from compat.bundle import create
from compat.targets import Image, TargetSpec


def test_a_container_target_is_packed_as_unavailable() -> None:
    image = Image("nvcr.io/nvidia/tensorrt:23.08-py3")
    spec = TargetSpec("ngc", "tensorrt", "8.6.1.6", "container", "current", image=image)

    packed = create._target(cast(create._Packing, None), spec)

    message = "A bundle carries no containers."
    assert packed == {"unavailable": {"reason": "provider-not-ready", "message": message}}
