"""Write members as one tar, cut into parts of a given size, with a digest of each.

What seldom changes comes first and nothing in the stream carries a time, so that a bundle made
again after a change of the code differs in its last parts only. `compress` keeps that true.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from compat.bundle.run import CHUNK, size_text
from compat.bundle.stored import StoredWheel
from compat.errors import UserError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SMALLEST = 100_000
#: Ends a tar.
END = bytes(1024)

Seen = Callable[[str, int], None]
_FIRST_TOLD_S, _TOLD_EVERY_S = 2.0, 10.0


class BundleError(UserError):
    """A bundle or a result cannot be made or read; the text names the file and the way out."""


@dataclass(slots=True)
class Progress:
    """Say how far a bundle is, if that takes time; `total` bytes are to be read."""

    total: int
    say: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    _done: int = 0
    _next: float | None = None

    def __call__(self, name: str, count: int) -> None:
        """Count a block of the member `name`."""
        now = self.clock()
        if self._next is None:
            self._next = now + _FIRST_TOLD_S
        if now >= self._next:
            self._next = now + _TOLD_EVERY_S
            self.say(f"{size_text(self._done)} of {size_text(self.total)} packed: now {name}")
        self._done += count


def parse_size(text: str) -> int:
    """Read "60MB", "64 MiB" or a plain number of bytes."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise BundleError(f"{text!r} is no size; write it as 60MB or 64MiB")
    size = int(float(found[1]) * _UNITS[(found[2] or "").lower()])
    if size < _SMALLEST:
        raise BundleError(f"{text!r} is too small; at least {_SMALLEST // 1000} kB are needed")
    return size


class Sink(Protocol):
    """What a tar is written to."""

    def write(self, block: bytes, /) -> int:
        """Write a block."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a bundle: its name below the far work folder, and its content."""

    name: str
    content: Path | bytes | StoredWheel

    @property
    def size(self) -> int:
        """Bytes of the content."""
        if isinstance(self.content, Path):
            return self.content.stat().st_size
        return len(self.content) if isinstance(self.content, bytes) else self.content.size

    def blocks(self) -> Iterator[bytes]:
        """Yield the content."""
        if isinstance(self.content, Path):
            with self.content.open("rb") as stream:
                yield from iter(lambda: stream.read(CHUNK), b"")
        elif isinstance(self.content, bytes):
            yield self.content
        else:
            yield from self.content.blocks()


@dataclass(slots=True)
class PartWriter:
    """A write-only stream over part files; `parts` describes each when it is closed.

    Left with an exception, it takes the parts that it wrote away again.
    """

    folder: Path
    size: int
    name: str = "bundle"
    parts: list[dict[str, Any]] = field(default_factory=list)
    written: int = 0
    _stream: io.BufferedWriter | None = None
    _digest: Any = None
    _room: int = 0

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._close()
        if kind is not None:
            for part in self.parts:
                (self.folder / part["name"]).unlink(missing_ok=True)

    def write(self, block: bytes) -> int:
        """Write a block, cut where a part is full."""
        view = memoryview(block)
        while view:
            if self._room == 0:
                self._next()
            assert self._stream is not None
            piece = view[: self._room]
            self._stream.write(piece)
            self._digest.update(piece)
            self._room -= len(piece)
            view = view[len(piece) :]
        self.written += len(block)
        return len(block)

    def _next(self) -> None:
        self._close()
        path = self.folder / f"{self.name}.part{len(self.parts) + 1:03d}"
        self._stream, self._digest, self._room = path.open("wb"), hashlib.sha256(), self.size

    def _close(self) -> None:
        if self._stream is None:
            return
        self._stream.close()
        path = Path(self._stream.name)
        size = path.stat().st_size
        self.parts.append({"name": path.name, "size": size, "sha256": self._digest.hexdigest()})
        self._stream = None


def write(members: Iterable[Member], folder: Path, size: int, seen: Seen) -> dict[str, Any]:
    """Write the parts uncompressed; return the manifest's `parts`, `members`, `bytes` and `id`.

    `seen` is told of each member's name and every block's size.
    """
    with PartWriter(folder, size) as sink:
        found = pour(members, sink, seen)
        sink.write(END)
    return described(sink, found)


def pour(members: Iterable[Member], sink: Sink, seen: Seen) -> list[dict[str, Any]]:
    """Write members as a tar without its end; return name, size and digest of each."""
    found = []
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.size = member.size
        sink.write(info.tobuf(tarfile.GNU_FORMAT))
        digest, size = hashlib.sha256(), 0
        for block in member.blocks():
            sink.write(block)
            digest.update(block)
            size += len(block)
            seen(member.name, len(block))
        if size != info.size:
            raise BundleError(f"{member.name} changed while it was packed; create the bundle again")
        sink.write(bytes(-size % tarfile.BLOCKSIZE))
        found.append({"name": member.name, "size": size, "sha256": digest.hexdigest()})
    return found


def described(sink: PartWriter, members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what the manifest says of a bundle whose parts are written."""
    return {
        "id": hashlib.sha256(repr([m["sha256"] for m in members]).encode()).hexdigest(),
        "bytes": sum(part["size"] for part in sink.parts),
        "parts": sink.parts,
        "members": list(members),
    }
