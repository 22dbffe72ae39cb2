"""Run a matrix from a bundle: ``python3 run.py [--work DIR] [--parts DIR ...]``.

Standard library only, Python 3.8 or newer, no network, no pip. Joins and verifies the parts that
`manifest.json` beside this file lists, unpacks them into the work folder, lays out an environment
for each target, runs every phase and packs the results into one file. The same command goes on
where it was stopped.

Exit codes: 0 all is done; 1 something failed, see the records; 2 the call or a part is wrong;
130 interrupted.
"""

import argparse
import hashlib
import importlib
import json
import os
import sys
import tarfile
from typing import IO, Any, Dict, List, Optional, Sequence, Set

HERE = os.path.dirname(os.path.abspath(__file__))
CHUNK = 1 << 20
MARK = "unpacked.json"


class WrongError(Exception):
    """Something that the caller can mend; told without a stack trace, exit code 2."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Verify, unpack, then hand over to the conductor."""
    arguments = _arguments(argv)
    try:
        manifest = _manifest()
        if arguments.list:
            return _print_list(manifest, find_parts(arguments.parts, arguments.work))
        if arguments.verify_only:
            check_parts(manifest, find_parts(arguments.parts, arguments.work))
            print("all %d parts are here and whole" % len(manifest["parts"]))
            return 0
        os.makedirs(arguments.work, exist_ok=True)
        unpack(manifest, arguments)
        _hand_over(arguments)  # comes back only with an exception
    except WrongError as error:
        sys.stderr.write("error: %s\n" % error)
    except OSError as error:
        sys.stderr.write("error: %s: %s\n" % (error.filename or arguments.work, error.strerror))
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on\n")
        return 130
    return 2


def _arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Run a matrix from a bundle, offline; the same command goes on after a stop.",
        epilog="Exit codes: 0 done, 1 something failed, 2 wrong call or part, 130 interrupted.",
    )
    add = parser.add_argument
    add("--work", default="trt-compat-run", metavar="DIR", help="default: ./trt-compat-run")
    add(
        *("--parts", "-p"),
        nargs="+",
        action="append",
        metavar="DIR",
        help="folders that hold parts, their subfolders too (default: the folder of run.py)",
    )
    add("--phase", action="append", choices=("build", "check", "bench"), help="only this phase")
    add("--gpus", metavar="0,1", help="the GPUs to use (default: all)")
    add(
        "--build-limit",
        type=_seconds,
        metavar="SECONDS",
        help="begin no build after so long; check and time what is built",
    )
    add("--retry", action="store_true", help="run failed, crashed and timed-out items again")
    add("--results", metavar="FILE", help="default: results.tar.gz in the work folder")
    add("--limit", default="", metavar="SIZE", help="largest results file, such as 15MB")
    add("--engines", action="store_true", help="put the engines into the results, too")
    add("--pack-only", action="store_true", help="run nothing, pack what is on record")
    add("--verify-only", action="store_true", help="only look whether all parts are here and whole")
    add("--list", action="store_true", help="print what the bundle holds and which parts are here")
    arguments = parser.parse_args(argv)
    arguments.work = os.path.abspath(arguments.work)
    arguments.parts = [one for group in arguments.parts or [[HERE]] for one in group]
    return arguments


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds >= 0:  # nan, too, would be no limit at all
        raise argparse.ArgumentTypeError("%r is no number of seconds from 0 on" % text)
    return seconds


def _manifest() -> Dict[str, Any]:
    path = os.path.join(HERE, "manifest.json")
    try:
        with open(path, encoding="utf-8") as stream:
            manifest = json.load(stream)
        found: Dict[str, Any] = {"id": manifest["id"], **manifest}
        return found
    except (OSError, ValueError, KeyError, TypeError):
        raise WrongError("%s is missing or broken; copy it beside run.py again" % path) from None


def find_parts(folders: List[str], work: str) -> Dict[str, List[str]]:
    """Return every file in and below the folders that is named like a part: name to its paths."""
    found: Dict[str, List[str]] = {}
    for folder in folders:
        if not os.path.isdir(folder):
            raise WrongError("--parts %s: there is no such folder" % folder)
        for path, folders_below, names in os.walk(folder):
            folders_below[:] = [
                name for name in folders_below if os.path.abspath(os.path.join(path, name)) != work
            ]
            for name in names:
                if ".part" in name:
                    known = found.setdefault(name, [])
                    real = os.path.realpath(os.path.join(path, name))
                    if real not in known:
                        known.append(real)
    return found


