"""Leave files out of wheels that nothing on the far machine opens, to have less to carry.

cuDNN's wheels, for one, are 700 MB, of which TensorRT 8 without cuDNN tactics opens 150 kB.
"""

from __future__ import annotations

import fnmatch
import hashlib
import zipfile
from collections.abc import Sequence
from pathlib import Path

from compat.bundle.layout import destination
from compat.bundle.stored import damaged

_SITE = "/site"


def thinned(wheel: Path, patterns: Sequence[str], folder: Path) -> tuple[Path, list[str]]:
    """Return a wheel without the files that match, and their names; the same one if none does.

    Args:
        wheel: as it was fetched and verified.
        patterns: shell patterns of paths in site-packages, such as ``nvidia/cudnn/lib/*_infer*``.
        folder: where thinned wheels are kept.
    """
    with zipfile.ZipFile(wheel) as whole:
        left = _matching(whole, patterns)
        if not left:
            return wheel, []
        identity = hashlib.sha256("\n".join([str(wheel.stat().st_mtime_ns), *left]).encode())
        made = folder / identity.hexdigest()[:12] / wheel.name
        if not made.is_file():
            made.parent.mkdir(parents=True, exist_ok=True)
            draft = made.with_suffix(".new")
            with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as thin:
                for info in whole.infolist():
                    if info.filename not in left:
                        thin.writestr(info, whole.read(info), zipfile.ZIP_DEFLATED)
            draft.replace(made)
    return made, list(left.values())


def matching(wheel: Path, patterns: Sequence[str]) -> dict[str, str]:
    """Return name and place of a wheel's files that match; never its own description. UserError."""
    try:
        with zipfile.ZipFile(wheel) as whole:
            return _matching(whole, patterns)
    except zipfile.BadZipFile as error:
        raise damaged(wheel, error) from None


def _matching(whole: zipfile.ZipFile, patterns: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in whole.namelist():
        place = destination(name, _SITE, "/prefix") or ""
        inside = place.removeprefix(_SITE + "/")
        if place == inside or ".dist-info/" in name:
            continue
        if any(fnmatch.fnmatchcase(inside, one) for one in patterns):
            found[name] = inside
    return found
