"""The record store: one JSON line per observed fact, append-only, safe against kill -9."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from compat.errors import UserError

SCHEMA = 1

_BROKEN = ("failed", "crashed", "timeout")

Key = tuple[str, int | None, str]


class RecordsError(UserError):
    """A packed file of records is damaged."""


class RecordStore:
    """``records.jsonl`` of one work dir; one process writes it (see ``conductor.lock``).

    A record is found by its item, its round and the key of everything that determined it, so that
    quick and full runs and several configurations share one store and never answer each other.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_key = {_key(record): record for record in read_records(path)}

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record to disk before returning."""
        line = as_line(record)
        with self.path.open("a", encoding="utf-8") as stream:
            if stream.tell() and not _ends_with_newline(self.path):
                stream.write("\n")  # the last writer was killed in the middle of a line
            stream.write(line)
            stream.flush()
            os.fsync(stream.fileno())
        self._by_key[_key(record)] = dict(record)

    def find(self, item: str, round_: int | None, key: str) -> Mapping[str, Any] | None:
        """Return the newest record of an item and round that `key` determined, or None."""
        return self._by_key.get((item, round_, key))

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self._by_key.values())


def as_line(record: Mapping[str, Any]) -> str:
    """Return a record as its line of ``records.jsonl``, newline included.

    Raises:
        ValueError: a number in it is not finite.
    """
    whole = {"schema": SCHEMA, **record}
    return json.dumps(whole, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def unanswered(
    item: str, round_: int | None, cell: Mapping[str, Any], **found: Any
) -> dict[str, Any]:
    """Make the record of an item that no suite could write: what is not in `found` is empty."""
    return {
        "item": item,
        "key": "",
        "round": round_,
        "numbers": {},
        "facts": {},
        "files": {},
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "seconds": 0.0,
        **cell,
        "target": {},
        **found,
    }


def is_broken(record: Mapping[str, Any]) -> bool:
    """Tell whether a record says that something broke.

    What a runtime does with an engine that was damaged on purpose is an answer, whatever it is;
    only a failure before the runtime had it, such as a digest that lets it through, is none.
    What another tool says beside ours is none of ours, whatever it is.
    """
    if record["status"] not in _BROKEN or record["check"].startswith("trtexec"):
        return False
    if record["check"] != "damaged":
        return True
    return record["status"] == "failed" and "broke_at" not in record["facts"]


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the records of a file; a half-written last line is passed over.

    A report that is kept may hold them packed: where the file is not there, its ``.gz`` is read.
    Raises RecordsError where that one is damaged: nobody writes it line by line.
    """
    for line in _lines(path):
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict) and "item" in record:
            yield record


def _lines(path: Path) -> Iterator[str]:
    packed = path.with_name(path.name + ".gz")
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as stream:
            yield from stream
    elif packed.is_file():
        try:
            with gzip.open(packed, "rt", encoding="utf-8", errors="replace") as stream:
                yield from stream
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise RecordsError(f"{packed}: cannot be unpacked ({error}); copy it again") from None


def _key(record: Mapping[str, Any]) -> Key:
    return record["item"], record.get("round"), record["key"]


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
