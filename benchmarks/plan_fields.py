"""Which field of a plan follows which change: a table out of real plans that differ in one thing.

``python benchmarks/plan_fields.py OUT/*`` takes the folders that ``plan_variations.py`` wrote, each
of one release, and compares every plan with that release's ``base``. Header bytes that differ and
belong to no known field are named, too: they are what ``plan_format.toml`` still has to learn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from compat.engine.inspection import Inspection, inspect_file
from compat.engine.plan_file import Plan
from compat.engine.plan_format import plan_format


def main() -> int:
    """Print a table for each folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    for folder in parser.parse_args().folders:
        base = folder / "base.engine"
        if not base.exists():
            raise SystemExit(f"{folder} holds no base.engine: run plan_variations.py")
        print(f"\n## {folder.name}\n")
        print("\n".join(_stated(inspect_file(base))))
        print("\n| changed | bytes | fields that follow | other header bytes that differ |")
        print("|---|--:|---|---|")
        for path in sorted(folder.glob("*.engine")):
            if path != base:
                print(_row(base, path))
    return 0


def _row(base: Path, path: Path) -> str:
    one, other = inspect_file(base), inspect_file(path)
    fields = ", ".join(_changes(one, other)) or "none"
    rest = ", ".join(_unexplained(base, path, one)) or "none"
    return f"| {path.stem} | {path.stat().st_size:,} | {fields} | {rest} |"


def _stated(found: Inspection) -> Iterator[str]:
    assert found.plan is not None, found.problems
    for name, value in _flat(found.plan):
        yield f"- {name}: {value}"


def _changes(one: Inspection, other: Inspection) -> Iterator[str]:
    assert one.plan is not None
    if other.plan is None:
        yield "is no plan: " + "; ".join(other.problems)
        return
    before = dict(_flat(one.plan))
    for name, value in _flat(other.plan):
        if before.get(name) != value:
            yield f"{name} {before.get(name)} → {value}"


def _flat(plan: Plan) -> Iterator[tuple[str, object]]:
    if plan.declared_bytes is not None:
        yield "declared_bytes", plan.declared_bytes
    for name, stated in (*plan.stated.items(), *plan.device.items()):
        yield name, stated.value
    for section in plan.sections:
        yield section.tag, section.bytes


def _unexplained(base: Path, path: Path, one: Inspection) -> Iterator[str]:
    """Yield the 4-byte words of the header that differ and belong to no known field."""
    assert one.plan is not None
    layout = next(row for row in plan_format().layouts if row.id == one.plan.layout)
    with base.open("rb") as first, path.open("rb") as second:
        old, new = first.read(layout.header), second.read(layout.header)
    known = {place.at + byte for place in layout.places for byte in range(place.bytes)}
    for word in range(0, min(len(old), len(new)), 4):
        if old[word : word + 4] != new[word : word + 4] and word not in known:
            yield f"{word}: {old[word : word + 4].hex()} → {new[word : word + 4].hex()}"


if __name__ == "__main__":
    raise SystemExit(main())
