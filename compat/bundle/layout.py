"""Lay out interpreters and environments on the far machine: no pip, no network, Python 3.8.

Standard library only, and nothing else of this package: `run.py` calls it before any environment
stands. An environment is a virtual environment made by hand (a link to an interpreter and
``pyvenv.cfg``). Each wheel is unpacked once, and its files are hard links in the site-packages of
every environment that has it: several targets of one TensorRT version share its gigabytes.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Sequence, Tuple

STAMP = "bundle-stamp.json"
#: Names the variable that tells the conductor how run.py itself was started, as JSON.
STARTED = "TRT_COMPAT_STARTED"
_OWN = ("PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE", "LD_LIBRARY_PATH")
#: Stands in the written variables for the environment's own folder.
PLACE = "/@environment@"

Say = Callable[[str], None]


class LayoutError(Exception):
    """What was unpacked cannot be laid out; the text names the way out."""


class Base(NamedTuple):
    """An interpreter, and the folders of the libraries that it needs beside it."""

    python: str
    libraries: Tuple[str, ...]


def lay_out(work: str, say: Say) -> Tuple[List[str], Dict[str, str]]:
    """Make every environment; return how to start the conductor: argv and variables."""
    far = read(work)
    with open(os.path.join(work, "unpacked.json"), encoding="utf-8") as stream:
        digests = json.load(stream)["sha256"]
    bases = {minor: base(work, far, minor) for minor in sorted(minors(far))}
    unpacked = unpack_wheels(work, _wheels(far), digests, say)
    for minor, wheels in far["deps"].items():
        folder = deps_folder(work, minor)
        fill = _filler([unpacked[one] for one in wheels], folder, folder)
        _once(folder, [digests[one] for one in wheels], say, fill)
    for name, target in far["targets"].items():
        if "wheels" in target:
            _environment(env_folder(work, name), target, bases, digests, unpacked, say)
    host = os.path.join(work, "host")
    _environment(host, far["host"], bases, digests, unpacked, say)
    env = {**os.environ, "PYTHONPATH": os.path.join(work, "source"), "PYTHONNOUSERSITE": "1"}
    env.pop("PYTHONHOME", None)
    env[STARTED] = json.dumps(started())
    libraries = search_path(bases[far["host"]["python"]].libraries)
    if libraries:
        env["LD_LIBRARY_PATH"] = libraries
    return [os.path.join(host, "bin", "python"), "-m", "compat.bundle.far"], env


def started() -> Dict[str, Any]:
    """Return this interpreter and its variables as the machine has them, for local targets.

    An empty variable is to Python and to the dynamic linker as good as none.
    """
    own = {name: os.environ.get(name, "") for name in _OWN}
    return {"python": sys.executable, "env": own}


def read(work: str) -> Dict[str, Any]:
    """Return what was written at create time."""
    with open(os.path.join(work, "far.json"), encoding="utf-8") as stream:
        found: Dict[str, Any] = json.load(stream)
        return found


def minors(far: Mapping[str, Any]) -> "set[str]":
    """Return the Pythons ("3.12") that something of the bundle runs on."""
    used = {str(target["python"]) for target in far["targets"].values() if "wheels" in target}
    return used | {str(far["host"]["python"])}


def env_folder(work: str, target: str) -> str:
    """Return where a target's environment stands."""
    return os.path.join(work, "envs", target)


def deps_folder(work: str, minor: str) -> str:
    """Return where the suite's own packages for a Python stand."""
    return os.path.join(work, "deps", "py" + minor)


def search_path(folders: Sequence[str]) -> str:
    """Return LD_LIBRARY_PATH: these folders, then what the machine itself has set."""
    return ":".join([*folders, *filter(None, [os.environ.get("LD_LIBRARY_PATH")])])


def base(work: str, far: Mapping[str, Any], minor: str) -> Base:
    """Return the interpreter of a Python: the one that came along, else the machine's own."""
    packed = far["interpreters"].get(minor)
    if packed is None:
        return Base(_own(minor), ())
    folder = os.path.join(work, "interpreters", minor)
    archive = os.path.join(work, packed["archive"])
    _once(folder, [packed["sha256"]], lambda _: None, lambda: _untar(archive, folder))
    libraries = tuple(os.path.join(folder, one) for one in ("lib", "shared"))
    return Base(os.path.join(folder, packed["python"]), libraries)


def _own(minor: str) -> str:
    """Return the machine's own interpreter of a Python ("3.12")."""
    running = getattr(sys, "_base_executable", "") or sys.executable
    for path in (running, shutil.which("python" + minor), shutil.which("python3")):
        if path and _minor_of(path) == minor:
            return os.path.realpath(path)
    raise LayoutError(
        "this bundle was made for a machine with Python %s, and there is none here (this is "
        "Python %s): start run.py with it, or create the bundle with --interpreter %s"
        % (minor, sys.version.split()[0], minor)
    )


def _minor_of(python: str) -> str:
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run([python, "-c", question], stdout=subprocess.PIPE, check=False)
    except OSError:
        return ""
    return said.stdout.decode("ascii", "replace").strip()


