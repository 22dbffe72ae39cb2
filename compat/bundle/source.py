"""One thing to merge: a results file of a far run, or the output folder of an ordinary one."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.bundle.parts import BundleError
from compat.bundle.results import INDEX
from compat.interchange import rows
from compat.records import read_records

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """A run as it was read: its plan, records that name their machine, and its models' digests.

    crosschecks: what other tools said, read in beside the run.
    models: what the models and their inputs were, in the runs' own names for them.
    left_out: kind of file to how many had no room in the results file.
    """

    path: Path
    plan: Mapping[str, Any]
    records: tuple[Record, ...]
    machine: str
    models: Mapping[str, str]
    left_out: Mapping[str, int] = field(default_factory=dict)
    crosschecks: tuple[Record, ...] = ()


def read(path: Path, folder: Path, name: str) -> Source:
    """Read a run; a results file is unpacked to `folder`/`name`, and its paths start there.

    Raises:
        BundleError: there is nothing that can be merged at `path`.
    """
    if path.is_dir():
        return _source(path, path, None)
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    try:
        with tarfile.open(path) as archive:
            _unpack(archive, place.resolve())
    except (OSError, tarfile.TarError, EOFError) as error:
        raise BundleError(
            f"{path}: is no results file of a far run, or was cut short ({error})"
        ) from None
    return _source(path, place, name)


def _unpack(archive: tarfile.TarFile, place: Path) -> None:
    """Write the plain files of a results file, which holds nothing else.

    By hand: tarfile's own filter came with Python 3.11.4, and Debian 12 has 3.11.2.
    """
    for info in archive:
        path = place / info.name
        content = archive.extractfile(info) if info.isfile() else None
        if content is None or not path.resolve().is_relative_to(place):
            raise tarfile.TarError(f"{info.name} is no plain file inside of it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            shutil.copyfileobj(content, target)


def _source(path: Path, place: Path, name: str | None) -> Source:
    try:
        plan = json.loads((place / "plan.json").read_text(encoding="utf-8"))
        plan["config"]["sha256"], plan["items"][0]["id"]
    except (OSError, ValueError, LookupError, TypeError):
        raise BundleError(f"{path}: holds no run (no readable plan.json)") from None
    records = tuple(read_records(place / "records.jsonl"))
    if not records:
        raise BundleError(f"{path}: holds no records")
    if name is not None:
        plan["golden"] = _below(name, plan["golden"])
        for record in records:
            # What had no room in the results, such as engines, is not named as if it were here.
            came = {r: p for r, p in (record.get("files") or {}).items() if (place / p).is_file()}
            record["files"] = _below(name, came)
    index = _index(place)
    machine = _machine(plan.get("machine") or {}, str(index.get("host", "")))
    crosschecks = tuple(rows.read(place))
    for record in (*records, *crosschecks):
        record.setdefault("machine", machine)
    inputs = {**_inputs(plan), **index.get("models", {})}
    return Source(path, plan, records, machine, inputs, index.get("left_out", {}), crosschecks)


def _inputs(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of the reference outputs: a digest of model and inputs is part of them."""
    return {
        f"{model} or its inputs at {point}": "/".join(Path(path).parts[-2:])
        for model, points in (plan.get("golden") or {}).items()
        for point, path in points.items()
    }


def _index(place: Path) -> dict[str, Any]:
    """Return what a results file says of itself; an ordinary output folder says nothing."""
    try:
        index: dict[str, Any] = json.loads((place / INDEX).read_text(encoding="utf-8"))
    except OSError:
        return {}
    return index


def _below(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return paths, nested or not, with the name of the unpacked folder before them."""
    return {
        key: _below(name, one) if isinstance(one, Mapping) else f"results/{name}/{one}"
        for key, one in value.items()
    }


def _machine(facts: Mapping[str, Any], host: str) -> str:
    """Name a machine: its GPUs, else its CPU, and a few digits that keep its likes apart."""
    digest = hashlib.sha256(json.dumps([facts, host], sort_keys=True).encode()).hexdigest()[:6]
    count = Counter(facts.get("gpus") or ())
    gpus = [gpu if n == 1 else f"{n} \N{MULTIPLICATION SIGN} {gpu}" for gpu, n in count.items()]
    what = ", ".join(gpus) or str(facts.get("cpu", "unknown machine"))
    return f"{what} [{digest}]"
