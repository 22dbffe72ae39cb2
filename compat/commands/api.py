"""What the commands ``trt-compat api`` do."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from compat.api import formats
from compat.api.diff import Change, changes
from compat.api.findings import Finding
from compat.api.scan import files, upgrades
from compat.api.scan import scan as scan_paths
from compat.api.surface import surface
from compat.api.upgrade import Upgrade
from compat.engine.telling import plain

_ORDER = ("low", "medium", "high")
_TITLES = {
    "gone": "gone",
    "renamed": "renamed",
    "signature": "another signature",
    "value": "another value",
    "type": "another type",
    "new": "new",
}


def diff(arguments: argparse.Namespace, console: Console) -> int:
    """Print what differs between two releases."""
    known = surface(arguments.flavour)
    upgrade = Upgrade(known, known.resolve(arguments.before), known.resolve(arguments.after))
    found = changes(upgrade)
    if arguments.json:
        head = {"flavour": arguments.flavour, "from": upgrade.before, "to": upgrade.after}
        data = {"schema": 1, **head, "changes": [asdict(one) for one in found]}
        console.print(json.dumps(data, indent=2), markup=False)
        return 0
    console.print(f"{arguments.flavour} {upgrade.before} -> {upgrade.after}", markup=False)
    for what, title in _TITLES.items():
        those = [one for one in found if one.what == what]
        if those:
            console.print(f"\n{title} ({len(those)})", markup=False)
        for one in those:
            console.print("  " + _told(one), markup=False)
    if not found:
        console.print("nothing differs")
    return 0


def _told(change: Change) -> str:
    name = change.symbol
    if change.what in ("gone", "renamed"):
        use = f"  -> {change.replacement}" if change.replacement else ""
        return f"{name}  ({change.release}){use}"
    if change.what == "new":
        return f"{name}  ({change.release})"
    if change.what == "signature":
        old, new = (text.replace("\n", "\n      or ") for text in (change.before, change.after))
        return f"{name}  ({change.release})\n    - {old}\n    + {new}"
    old, new = (
        text.replace(" =", ", can be set") if change.what == "type" else text
        for text in (change.before, change.after)
    )
    return f"{name}  ({change.release})  {old} -> {new}"


def scan(arguments: argparse.Namespace, console: Console) -> int:
    """Print what breaks in the user's code; 1 where something does."""
    between = upgrades(arguments.before, arguments.after, arguments.flavour)
    least = _ORDER.index(arguments.confidence)
    found = [
        one for one in scan_paths(arguments.paths, between)
        if _ORDER.index(one.confidence) >= least
    ]  # fmt: skip
    kind = "json" if arguments.json else arguments.format
    if kind == "json":
        text = json.dumps(formats.as_json(found, between), indent=2)
        console.print(text, markup=False)
    elif kind == "sarif":
        console.print(json.dumps(formats.as_sarif(found), indent=2), markup=False)
    elif kind == "github":
        for line in formats.as_annotations(found):
            console.print(line, markup=False)
    else:
        _table(found, between[arguments.flavour], arguments.paths, console)
    return 1 if any(one.level == "error" for one in found) else 0


def _table(found: list[Finding], upgrade: Upgrade, paths: Sequence[Path], console: Console) -> None:
    for one in found:
        where = f"{plain(one.file)}:{one.line}:{one.column}"
        sure = "" if one.confidence == "high" else f" ({one.confidence} confidence)"
        console.print(
            f"{where}: {one.level}: [{one.rule}] {plain(one.message)}{sure}", markup=False
        )
        if one.replacement:
            console.print(f"    instead: {one.replacement}", markup=False)
    counts = Counter(one.level for one in found)
    where = f"in {len({one.file for one in found})} files"
    if not found:
        read = len(set(files(paths)))
        where = f"in what was read ({read} file{'' if read == 1 else 's'})"
    console.print(
        f"{upgrade.surface.flavour} {upgrade.before} -> {upgrade.after}: "
        f"{counts['error']} break, {counts['warning']} to look at, {where}",
        markup=False,
    )
