"""Fetch the wheels of a recipe for any Python and verify them by the catalogue's digests."""

from __future__ import annotations

import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from compat.bundle.parts import BundleError
from compat.bundle.run import sha256_of
from compat.targets import diagnosis
from compat.targets.catalogue import Recipe, fits
from compat.targets.uv import Uv

# glibc 2.39 is Ubuntu 24.04's, the newest that NVIDIA's containers of 2026 are built on.
_NEWEST_GLIBC = 39


def fetch(uv: Uv, recipe: Recipe, python: str, folder: Path) -> list[Path]:
    """Return the wheel of every pin, in the order of the pins, and of what they require.

    What lies in `folder` already is verified and not fetched again.

    Args:
        uv: knows the target's index, wheel folders and log.
        recipe: the pins and their digests.
        python: the Python to fetch for, as "3.10".
        folder: the wheels of this Python.

    Raises:
        BundleError: a wheel cannot be had, or is not the one that the catalogue knows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    here = _found(folder, recipe, python)
    if recipe.resolve or len(here) < len(recipe.pins):
        fetched = _download(uv, recipe, python, folder)
        here = _found(folder, recipe, python)
        if recipe.resolve:
            here |= {path.name: path for path in fetched}
    lacking = [pin for pin in recipe.pins if pin not in here]
    if lacking:
        raise BundleError(f"{uv.target.name}: no wheel of {', '.join(lacking)} in {folder}")
    named = {path: pin for pin, path in here.items() if pin in recipe.pins}
    return sorted(dict.fromkeys(here.values()), key=lambda path: (path not in named, path.name))


def _found(folder: Path, recipe: Recipe, python: str) -> dict[str, Path]:
    """Return pin to wheel; a file with a digest that the catalogue does not know is removed."""
    found: dict[str, Path] = {}
    wheels = {pin: path for path in sorted(folder.glob("*.whl")) for pin in _pins(path, python)}
    for pin in recipe.pins:
        name, _, version = pin.partition("==")
        path = wheels.get(f"{canonicalize_name(name)}=={version}")
        if path is None:
            continue
        if pin in recipe.hashes and sha256_of(str(path)) not in recipe.hashes[pin]:
            path.unlink()
            continue
        found[pin] = path
    return found


def _pins(path: Path, python: str) -> Iterator[str]:
    """Yield the pin that a wheel answers, if it fits this Python and machine."""
    try:
        name, version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename:
        return
    stable = any(tag.abi == "abi3" for tag in tags)
    if stable or any(fits(str(tag), python, platform.machine()) for tag in tags):
        yield f"{name}=={version}"


def _download(uv: Uv, recipe: Recipe, python: str, folder: Path) -> list[Path]:
    """Let pip, which uv brings, download the wheels; they are moved into the folder when whole."""
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        requirements = Path(draft) / "requirements.txt"
        requirements.write_text(recipe.lines(), encoding="utf-8")
        uv.progress(f"{uv.target.name}: fetching {len(recipe.pins)} wheels for Python {python}")
        outcome = uv.run(
            [
                *(str(uv.program), "tool", "run", "--no-progress", "--color", "never"),
                *(["--offline"] if uv.target.offline else []),
                *("--from", "pip", "pip", "download", "--quiet", "--no-input"),
                *("--disable-pip-version-check", "--dest", draft, "--only-binary", ":all:"),
                *_tags(python),
                *([] if recipe.resolve else ["--no-deps"]),
                *(["--require-hashes"] if recipe.complete else []),
                *_sources(uv),
                *("--requirement", str(requirements)),
            ]
        )
        if outcome.code != 0 or outcome.timed_out:
            raise BundleError(
                f"{uv.target.name}: the wheels of {', '.join(recipe.pins)} for Python {python} "
                f"cannot be fetched ({diagnosis.last_words(outcome)}); all of it: {uv.log}"
            )
        wheels = sorted(Path(draft).glob("*.whl"))
        return [Path(shutil.move(path, folder / path.name)) for path in wheels]


def _tags(python: str) -> list[str]:
    """Return the options that name the far interpreter's tags, the newest platform first."""
    nodot, machine = python.replace(".", ""), platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC, 4, -1)]
    old = [f"manylinux{year}_{machine}" for year in ("2014", "2010", "1")]
    options = ["--python-version", python, "--implementation", "cp"]
    for abi in (f"cp{nodot}", "abi3", "none"):
        options += ["--abi", abi]
    for one in (*platforms, *old, f"linux_{machine}"):
        options += ["--platform", one]
    return options


def _sources(uv: Uv) -> list[str]:
    """Return pip's words for where this target's wheels come from."""
    options = [part for path in uv.target.find_links for part in ("--find-links", str(path))]
    if uv.target.index is not None:
        options += ["--extra-index-url", uv.target.index]
    if uv.target.offline:
        options.append("--no-index")
    return options