def _untar(archive: str, folder: str) -> None:
    """Unpack an interpreter that this program itself has packed, and verified by digest."""
    with tarfile.open(archive, "r:gz") as packed:
        for info in packed:
            if not _inside(folder, info.name):
                raise LayoutError("%s: %s leads out of its folder" % (archive, info.name))
            packed.extract(info, folder, set_attrs=True)


def _environment(
    folder: str,
    target: Mapping[str, Any],
    bases: Mapping[str, Base],
    digests: Mapping[str, str],
    unpacked: Mapping[str, str],
    say: Say,
) -> None:
    minor = target["python"]
    python, wheels = bases[minor].python, target["wheels"]
    site = os.path.join(folder, "lib", "python" + minor, "site-packages")
    fill = _filler([unpacked[one] for one in wheels], site, folder)
    beside = target.get("beside", {})

    def make() -> None:
        os.makedirs(os.path.join(folder, "bin"))
        with open(os.path.join(folder, "pyvenv.cfg"), "w", encoding="utf-8") as stream:
            stream.write("home = %s\n" % os.path.dirname(python))
            stream.write("include-system-site-packages = false\n")
        os.symlink(python, os.path.join(folder, "bin", "python"))
        fill()
        for link, aim in beside.items():
            path = os.path.join(site, link)
            os.symlink(os.path.relpath(os.path.join(site, aim), os.path.dirname(path)), path)

    _once(folder, [python, beside, [digests[one] for one in wheels]], say, make)


def _once(folder: str, identity: Any, say: Say, make: Callable[[], None]) -> None:
    """Make a folder, unless it stands whole; its stamp is written last."""
    text = json.dumps([folder, identity], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    stamp = os.path.join(folder, STAMP)
    try:
        with open(stamp, encoding="ascii") as stream:
            if stream.read() == digest:
                return
    except OSError:
        pass
    if os.path.isdir(folder):
        shutil.rmtree(folder)
    os.makedirs(folder)
    say("laying out %s" % folder)
    make()
    with open(stamp, "w", encoding="ascii") as stream:
        stream.write(digest)


def _wheels(far: Mapping[str, Any]) -> List[str]:
    """Return every wheel of the bundle, once."""
    owners = [*far["targets"].values(), far["host"]]
    lists = [*far["deps"].values(), *(owner.get("wheels", ()) for owner in owners)]
    return sorted({wheel for wheels in lists for wheel in wheels})


def unpack_wheels(
    work: str, wheels: Sequence[str], digests: Mapping[str, str], say: Say
) -> Dict[str, str]:
    """Unpack every wheel that is not unpacked yet, side by side; return wheel to folder."""
    folders = {one: os.path.join(work, "unpacked", digests[one][:16]) for one in wheels}
    left = [one for one in wheels if not os.path.exists(os.path.join(folders[one], STAMP))]
    if left:
        say("unpacking %d wheels" % len(left))

    def unpack(wheel: str) -> None:
        def make() -> None:
            _unzip(os.path.join(work, wheel), folders[wheel])

        _once(folders[wheel], digests[wheel], lambda _: None, make)

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:  # zlib lets other threads run
        # One wheel may stand there for two Pythons, and has one folder all the same.
        list(pool.map(unpack, {folders[one]: one for one in left}.values()))
    return folders


def _unzip(wheel: str, folder: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            if not _inside(folder, info.filename):
                raise LayoutError("%s: %s leads out of its folder" % (wheel, info.filename))
            if info.is_dir():
                continue
            path = os.path.join(folder, info.filename)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(info) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            if info.external_attr >> 16 & 0o100:
                os.chmod(path, 0o755)  # noqa: S103 - a program for everybody, as pip leaves it


def _filler(unpacked: Sequence[str], site: str, prefix: str) -> Callable[[], None]:
    def fill() -> None:
        for folder in unpacked:
            _link(folder, site, prefix)

    return fill


def _link(unpacked: str, site: str, prefix: str) -> None:
    """Link a wheel's files into site-packages, what belongs elsewhere below the prefix.

    Scripts and headers are left out: nothing here is started by name or compiled.
    """
    for folder, _, names in os.walk(unpacked):
        for name in names:
            source = os.path.join(folder, name)
            inside = os.path.relpath(source, unpacked).replace(os.sep, "/")
            path = destination(inside, site, prefix)
            if path is None or inside == STAMP:
                continue
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.exists(path):  # of two wheels with one file the later one stands, as in pip
                os.unlink(path)
            os.link(source, path)


def destination(name: str, site: str, prefix: str) -> "str | None":
    """Return where a wheel's file belongs; None where it is not needed."""
    parts = name.split("/")
    folder = site
    if parts[0].endswith(".data") and len(parts) > 2:
        if parts[1] in ("purelib", "platlib"):
            parts = parts[2:]
        elif parts[1] == "data":
            folder, parts = prefix, parts[2:]
        else:
            return None
    if not _inside(folder, "/".join(parts)):
        raise LayoutError("a wheel holds %s, which leads out of its folder" % name)
    return os.path.join(folder, *parts)


def _inside(folder: str, name: str) -> bool:
    path = os.path.normpath(os.path.join(folder, name))
    return path == os.path.normpath(folder) or path.startswith(os.path.normpath(folder) + os.sep)
