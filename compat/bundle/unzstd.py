"""Undo a bundle's compression on the far machine: Python 3.8, standard library only.

It travels at the uncompressed beginning of the bundle, beside the wheel of the `zstandard` package
that it needs where Python has no zstd of its own (it has one from 3.14 on). `run.py` imports it;
as a program it is the filter that decodes, run by the first Python that can: the one that runs
`run.py`, the one that the bundle was made for, or the one that the bundle has brought along.
"""

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from typing import IO, Any, Dict, List, Mapping, NamedTuple, Optional, Tuple, cast

CHUNK = 1 << 20


class UnzstdError(Exception):
    """The bundle cannot be decoded here; the text names the way out."""


class _Way(NamedTuple):
    """How to start the filter: its first words, and the variables that it needs."""

    argv: Tuple[str, ...]
    env: Dict[str, str]


class Decoded:
    """The rest of a bundle's stream, decoded; use it with `with`.

    Args:
        source: the compressed bytes, with `read`.
        manifest: of the bundle.
        work: the far work folder, where the beginning of the bundle lies already.
    """

    def __init__(self, source: Any, manifest: Mapping[str, Any], work: str) -> None:
        self._window = int(manifest["zstd"]["window"])
        self._folder = os.path.join(work, "decoder", "unpacked")
        self._failed: Optional[OSError] = None
        shutil.rmtree(self._folder, ignore_errors=True)
        way = _way(manifest, work, self._folder)
        self._child = subprocess.Popen(
            [*way.argv, str(self._window)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=way.env,
            start_new_session=True,  # Ctrl-C is for run.py, which then ends it
        )
        self._feeder = threading.Thread(target=self._feed, args=(source,), daemon=True)
        self._feeder.start()

    def __enter__(self) -> "Decoded":
        return self

    def __exit__(self, *_error: object) -> None:
        self._child.kill()
        self._child.wait()
        self._feeder.join()
        for stream in (self._child.stdout, self._child.stderr):
            cast(IO[bytes], stream).close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; nothing at the end. UnzstdError where decoding failed."""
        block = cast(IO[bytes], self._child.stdout).read(size)
        if not block:
            self._feeder.join()
            if self._failed:
                raise self._failed
            said = cast(IO[bytes], self._child.stderr).read().decode("utf-8", "replace")
            if self._child.wait() != 0:
                raise UnzstdError(
                    "the parts are whole, but cannot be decompressed (%s): create the bundle "
                    "again; with --compress none if %d MB of memory are not free here"
                    % (_reason(said, self._child.returncode), self._window >> 20)
                )
        return block

    def _feed(self, source: Any) -> None:
        stdin = cast(IO[bytes], self._child.stdin)
        try:
            for block in iter(lambda: source.read(CHUNK), b""):
                stdin.write(block)
        except BrokenPipeError:  # it has ended, and says why where it is read
            pass
        except OSError as error:
            self._failed = error
        finally:
            with contextlib.suppress(OSError):
                stdin.close()


def _reason(said: str, code: int) -> str:
    lines = said.strip().splitlines()
    if code == -9:
        return "the decoder was killed, as the system does where memory is short"
    return lines[-1] if lines else "the decoder ended with code %d" % code


def _way(manifest: Mapping[str, Any], work: str, folder: str) -> _Way:
    """Return how to decode: with the first Python that has, or can import, a decoder."""
    known = manifest["zstd"]
    packages = os.path.join(folder, "packages")
    with zipfile.ZipFile(os.path.join(work, known["decoder"])) as wheel:
        wheel.extractall(packages)  # noqa: S202 - verified by its digest
    program = ("-I", os.path.abspath(__file__), packages)
    minor = manifest["python"]
    tried: List[str] = []
    for python in (sys.executable, shutil.which("python" + minor), shutil.which("python3")):
        if python and python not in tried:
            tried.append(python)
            way = _Way((python, *program), dict(os.environ))
            if _works(way):
                return way
    if known["interpreter"]:
        archive = os.path.join(work, known["interpreter"]["archive"])
        prefix = os.path.join(folder, "python")
        way = _brought(archive, known["interpreter"]["python"], prefix, program)
        tried.append(way.argv[0])
        if _works(way):
            return way
    raise UnzstdError(
        "this bundle is compressed for Python %s, and none here can read it (tried: %s): start "
        "run.py with Python %s, or with 3.14 or newer, or create the bundle with --interpreter %s "
        "or --compress none" % (minor, ", ".join(tried), minor, minor)
    )


def _works(way: _Way) -> bool:
    none = subprocess.DEVNULL
    try:
        done = subprocess.run(way.argv, stdin=none, stderr=none, env=way.env, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _brought(archive: str, python: str, folder: str, program: Tuple[str, ...]) -> _Way:
    """Unpack the interpreter that came along; the environments get their own copy later."""
    with tarfile.open(archive, "r:gz") as packed:
        for info in packed:
            packed.extract(info, folder)
    own = os.environ.get("LD_LIBRARY_PATH")
    libraries = [os.path.join(folder, one) for one in ("lib", "shared")] + ([own] if own else [])
    env = dict(os.environ, LD_LIBRARY_PATH=":".join(libraries))
    return _Way((os.path.join(folder, python), *program), env)


def main(argv: List[str]) -> int:
    """Decode standard input; without a window, only say by the exit code whether that would go."""
    folder, *window = argv
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        zstd = importlib.import_module("compression.zstd")
        own = True
    except ImportError:
        sys.path.insert(0, folder)
        zstd = importlib.import_module("zstandard")
        own = False
    if not window:
        return 0
    size = int(window[0])
    try:
        if own:
            most = {zstd.DecompressionParameter.window_log_max: size.bit_length() - 1}
            stream = zstd.ZstdFile(source, options=most)
        else:
            decoder = zstd.ZstdDecompressor(max_window_size=size)
            stream = decoder.stream_reader(source, read_across_frames=True)
        shutil.copyfileobj(stream, sink, CHUNK)
        sink.flush()
    except BrokenPipeError:  # nobody reads any more: run.py was stopped
        os._exit(1)
    except Exception as error:  # each decoder has its own; the text is for run.py to show
        sys.stderr.write("%s: %s\n" % (type(error).__name__, error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
