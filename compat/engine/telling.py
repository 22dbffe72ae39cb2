"""An inspection in words: a block for one file, a line for each of several.

Names and metadata come out of files that nobody vouches for, so nothing that a terminal would
act on is passed through.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compat.engine.inspection import Inspection
from compat.engine.plan_file import Plan, Stated
from compat.engine.plan_format import plan_format

_FLAVOURS = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX"}
_NAMES = ("flavour", "version")
_DIGESTS = {
    "matches": "SHA-256 matches",
    "differs": "SHA-256 differs",
    "not-checked": "SHA-256 not checked (--digest reads the whole file)",
    "none": "it states no SHA-256",
}


def details(found: Inspection) -> list[str]:
    """Return what there is to say of one file, a line each."""
    lines = [f"{_mark(found)} {plain(found.path)}", *_problems(found)]
    for name, facts in found.wrappers:
        text = "; ".join(f"{key} {value}" for key, value in facts.items())
        lines.append(_line("wrapper", f"{name}{': ' if text else ''}{text}", ""))
    plan = found.plan
    if plan:
        declared = "" if plan.declared_bytes is None else f", declares {plan.declared_bytes:,}"
        lines.append(_line("built with", f"{_FLAVOURS[plan.flavour]} {plan.version or '?'}", ""))
        where = f" at {found.plan_at:,}" if found.plan_at else ""
        lines.append(_line("plan", f"{plan.bytes:,} bytes{where}{declared}", ""))
        lines += _values(plan.stated, plan)
        lines += _values(plan.device, plan)
        for one in plan.sections:
            text = f"{one.name}, {one.bytes:,} bytes at {one.at:,}"
            lines.append(_line(f"section {one.tag}", text, ""))
        lines += [
            _line("note", f"{note} (no plan of this kind was seen)", "") for note in plan.notes
        ]
    elif found.other:
        lines.append(_line("is", found.other, ""))
    lines.append(_line("manifest", _manifest(found), ""))
    return lines


def row(found: Inspection) -> list[str]:
    """Return one line, and below it what is wrong."""
    plan = found.plan
    flavour, version, gpu = "no engine", "", ""
    if plan:
        lean = plan.stated.get("lean_runtime")
        inside = "lean inside" if lean and lean.value == "embedded" else ""
        flavour, version = plan.flavour, plan.version
        gpu = ", ".join(filter(None, (built_for(plan), inside)))
    elif found.kind == "other-runtime" and found.manifest:
        flavour, version = (str(found.manifest.claims.get(key, "")) for key in _NAMES)
    line = (
        f"{_mark(found)} {plain(flavour):<13} {plain(version):<11} {gpu:<31} "
        f"{_size(found.bytes):>9}  {plain(found.path)}"
    )
    return [line, *_problems(found)]


def summary(holding: int, count: int, checked: int, *, digest: bool) -> str:
    """Return the last line of a table; of `checked` files a manifest stated the SHA-256."""
    how = f"the SHA-256 of {checked} was checked"
    if not digest:
        how = "no SHA-256 was checked (--digest reads the whole files)"
    return f"{holding} of {count} are whole engines that contradict nothing; {how}"


def built_for(plan: Plan) -> str:
    """Return the GPU that a plan was built for, in short; "" where it states none."""
    if "targets" in plan.stated:
        names = [str(name).removeprefix("sm_") for name in plan.stated["targets"].value]
        return "sm_" + ",".join(names) if names else ""
    arch = plan.arch
    level = plan.device.get("hardware_compatibility")
    return f"{arch}, {level.value}" if arch and level and level.value != "none" else arch


def plain(text: str) -> str:
    """Return a text with everything escaped that is not to be printed."""
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text
    )


def _mark(found: Inspection) -> str:
    return "✓" if found.holds else "✗"


def _problems(found: Inspection) -> Iterable[str]:
    return (f"    {plain(problem)}" for problem in found.problems)


def _values(values: dict[str, Stated], plan: Plan) -> list[str]:
    return [
        _line(name.replace("_", " "), _value(name, one.value, plan), one.how)
        for name, one in values.items()
        if name != "version"
    ]


def _value(name: str, value: Any, plan: Plan) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if name == "archive_format":
        known = plan_format().format_of(plan.flavour, value)
        return f"{value} (seen with {known.seen})" if known else f"{value} (not seen before)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(name: str, text: str, how: str) -> str:
    return f"    {name:<24} {plain(text)}{f'  [{how}]' if how else ''}"


def _manifest(found: Inspection) -> str:
    if found.manifest is None:
        return "none beside it"
    verdict = "contradicts" if found.manifest.problems else "agrees"
    return f"{verdict}; {_DIGESTS[found.manifest.digest]}"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
