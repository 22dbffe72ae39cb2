"""The manifest beside an engine: what it claims, held against what the engine states.

The manifest is the one that `compat.suite.manifest` writes: ``ENGINE.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.engine.bounded import Bounded, UnreadableError
from compat.engine.plan_file import Plan, Stated
from compat.engine.prediction import VARIANTS
from compat.suite.manifest import manifest_path, sha256_of

#: A manifest is about a kilobyte.
_MAX_BYTES = 1 << 18

_CLAIM_CHARACTERS = 200
_WITH_LEAN = "vc"
_CLAIMS = ("flavour", "version", "arch", "variant", "precision", "model", "sha256", "bytes")


@dataclass(slots=True)
class Manifest:
    """A manifest, what of it was checked, and what the engine contradicts.

    `digest` is "matches", "differs", "not-checked" or "none" (it states none).
    """

    path: str
    claims: dict[str, str | int] = field(default_factory=dict)
    digest: str = "none"
    problems: list[str] = field(default_factory=list)


def read_manifest(engine: Path | str) -> Manifest | None:
    """Return the manifest beside an engine; None where there is none, or another kind of JSON."""
    path = manifest_path(str(engine))
    # Most engines in the world have none: one call of the system says so.
    if not Path(path).exists():
        return None
    found = Manifest(path)
    try:
        with Bounded(path) as source:
            if source.size > _MAX_BYTES:
                raise UnreadableError(f"is {source.size} bytes long, which no manifest is")
            claims = json.loads(source.at(0, source.size))
    except UnreadableError as error:
        found.problems.append(f"its manifest {error}")
        return found
    except (ValueError, RecursionError):
        found.problems.append("its manifest is no JSON")
        return found
    if not isinstance(claims, dict) or not {"sha256", "bytes"} & claims.keys():
        return None
    found.claims = {name: _claim(claims[name]) for name in _CLAIMS if name in claims}
    if isinstance(claims.get("sha256"), str):
        found.digest = "not-checked"
    return found


def check(manifest: Manifest, engine: Path | str, size: int, plan: Plan | None) -> None:
    """Hold the claims against the file's size and, where it is a plan, what that states."""
    claims, say = manifest.claims, manifest.problems.append
    if "bytes" in claims and claims["bytes"] != size:
        say(f"its manifest says {claims['bytes']!r} bytes, it has {size}")
    if plan is None:
        return
    flavour, version = claims.get("flavour"), claims.get("version")
    if flavour is not None and flavour != plan.flavour:
        say(f"its manifest says {flavour!r}, it is a plan of {plan.flavour}")
    elif version is not None and plan.version and not _agrees(str(version), plan.version):
        say(f"its manifest says version {version!r}, the plan {plan.version}")
    _check_build(claims, plan, say)


def _check_build(claims: dict[str, str | int], plan: Plan, say: Callable[[str], None]) -> None:
    """Hold architecture and variant against the record of the GPU and the sections."""
    arch, variant = claims.get("arch"), claims.get("variant")
    if plan.arch and isinstance(arch, str) and arch.startswith("sm_") and arch != plan.arch:
        say(f"its manifest says {arch!r}, the plan {plan.arch}")
    lean = plan.stated.get("lean_runtime")
    if lean and isinstance(variant, str) and lean_contradicts(lean, variant):
        inside = "a lean runtime inside" if lean.value == "embedded" else "no lean runtime inside"
        say(f"its manifest says variant {variant!r}, the plan has {inside}")
    level = plan.device.get("hardware_compatibility")
    if level and variant is not None:
        claimed = "ampere-plus" if variant == "hc-ampere-plus" else "none"
        if level.value in ("none", "ampere-plus") and level.value != claimed:
            say(f"its manifest says variant {variant!r}, the plan hardware level {level.value}")


def lean_contradicts(lean: Stated, variant: str) -> bool:
    """Tell whether a plan with, or without, a lean runtime cannot be of a variant.

    That one is missing is believed of releases whose plans were seen with one.
    """
    if lean.value == "embedded":
        return variant in VARIANTS and variant != _WITH_LEAN
    return variant == _WITH_LEAN and lean.how == "observed"


def check_digest(manifest: Manifest, engine: Path | str) -> None:
    """Read the whole engine and hold its SHA-256 against the manifest's."""
    if manifest.digest == "none":
        return
    try:
        matches = sha256_of(str(engine)) == manifest.claims["sha256"]
    except OSError as error:
        manifest.problems.append(f"cannot be read: {error.strerror}")
        return
    manifest.digest = "matches" if matches else "differs"
    if not matches:
        manifest.problems.append("differs from the SHA-256 in its manifest")


def _claim(value: Any) -> str | int:
    """Return a claim as it stands, or a few characters of what no manifest claims."""
    if isinstance(value, int) or (isinstance(value, str) and len(value) <= _CLAIM_CHARACTERS):
        return value
    return repr(value)[:_CLAIM_CHARACTERS]


def _agrees(claimed: str, stated: str) -> bool:
    """Tell whether the claimed parts are the first of the stated ones: 8.6.0 is 8.6.0.12."""
    parts, known = claimed.split("."), stated.split(".")
    return parts == known[: len(parts)]
