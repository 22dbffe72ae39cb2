"""Write members as one uncompressed tar, cut into parts of a given size, with a digest of each.

What seldom changes comes first and nothing in the stream carries a time, so that a bundle made
again after a change of the code differs in its last parts only.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from compat.bundle.run import sha256_of
from compat.errors import UserError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmg]i?)?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
_SMALLEST = 100_000


class BundleError(UserError):
    """A bundle or a result cannot be made or read; the text names the file and the way out."""


def parse_size(text: str) -> int:
    """Read "60MB", "64 MiB" or a plain number of bytes."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise BundleError(f"{text!r} is no size; write it as 60MB or 64MiB")
    size = int(float(found[1]) * _UNITS[(found[2] or "").lower()])
    if size < _SMALLEST:
        raise BundleError(f"{text!r} is too small; at least {_SMALLEST // 1000} kB are needed")
    return size


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a bundle: its name below the far work folder, and its content."""

    name: str
    content: Path | bytes

    def described(self) -> dict[str, Any]:
        """Return name, size and digest as the manifest has them."""
        if isinstance(self.content, bytes):
            digest, size = hashlib.sha256(self.content).hexdigest(), len(self.content)
        else:
            digest, size = sha256_of(str(self.content)), self.content.stat().st_size
        return {"name": self.name, "size": size, "sha256": digest}


@dataclass(slots=True)
class PartWriter:
    """A write-only stream over part files; `parts` describes each when it is closed."""

    folder: Path
    size: int
    name: str = "bundle"
    parts: list[dict[str, Any]] = field(default_factory=list)
    _stream: io.BufferedWriter | None = None
    _digest: Any = None
    _room: int = 0

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        self._close()

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


def write(members: Iterable[Member], folder: Path, size: int) -> dict[str, Any]:
    """Write the parts and return the manifest's `parts`, `members`, `bytes` and `id`."""
    described = []
    with (
        PartWriter(folder, size) as sink,
        tarfile.open(fileobj=cast(Any, sink), mode="w|", format=tarfile.GNU_FORMAT) as archive,
    ):
        for member in members:
            described.append(member.described())
            _add(archive, member, described[-1])
    return {
        "id": hashlib.sha256(repr([m["sha256"] for m in described]).encode()).hexdigest(),
        "bytes": sum(part["size"] for part in sink.parts),
        "parts": sink.parts,
        "members": described,
    }


def _add(archive: tarfile.TarFile, member: Member, described: Mapping[str, Any]) -> None:
    info = tarfile.TarInfo(member.name)
    info.size = described["size"]
    if isinstance(member.content, bytes):
        archive.addfile(info, io.BytesIO(member.content))
    else:
        with member.content.open("rb") as stream:
            archive.addfile(info, stream)
