"""What a prediction needs of an engine file: from the plan itself, and from its manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from packaging.version import InvalidVersion, Version

from compat.engine.beside import lean_contradicts
from compat.engine.inspection import Inspection, inspect_file
from compat.engine.prediction import LEVELS, VARIANTS, Engine

_OTHER = ("onnxruntime", "pytorch")


def engine_of(
    path: Path | str, *, variant: str = "", arch: int | None = None, platform: str = ""
) -> Engine:
    """Read an engine file and the manifest beside it.

    What the plan states goes before what the manifest claims.

    Args:
        path: the file; what is wrong with it stands in the engine's `problems`.
        variant: how it was built, for a file and a manifest that do not say.
        arch: compute capability of the GPU that it was built on, likewise.
        platform: where it was built, likewise; a lean runtime inside says it.
    """
    found = inspect_file(path)
    if found.problems:
        return Engine(found.path, problems=tuple(found.problems))
    claims: Mapping[str, str | int] = found.manifest.claims if found.manifest else {}
    flavour, version = _release(found, claims)
    if not _is_version(version):
        return Engine(found.path, problems=("states no version",))
    level = _stated(found, "device", "hardware_compatibility")
    claimed = str(claims.get("variant", ""))
    return Engine(
        found.path,
        flavour,
        version,
        _variant(found, claimed if claimed in VARIANTS else variant),
        _stated(found, "stated", "lean_runtime"),
        level if level in LEVELS else "",
        _capability(found.plan.arch if found.plan else "")
        or _capability(str(claims.get("arch", "")))
        or arch,
        _targets(found),
        _stated(found, "stated", "lean_platform") or platform,
    )


def _variant(found: Inspection, said: str) -> str:
    """Return what was said of the build; "" where the sections of the plan say otherwise."""
    lean = found.plan.stated.get("lean_runtime") if found.plan else None
    if lean and said and lean_contradicts(lean, said):
        return ""
    return said


def _release(found: Inspection, claims: Mapping[str, str | int]) -> tuple[str, str]:
    """Return flavour and version: the plan's own, else the manifest's."""
    if found.plan:
        return found.plan.flavour, found.plan.version or str(claims.get("version", ""))
    flavour = str(claims.get("flavour", ""))
    return flavour, str(claims.get("version", "")) if flavour in _OTHER else ""


def _stated(found: Inspection, where: str, name: str) -> str:
    values = getattr(found.plan, where, {})
    return str(values[name].value) if name in values else ""


def _targets(found: Inspection) -> frozenset[int] | None:
    """Return the compute capabilities that a TensorRT-RTX plan names; bits without a name not."""
    if found.plan is None or "targets" not in found.plan.stated:
        return None
    every = (_capability(str(one)) for one in found.plan.stated["targets"].value)
    return frozenset(one for one in every if one is not None)


def _capability(arch: str) -> int | None:
    match = re.fullmatch(r"sm_(\d{2,3})", arch)
    return int(match[1]) if match else None


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
