"""What the command ``trt-compat inspect`` does.

Files are read and told one after the other, so that a folder of any size takes no more memory
than one file.
"""

from __future__ import annotations

import argparse
import errno
import glob
import json
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import IO

from rich.console import Console

from compat.engine.inspection import inspect_file
from compat.engine.telling import details, row, summary
from compat.errors import UserError

SUFFIXES = (".engine", ".plan", ".trt")


def inspect(arguments: argparse.Namespace, console: Console) -> int:
    """Tell what each file is; 1 where one is no engine, is cut, or contradicts its manifest."""
    files = engines(arguments.files)
    try:
        return _tell(files, console.file, as_json=arguments.json, digest=arguments.digest)
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; the interpreter must not flush into it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _tell(files: Iterator[Path], out: IO[str], *, as_json: bool, digest: bool) -> int:
    first, second = next(files), next(files, None)
    alone = second is None and not as_json
    rest = files if second is None else chain((second,), files)
    count = holding = checked = 0
    for path in chain((first,), rest):
        found = inspect_file(path, digest=digest)
        if as_json:
            out.write("[\n" if count == 0 else ",\n")
            out.write(json.dumps(found.as_dict()))
        else:
            _write(out, details(found) if alone else row(found))
        count += 1
        holding += found.holds
        checked += found.manifest is not None and found.manifest.digest in ("matches", "differs")
    if as_json:
        out.write("\n]\n")
    elif not alone:
        _write(out, [summary(holding, count, checked, digest=digest)])
    out.flush()
    return 0 if holding == count else 1


def _write(out: IO[str], lines: Sequence[str]) -> None:
    for line in lines:
        out.write(line + "\n")


def engines(given: Sequence[Path]) -> Iterator[Path]:
    """Yield the files that paths, folders and patterns name; at least one.

    Raises:
        UserError: one of them names nothing.
    """
    groups = [_group(path) for path in given]
    return chain.from_iterable(groups)


def _group(path: Path) -> Iterator[Path]:
    # Path.is_dir() raises where a folder above is closed or a name is too long.
    if os.path.isdir(path):  # noqa: PTH112
        endings = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
        why = f"{path} holds no {endings}: name the engine file itself"
        return _at_least_one(_within(path), why)
    if _stands(path):
        return iter((path,))
    pattern = str(path)
    # Path.glob takes no absolute pattern.
    matches = sorted(glob.iglob(pattern, recursive=True)) if glob.has_magic(pattern) else []  # noqa: PTH207
    # A folder among them that holds none is passed over: the pattern did not ask for it.
    found = (_within(one) if one.is_dir() else iter((one,)) for one in map(Path, matches))
    return _at_least_one(chain.from_iterable(found), f"there is no file {path}")


def _at_least_one(found: Iterator[Path], otherwise: str) -> Iterator[Path]:
    first = next(found, None)
    if first is None:
        raise UserError(otherwise)
    return chain((first,), found)


def _stands(path: Path) -> bool:
    """Tell whether a path is there, or may be where the system does not let one look."""
    try:
        path.lstat()
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
    return True


def _within(folder: Path) -> Iterator[Path]:
    """Yield the engines of a folder and of those below it, links to folders left alone.

    A folder that cannot be listed comes itself, to be told as what cannot be opened.
    """
    closed: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=closed.append):
        folders.sort()
        yield from (Path(place, name) for name in sorted(names) if name.endswith(SUFFIXES))
    yield from (Path(error.filename) for error in closed)
