"""Pack what a far run found into one file of a limited size: records, outputs, samples, logs."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from compat.bundle.parts import parse_size
from compat.bundle.run import size_text
from compat.matrix import Plan
from compat.records import as_line

INDEX = "result.json"
# Room for the compressor's last block, tar's end and the index.
_RESERVE = 40_000

# What a judgement needs comes first; what a full file has no room for is left out by kind.
_KINDS = ("outputs", "golden", "manifests", "caches", "samples", "logs", "engines")


def limit(text: str) -> int | None:
    """Read --limit; an empty text is no limit. Raises BundleError."""
    return parse_size(text) if text else None


def pack(
    work: Path,
    plan: Plan,
    records: Sequence[Mapping[str, Any]],
    models: Mapping[str, str],
    target: Path,
    most: int | None,
    engines: bool,
) -> str:
    """Write the results file and say in words what it holds.

    Args:
        work: the far work folder.
        plan: with `golden` relative to the work folder.
        records: one for each item and round that was answered.
        models: digest of each prepared model.
        target: the file to write.
        most: its largest size in bytes; what has no room is left out and named.
        engines: put the engines in, too.
    """
    left: Counter[str] = Counter()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(target.name + ".new")
    with (
        draft.open("wb") as raw,
        tarfile.open(fileobj=raw, mode="w:gz", compresslevel=6) as archive,
    ):
        _add(archive, "plan.json", json.dumps(plan.as_dict(), default=list).encode())
        _add(archive, "records.jsonl", "".join(map(as_line, records)).encode())
        for kind, path in _files(work, plan, records, engines):
            if most is not None and raw.tell() + path.stat().st_size + _RESERVE > most:
                left[kind] += 1
            else:
                archive.add(path, str(path.relative_to(work)), recursive=False)
        index = _index(plan, models, len(records), left)
        _add(archive, INDEX, json.dumps(index, indent=1).encode())
    draft.replace(target)
    missing = ", ".join(f"{count} {kind}" for kind, count in left.items())
    size = size_text(target.stat().st_size)
    return f"{size}; left out for its limit: {missing}" if missing else size


def _index(
    plan: Plan, models: Mapping[str, str], answered: int, left: Mapping[str, int]
) -> dict[str, Any]:
    """Return what a merge asks of a results file before it uses it."""
    return {
        "schema": 1,
        "config": plan.config,
        "quick": plan.quick,
        "models": dict(models),
        "machine": plan.machine,
        "host": hashlib.sha256(platform.node().encode()).hexdigest(),
        "answered": answered,
        "left_out": dict(left),
    }


def _files(
    work: Path, plan: Plan, records: Iterable[Mapping[str, Any]], engines: bool
) -> Iterator[tuple[str, Path]]:
    """Yield each file worth taking with its kind, the most needed first."""
    found: dict[str, set[Path]] = {kind: set() for kind in _KINDS}
    for points in plan.golden.values():
        found["golden"].update(work / path for path in points.values())
    for record in records:
        for role, name in record["files"].items():
            if role == "engine":
                found["manifests"].add(work / f"{name}.json")
                if engines:
                    found["engines"].add(work / name)
            else:
                kind = {"log": "logs", "layers": "logs", "samples": "samples"}.get(role, "outputs")
                found[kind].add(work / name)
    found["logs"].update((work / "logs").glob("*.log"))
    caches = (work / "caches").glob("*")
    found["caches"].update(path for path in caches if path.suffix != ".lock")
    for kind in _KINDS:
        yield from ((kind, path) for path in sorted(found[kind]) if path.is_file())


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
