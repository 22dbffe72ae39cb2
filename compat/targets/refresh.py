"""Write wheels.toml anew: `python -m compat.targets.refresh`.

To be run after a change of releases.toml or suite.toml. uv is asked for every pin's wheels; those
for Linux with glibc, and for the Pythons that use the pin, are recorded with their sha256.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from compat.targets import uv
from compat.targets.catalogue import fits, load, python_key

_FILE = Path(__file__).with_name("wheels.toml")
_MACHINES = ("x86_64", "aarch64")
# onnxruntime: digests for the versions that the default matrix uses; the others are pinned only,
# which keeps the file to a readable size.
_PINNED_ONLY = "onnxruntime=="
_PINNED_BUT_HASHED = ("onnxruntime==1.30.0", "onnxruntime==1.31.1")
_HEAD = """\
# sha256 of the wheels that the pins of releases.toml and suite.toml install, by wheel tag.
# Written by `python -m compat.targets.refresh`; not to be edited.
"""


def wheels_of(lock: str, pythons: Sequence[str]) -> dict[str, str]:
    """Return wheel tag -> sha256 from a pylock.toml of one package, for these Pythons ("3.11")."""
    (package,) = tomllib.loads(lock)["packages"]
    found = {}
    for wheel in package.get("wheels", ()):
        name = wheel.get("name") or wheel["url"].rsplit("/", 1)[1]
        tag = "-".join(name.removesuffix(".whl").split("-")[-3:])
        _, abi, system = tag.split("-", 2)
        if "musllinux" in system or (abi.startswith("cp3") and abi.endswith("t")):
            continue
        if any(fits(tag, one, machine) for one in pythons for machine in _MACHINES):
            found[tag] = wheel["hashes"]["sha256"]
    return found


def lock(program: Path, pin: str, python: str) -> str:
    """Return uv's pylock.toml of one pin, with the wheels for this Python and later ones."""
    argv = [str(program), "pip", "compile", "-", "--format", "pylock.toml", "--universal"]
    # Without the second option uv tries to fetch that Python, and holds its lock while it does.
    argv += [
        "--no-deps",
        "--no-python-downloads",
        "--no-header",
        "--quiet",
        "--python-version",
        python,
    ]
    return subprocess.run(argv, input=pin, text=True, check=True, stdout=subprocess.PIPE).stdout


def render(wheels: Mapping[str, Mapping[str, str]]) -> str:
    """Return the text of wheels.toml."""
    tables = []
    for pin in sorted(wheels):
        rows = [f'"{tag}" = "{value}"\n' for tag, value in sorted(wheels[pin].items())]
        tables.append(f'\n["{pin}"]\n' + "".join(rows))
    return _HEAD + "".join(tables)


def _hashed(pin: str) -> bool:
    return not pin.startswith(_PINNED_ONLY) or pin in _PINNED_BUT_HASHED


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask for all pins, or only for those given, and rewrite the file."""
    parser = argparse.ArgumentParser(prog="python -m compat.targets.refresh", description=__doc__)
    parser.add_argument("pins", nargs="*", help="only these pins (default: all)")
    parser.add_argument("--file", type=Path, default=_FILE, help="file to rewrite")
    options = parser.parse_args(arguments)
    program = uv.find()
    wheels: dict[str, dict[str, str]] = {}
    if options.pins and options.file.exists():
        wheels = tomllib.loads(options.file.read_text(encoding="utf-8"))
    users = {
        pin: sorted(pythons, key=python_key)
        for pin, pythons in load(_FILE.parent).pins().items()
        if (not options.pins or pin in options.pins) and _hashed(pin)
    }
    # uv may have to open a wheel for its metadata: most of the time is waiting.
    with ThreadPoolExecutor(8) as pool:
        locks = pool.map(lambda pin: lock(program, pin, users[pin][0]), users)
        for pin, text in zip(users, locks, strict=True):
            wheels[pin] = wheels_of(text, users[pin])
            sys.stdout.write(f"{pin}: {len(wheels[pin])} wheels\n")
    options.file.write_text(render(wheels), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
