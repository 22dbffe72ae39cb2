"""Folders that are made once: a lock while one is made, a stamp written last when it is whole.

A folder without its stamp was interrupted and counts for nothing. Environments cannot be built
elsewhere and renamed, because the paths inside them are absolute.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from compat.targets.spec import Progress, TargetError

_NAME = "trt-compat-stamp.json"


def digest(value: object) -> str:
    """Return the sha256 of a JSON value, independent of the order of its keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read(folder: Path, recipe: str) -> dict[str, str] | None:
    """Return the facts stamped on a whole folder of this recipe, or None."""
    try:
        stamp = json.loads((folder / _NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(stamp, dict) or stamp.get("recipe") != recipe:
        return None
    return {str(key): str(value) for key, value in stamp.items()}


def write(folder: Path, recipe: str, facts: Mapping[str, str]) -> None:
    """Declare the folder whole; survives a power cut in either state."""
    draft = folder / (_NAME + ".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"recipe": recipe, **facts}, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _NAME)


def clear(folder: Path) -> None:
    """Remove the folder, its stamp first: a removal that is cut short must not look whole."""
    (folder / _NAME).unlink(missing_ok=True)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


@contextmanager
def locked(folder: Path, deadline: float, progress: Progress) -> Iterator[int]:
    """Hold `<folder>.lock` and yield its descriptor; TimeoutError at the (monotonic) deadline.

    The descriptor is to be passed on to the children that write into the folder: one that
    outlives a killed parent then keeps the lock, and nobody builds beside it.
    """
    path = folder.with_name(folder.name + ".lock")
    with open_lock(path) as handle:
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    progress(f"waiting for another run that makes {folder.name}")
                    told = True
                if time.monotonic() > deadline:
                    raise TimeoutError(str(path)) from None
                time.sleep(0.1)
        yield handle


@contextmanager
def open_lock(path: Path) -> Iterator[int]:
    """Open (and create) a lock file; TargetError if the work folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = (
            f"{path.parent}: cannot be written ({error.strerror}). Give another work folder, or "
            "make this one writable."
        )
        raise TargetError(message) from error
    try:
        yield handle
    finally:
        os.close(handle)
