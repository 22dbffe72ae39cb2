"""Files that are made once: written atomically, known by a key, checked without reading them.

Beside `F` stands `F.json`: the key it was made for, facts about it, and size, modification time
and SHA-256 of the file and its companions. A reader trusts the file when key, size and time agree,
hashes it when only the time differs (a copied work directory), and makes it again otherwise. The
sidecar is written last, so a kill at any moment leaves either the whole or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compat.models.errors import ModelError

__all__ = [
    "Entry",
    "Facts",
    "artifact",
    "file_sha256",
    "key_of",
    "lookup",
    "noted",
    "write_json",
]

Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """One cached file: where, its digest (companions included), what is known of it, if new."""

    path: Path
    sha256: str
    facts: Mapping[str, Any]
    made: bool


def key_of(*parts: object) -> str:
    """A digest of everything that determines a file; dataclasses by their repr."""
    return hashlib.sha256("\x00".join(repr(part) for part in parts).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def artifact(path: Path, key: str, make: Callable[[Path], Facts]) -> Entry:
    """Return the cached file, or call `make(temporary_path)` and keep what it wrote.

    `make` may write companions (external data) beside the temporary path, in its folder; they are
    moved along. A full disk or a read-only folder is a ModelError that names the folder.
    """
    found = lookup(path, key)
    if found is not None:
        return found
    try:
        return _make(path, key, make)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and path.parent.is_dir():
            raise
        raise ModelError(
            "cannot-write", f"{path.parent}: cannot write {path.name} ({error.strerror or error})."
        ) from error


def lookup(path: Path, key: str) -> Entry | None:
    """The cached file if it is whole and was made for this key."""
    sidecar = _sidecar(path)
    try:
        record = json.loads(sidecar.read_text(encoding="utf-8"))
        if record["key"] != key:
            return None
        doubtful = False
        for name, stamp in record["files"].items():
            stat = (path.parent / name).stat()
            if stat.st_size != stamp["size"]:
                return None
            doubtful |= stat.st_mtime_ns != stamp["mtime_ns"]
        if doubtful and not _refresh(path, record):
            return None
        return Entry(path, record["sha256"], record["facts"], made=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def noted(path: Path, folder: Path, read: Callable[[Path], Facts]) -> Facts:
    """Facts about a user's file, kept in `folder` by path, size and time, so read only once."""
    stat = path.stat()
    key = key_of(str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    note = folder / f"{key[:24]}.json"
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        if isinstance(facts, dict) and facts.get("key") == key:
            return facts
    except (OSError, ValueError):
        pass
    facts = {"key": key, "file": path.name, "sha256": file_sha256(path), **read(path)}
    write_json(note, facts)
    return facts


def write_json(path: Path, value: object) -> None:
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{os.getpid()}-{path.name}")
    temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _make(path: Path, key: str, make: Callable[[Path], Facts]) -> Entry:
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    folder = path.parent / f".tmp-{os.getpid()}-{key[:8]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        facts = make(folder / path.name)
        names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
        digests = {name: file_sha256(folder / name) for name in names}
        _sidecar(path).unlink(missing_ok=True)
        for name in names:
            (path.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).replace(path.parent / name)
        files = {name: _stamp(path.parent / name, digests[name]) for name in names}
        sha256 = digests[path.name] if len(names) == 1 else key_of(*sorted(digests.items()))
        write_json(_sidecar(path), {"key": key, "sha256": sha256, "facts": facts, "files": files})
        return Entry(path, sha256, facts, made=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _stamp(path: Path, sha256: str) -> dict[str, object]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}


def _refresh(path: Path, record: Facts) -> bool:
    """Hash files whose time differs; if they are the same bytes, note the new time."""
    stamps = {
        name: _stamp(path.parent / name, stamp["sha256"]) for name, stamp in record["files"].items()
    }
    if any(file_sha256(path.parent / name) != stamp["sha256"] for name, stamp in stamps.items()):
        return False
    write_json(_sidecar(path), {**record, "files": stamps})
    return True


def _sweep(folder: Path) -> None:
    """Remove what a killed process left behind."""
    for leftover in folder.glob(".tmp-*"):
        owner = leftover.name.split("-")[1]
        if owner.isdigit() and int(owner) != os.getpid() and not _alive(int(owner)):
            if leftover.is_dir():
                shutil.rmtree(leftover, ignore_errors=True)
            else:
                leftover.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
