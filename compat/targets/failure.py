"""A failed step in words: what could not be had, and what the user may do about it."""

from __future__ import annotations

import re

from compat.targets import diagnosis
from compat.targets.catalogue import Recipe
from compat.targets.process import Outcome
from compat.targets.spec import Reason, Unavailable
from compat.targets.uv import Uv


def unavailable(uv: Uv, reason: Reason, message: str) -> Unavailable:
    """Return an Unavailable of this target, with its log if it has one."""
    return Unavailable(uv.target, reason, message, uv.log if uv.log.exists() else None)


def failed(uv: Uv, recipe: Recipe, outcome: Outcome) -> Unavailable:
    """Return why an installation of a recipe failed."""
    if outcome.timed_out:
        message = "The installation was still running when its time was over, and was stopped."
        return unavailable(uv, "install-failed", message)
    reason = diagnosis.reason(outcome)
    offline = uv.target.offline
    message = _TEXTS[reason].format(
        what=f"{uv.target.flavour} {uv.target.version}",
        words=diagnosis.last_words(outcome),
        pins=", ".join(recipe.pins),
        where="this target is offline" if offline else "the package index does not answer",
        work=uv.log.parent.parent,
    )
    return unavailable(uv, reason, message + _stub(outcome))


def _stub(outcome: Outcome) -> str:
    """Tell who meets TensorRT's stubs where the libraries are, as PyPI's page of tensorrt does."""
    if not re.search(r"tensorrt[a-z0-9-]*-libs\S* has no usable wheels", outcome.output):
        return ""
    return (
        ' The public index has a stub only: write index = "https://pypi.nvidia.com", which is '
        "NVIDIA's own, into the target, or give the wheels by its find-links."
    )


_TEXTS = {
    "no-network": (
        "Not all wheels are at hand, and {where} ({words}). Run once with a network, or put the "
        "wheels of {pins} and of the suite into a folder and name it in the target's find-links."
    ),
    "version-not-found": "{what} was not found as a wheel: {words}",
    "hash-mismatch": (
        "A downloaded wheel is not the one that the catalogue recorded: {words}. Do not use it; "
        "ask who runs the index or filled the wheel folder."
    ),
    "disk-full": "There is no room left ({words}). Free some, or give another folder than {work}.",
    "platform": "{what} has no wheel for this machine: {words}",
    "install-failed": "uv could not install {what}: {words}",
}
