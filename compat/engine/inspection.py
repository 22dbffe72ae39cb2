"""One engine file, read without TensorRT and without a GPU.

Wrapper, plan, manifest: each says what it states, and what is wrong with it. Nothing here raises
because of what a file holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from compat.engine import beside, wrappers
from compat.engine.bounded import Bounded, UnreadableError
from compat.engine.plan_file import Plan, Stated, layout_at, read_plan
from compat.engine.plan_format import plan_format

Kind = Literal["plan", "other-runtime", "no-engine"]


@dataclass(slots=True)
class Inspection:
    """What a file is. `problems` is empty for an engine that is whole and as its manifest says.

    `wrappers` are the names and facts of what stands around the plan, the outermost first;
    `other` names a file that is no plan.
    """

    path: str
    kind: Kind = "no-engine"
    bytes: int = 0
    read_bytes: int = 0
    plan: Plan | None = None
    plan_at: int = 0
    wrappers: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    other: str = ""
    manifest: beside.Manifest | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether it is an engine with nothing wrong."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "path": self.path,
            "holds": self.holds,
            "kind": self.kind,
            "problems": self.problems,
            "bytes": self.bytes,
            "read_bytes": self.read_bytes,
            "wrappers": [{"name": name, **facts} for name, facts in self.wrappers],
            "other": self.other or None,
            "plan": _plan(self.plan, self.plan_at) if self.plan else None,
            "manifest": _manifest(self.manifest) if self.manifest else None,
        }


def inspect_file(path: Path | str, *, digest: bool = False) -> Inspection:
    """Read a file; with `digest` the whole of it where a manifest states one."""
    found = Inspection(str(path))
    try:
        with Bounded(path) as source:
            found.bytes = source.size
            try:
                _read(source, found)
            except UnreadableError as error:
                found.problems.append(str(error))
            found.read_bytes = source.read_bytes
    except UnreadableError as error:
        found.problems.append(str(error))
        return found
    _look_beside(found, digest=digest)
    return found


def _read(source: Bounded, found: Inspection) -> None:
    if source.size == 0:
        raise UnreadableError("is empty")
    start, end = 0, source.size
    for _ in range(wrappers.MAX_DEPTH + 1):
        layout = layout_at(source, start)
        if layout:
            found.kind, found.plan_at = "plan", start
            found.plan = read_plan(source, layout, start, end)
            found.problems += found.plan.problems
            return
        wrapper = wrappers.unwrap(source, start, end)
        if wrapper is None:
            break
        found.wrappers.append((wrapper.name, wrapper.facts))
        if wrapper.path:
            raise UnreadableError(
                f"holds no engine: it names {wrapper.path!r} as its engine's file"
            )
        start, end = wrapper.start, wrapper.end
    else:
        raise UnreadableError(f"has more than {wrappers.MAX_DEPTH} wrappers around each other")
    if found.wrappers:
        raise UnreadableError(f"no plan stands inside its wrapper, at byte {start}")
    _name(source, found)


def _name(source: Bounded, found: Inspection) -> None:
    """Say what a file is that is no plan."""
    row = wrappers.foreign(source)
    if row:
        found.other = row.name
        remedy = f": {row.remedy}" if row.remedy else ""
        found.problems.append(f"is {row.name}, not a TensorRT engine{remedy}")
        return
    first = source.upto(0, 4)
    known = ", ".join(repr(one.magic.decode("ascii")) for one in plan_format().layouts)
    found.problems.append(f"is no TensorRT engine: it begins with {first!r}, a plan with {known}")


def _look_beside(found: Inspection, *, digest: bool) -> None:
    manifest = found.manifest = beside.read_manifest(found.path)
    if manifest is None:
        return
    row = next((one for one in plan_format().foreign if one.name == found.other), None)
    if row and manifest.claims.get("flavour") in row.flavours:
        # The matrix has columns without TensorRT; their manifests say so.
        found.kind, found.problems = "other-runtime", []
    beside.check(manifest, found.path, found.bytes, found.plan)
    if digest:
        beside.check_digest(manifest, found.path)
    found.problems += manifest.problems


def _stated(values: dict[str, Stated]) -> dict[str, dict[str, Any]]:
    return {name: {"value": one.value, "how": one.how} for name, one in values.items()}


def _plan(plan: Plan, at: int) -> dict[str, Any]:
    return {
        "flavour": plan.flavour,
        "layout": plan.layout,
        "at": at,
        "bytes": plan.bytes,
        "declared_bytes": plan.declared_bytes,
        "arch": plan.arch or None,
        "stated": _stated(plan.stated),
        "device": _stated(plan.device),
        "sections": [
            {"tag": one.tag, "name": one.name, "at": one.at, "bytes": one.bytes}
            for one in plan.sections
        ],
        "notes": plan.notes,
    }


def _manifest(manifest: beside.Manifest) -> dict[str, Any]:
    return {
        "path": manifest.path,
        "claims": manifest.claims,
        "digest": manifest.digest,
        "problems": manifest.problems,
    }
