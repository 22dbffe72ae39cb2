"""The store keeps every whole line, whatever ended the process that wrote it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from compat.records import RecordsError, RecordStore, as_line, read_records


def _record(item: str, key: str = "k", status: str = "ok") -> dict[str, Any]:
    return {"item": item, "round": None, "key": key, "status": status}


def test_a_record_is_found_by_item_round_and_key(tmp_path: Path) -> None:
    """A record of other circumstances never answers."""
    store = RecordStore(tmp_path / "records.jsonl")
    store.append(_record("load/a"))

    assert store.find("load/a", None, "k") is not None
    assert store.find("load/a", None, "other") is None
    assert store.find("load/a", 1, "k") is None


def test_the_newest_record_of_a_key_wins(tmp_path: Path) -> None:
    """`--retry` appends; nothing is overwritten."""
    path = tmp_path / "records.jsonl"
    store = RecordStore(path)
    store.append(_record("load/a", status="crashed"))
    store.append(_record("load/a"))

    reopened = RecordStore(path).find("load/a", None, "k")

    assert reopened is not None
    assert reopened["status"] == "ok"
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_a_half_written_line_costs_only_itself(tmp_path: Path) -> None:
    """What kill -9 leaves behind is passed over, and the next line starts on its own."""
    path = tmp_path / "records.jsonl"
    RecordStore(path).append(_record("load/a"))
    with path.open("a", encoding="utf-8") as stream:
        stream.write('{"item": "load/b", "rou')

    RecordStore(path).append(_record("load/c"))

    assert [record["item"] for record in read_records(path)] == ["load/a", "load/c"]


def test_the_records_of_a_kept_report_may_be_packed(tmp_path: Path) -> None:
    """What stands in git is small; the file itself, where it is there, is the newer one."""
    path = tmp_path / "records.jsonl"
    RecordStore(path).append(_record("load/a"))
    packed = path.with_name("records.jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()

    assert [record["item"] for record in read_records(path)] == ["load/a"]

    RecordStore(path).append(_record("load/b"))
    assert [record["item"] for record in read_records(path)] == ["load/b"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "another file"])
def test_damaged_packed_records_are_told_in_one_line(tmp_path: Path, damage: str) -> None:
    """A part of the records read as all of them would be another answer."""
    path = tmp_path / "records.jsonl"
    packed = bytearray(gzip.compress(as_line(_record("load/a")).encode() * 500))
    if damage == "flipped":
        packed[len(packed) // 2] ^= 0xFF
    data = {"cut": packed[:-20], "another file": b"PK\3\4"}.get(damage, packed)
    (tmp_path / "records.jsonl.gz").write_bytes(data)

    with pytest.raises(RecordsError, match=r"records\.jsonl\.gz: cannot be unpacked"):
        list(read_records(path))