def check_parts(manifest: Dict[str, Any], found: Dict[str, List[str]]) -> List[str]:
    """Return the parts' paths in order; WrongError names every part that is not as it should be."""
    problems, paths = [], []
    digests = {part["sha256"]: part["name"] for part in manifest["parts"]}
    for part in manifest["parts"]:
        here = found.get(part["name"], [])
        if not here:
            problems.append("%s is missing (%s)" % (part["name"], size_text(part["size"])))
        elif len(here) > 1:
            problems.append("%s is there twice: %s" % (part["name"], " and ".join(sorted(here))))
        else:
            said = _part_problem(part, here[0], digests)
            if said:
                problems.append(said)
            paths.append(here[0])
    if problems:
        count = "%d of %d parts" % (len(problems), len(manifest["parts"]))
        raise WrongError("%s cannot be used:\n  %s" % (count, "\n  ".join(problems)))
    return paths


def _part_problem(part: Dict[str, Any], path: str, digests: Dict[str, str]) -> str:
    size = os.path.getsize(path)
    if size < part["size"]:
        return "%s is cut short (%d of %d bytes): %s" % (part["name"], size, part["size"], path)
    digest = sha256_of(path)
    if digest == part["sha256"]:
        return ""
    if digest in digests:
        return "%s holds %s: %s" % (part["name"], digests[digest], path)
    return "%s was changed, or is of another bundle: %s" % (part["name"], path)


def sha256_of(path: str) -> str:
    """Return a file's SHA-256."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(CHUNK), b""):
            digest.update(block)
    return digest.hexdigest()


class Joined:
    """The parts, read one behind the other as one stream; up to `room` bytes, if that is set."""

    def __init__(self, paths: List[str], room: Optional[int] = None) -> None:
        self._paths = list(paths)
        self._stream: Optional[IO[bytes]] = None
        self.room = room

    def __enter__(self) -> "Joined":
        return self

    def __exit__(self, *_error: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; nothing at the end of the last part."""
        if self.room is not None:
            size = min(size, self.room)
        while size:
            if self._stream is None:
                if not self._paths:
                    break
                self._stream = open(self._paths.pop(0), "rb")  # noqa: SIM115 - closed at its end
            block = self._stream.read(size)
            if block:
                if self.room is not None:
                    self.room -= len(block)
                return block
            self._stream.close()
            self._stream = None
        return b""


def unpack(manifest: Dict[str, Any], arguments: argparse.Namespace) -> None:
    """Unpack the bundle into the work folder, unless it already is there."""
    mark = os.path.join(arguments.work, MARK)
    members = {member["name"]: member for member in manifest["members"]}
    have = _read_json(mark)
    if have.get("id") == manifest["id"]:
        return
    paths = check_parts(manifest, find_parts(arguments.parts, arguments.work))
    _say("unpacking %s from %d parts" % (size_text(manifest["bytes"]), len(paths)))
    if os.path.exists(mark):
        os.unlink(mark)
    left = set(members)
    packed = manifest.get("zstd")
    with Joined(paths, packed["start"] if packed else None) as stream:
        _extract(stream, members, left, arguments.work)
        if packed:
            while stream.read(CHUNK):  # what may stand behind a tar's end
                pass
            stream.room = None
            _extract_compressed(stream, manifest, members, left, arguments.work)
    if left:
        raise WrongError("the parts do not hold %s" % ", ".join(sorted(left)))
    _unpack_source(arguments.work)
    write_json(mark, {"id": manifest["id"], "sha256": {n: m["sha256"] for n, m in members.items()}})


def _extract_compressed(
    source: Joined, manifest: Dict[str, Any], members: Dict[str, Any], left: Set[str], work: str
) -> None:
    """Extract the rest by the decoder that has just come out of the beginning."""
    sys.path.insert(0, os.path.join(work, "decoder"))
    unzstd = importlib.import_module("unzstd")
    try:
        with unzstd.Decoded(source, manifest, work) as stream:
            _extract(stream, members, left, work)
    except unzstd.UnzstdError as error:
        raise WrongError(str(error)) from None


