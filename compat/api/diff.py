"""What the Python API of one release has and the other has not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from compat.api.upgrade import Upgrade, replacements


@dataclass(frozen=True)
class Change:
    """One symbol that differs."""

    what: Literal["gone", "renamed", "new", "signature", "value", "type"]
    symbol: str
    before: str = ""
    after: str = ""
    release: str = ""  # the first collected release with the change
    replacement: str = ""
    source: str = ""


def changes(upgrade: Upgrade) -> list[Change]:
    """Return what differs between two releases, in the order of the symbols.

    What belongs to a class that is gone, or new, is not told again.
    """
    found = []
    for symbol in sorted(upgrade.surface):
        if symbol.rpartition(".")[2].startswith("__"):
            continue
        old = upgrade.surface.row(symbol, upgrade.before)
        new = upgrade.surface.row(symbol, upgrade.after)
        if old == new or _inside_changed(upgrade, symbol):
            continue
        if new is None:
            known = replacements().get(symbol)
            use, source = (known.use, known.source) if known else ("", "")
            what: Literal["renamed", "gone"] = "renamed" if known and known.renamed else "gone"
            release = upgrade.breaks_at(symbol)
            found.append(Change(what, symbol, release=release, replacement=use, source=source))
        elif old is None:
            release = next(
                one for one in upgrade.surface.releases[_at(upgrade) :]
                if upgrade.surface.row(symbol, one)
            )  # fmt: skip
            found.append(Change("new", symbol, after=new[1], release=release))
        else:
            change = _changed(upgrade, symbol, old, new)
            if change:
                found.append(change)
    return found


def _at(upgrade: Upgrade) -> int:
    order = upgrade.surface.releases
    return min(order.index(upgrade.before), order.index(upgrade.after))


def _inside_changed(upgrade: Upgrade, symbol: str) -> bool:
    owner = symbol.rpartition(".")[0]
    if not owner:
        return False
    return (upgrade.surface.row(owner, upgrade.before) is None) != (
        upgrade.surface.row(owner, upgrade.after) is None
    ) or _inside_changed(upgrade, owner)


def _changed(
    upgrade: Upgrade, symbol: str, old: tuple[str, str], new: tuple[str, str]
) -> Change | None:
    kind, before, after = new[0], _plain(old[1]), _plain(new[1])
    if before == after and old[0] == new[0]:
        return None
    order = upgrade.surface.releases
    span = order[order.index(upgrade.before) : order.index(upgrade.after) + 1]
    release = next((one for one in span if upgrade.surface.row(symbol, one) != old), upgrade.after)
    if kind == "member":
        return Change("value", symbol, before, after, release)
    if kind in ("method", "function", "static"):
        return Change("signature", symbol, before, after, release)
    if kind in ("property", "value"):
        return Change("type", symbol, before, after, release)
    return None


# pybind11 spells the same types differently from one of its versions to the next.
_SPELLINGS = (
    ("typing.SupportsInt", "int"),
    ("typing.SupportsFloat", "float"),
    ("typing_extensions.Buffer", "buffer"),
    ("typing_extensions.CapsuleType", "capsule"),
    ("collections.abc.Sequence[", "list["),
    ("collections.abc.", ""),
    ("typing.", ""),
    ("Optional[buffer]", "buffer"),
    ("List[", "list["),
    ("Dict[", "dict["),
    ("Tuple[", "tuple["),
    ("Iterable[", "iterable["),
    ("Sequence[", "list["),
    ("Callable[", "callable["),
)


def _plain(text: str) -> str:
    for spelling, plain in _SPELLINGS:
        text = text.replace(spelling, plain)
    return text