def _extract(stream: Any, members: Dict[str, Any], left: Set[str], work: str) -> None:
    """Write the files of a tar, and take their names off `left`."""
    try:
        with tarfile.open(mode="r|", fileobj=stream, bufsize=CHUNK) as archive:
            for info in archive:
                if info.name not in left:
                    raise WrongError("the parts hold %s, which the manifest lacks" % info.name)
                content = archive.extractfile(info)
                assert content is not None, "the bundle holds plain files only"
                _write_member(content, members[info.name], work)
                left.discard(info.name)
    except tarfile.TarError as error:
        raise WrongError(
            "the parts are whole, but what they hold is not (%s): create the bundle again" % error
        ) from None


def _write_member(stream: IO[bytes], member: Dict[str, Any], work: str) -> None:
    """Write one file, and replace an older one only once the digest is right."""
    path = below(work, member["name"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = hashlib.sha256()
    with open(path + ".new", "wb") as target:
        for block in iter(lambda: stream.read(CHUNK), b""):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != member["sha256"]:
        os.unlink(path + ".new")
        raise WrongError(
            "%s is not what the manifest says; create the bundle again" % member["name"]
        )
    os.replace(path + ".new", path)


def _unpack_source(work: str) -> None:
    """Lay out trt-compat itself; its files are few, so it is done whole each time."""
    with tarfile.open(os.path.join(work, "source.tar.gz"), mode="r:gz") as archive:
        for info in archive:
            path = below(os.path.join(work, "source"), info.name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            content = archive.extractfile(info)
            assert content is not None, "the source holds plain files only"
            with open(path, "wb") as target:
                target.write(content.read())


def below(folder: str, name: str) -> str:
    """Return the path of a member; WrongError where its name leads out of the folder."""
    path = os.path.normpath(os.path.join(folder, name))
    if os.path.isabs(name) or not path.startswith(os.path.normpath(folder) + os.sep):
        raise WrongError("%r would lie outside of %s" % (name, folder))
    return path


def _hand_over(arguments: argparse.Namespace) -> None:
    """Lay out the environments and become the conductor: one process, so one to stop."""
    sys.path.insert(0, os.path.join(arguments.work, "source"))
    from compat.bundle import layout  # it has just been unpacked

    try:
        argv, env = layout.lay_out(arguments.work, _say)
    except layout.LayoutError as error:
        raise WrongError(str(error)) from None
    asked = {name: value for name, value in vars(arguments).items() if name != "parts"}
    if arguments.gpus is not None:
        env["CUDA_VISIBLE_DEVICES"] = arguments.gpus
    sys.stdout.flush()
    os.execve(argv[0], [*argv, json.dumps(asked)], env)  # noqa: S606 - an argument list, no shell


def _print_list(manifest: Dict[str, Any], found: Dict[str, List[str]]) -> int:
    print("made by %s for Python %s" % (manifest["made_by"], manifest["python"]))
    for line in manifest["summary"]:
        print(line)
    if "zstd" in manifest:
        print("compressed: unpacking takes %s of memory" % size_text(manifest["zstd"]["window"]))
    for member in manifest["members"]:
        print("  %10s  %s" % (size_text(member["size"]), member["name"]))
    for part in manifest["parts"]:
        where = ", ".join(found.get(part["name"], [])) or "MISSING"
        print("%s  %s  %s" % (part["name"], size_text(part["size"]), where))
    missing = [part["name"] for part in manifest["parts"] if part["name"] not in found]
    print("%d of %d parts are missing" % (len(missing), len(manifest["parts"])))
    return 2 if missing else 0


def size_text(size: int) -> str:
    """Say a size in decimal units."""
    return "%.1f MB" % (size / 1e6) if size >= 1e5 else "%.1f kB" % (size / 1e3)


def _read_json(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as stream:
            found: Dict[str, Any] = json.load(stream)
            return found
    except (OSError, ValueError):
        return {}


def write_json(path: str, value: object) -> None:
    """Write JSON so that a half-written file is never seen."""
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(path + ".new", path)


def _say(text: str) -> None:
    print(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
