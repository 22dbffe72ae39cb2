"""One flavour between two releases: what is there, what is gone, what a call returns."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compat.api.surface import Surface, version_key

_NAME = re.compile(r"[A-Za-z_][\w.]*")
# What wraps a type in a documented signature without changing what its attributes are.
_CONTAINERS = ("List", "list", "Sequence", "Iterable", "Iterator", "typing.List", "Tuple", "tuple")


@dataclass(frozen=True)
class Replacement:
    """What took a symbol's place, and who says so."""

    use: str
    renamed: bool
    source: str


@cache
def replacements() -> dict[str, Replacement]:
    """Return symbol -> replacement from ``replacements.toml``."""
    text = Path(__file__).with_name("replacements.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    return {
        symbol: Replacement(
            row["use"], row.get("renamed", False), data["source"][row["source"]]["url"]
        )
        for row in data["replacement"]
        for symbol in row["symbols"]
    }


class Upgrade:
    """The surfaces of two releases of one flavour."""

    def __init__(self, surface: Surface, before: str, after: str) -> None:
        """Take two collected releases (``Surface.resolve`` finds them)."""
        self.surface, self.before, self.after = surface, before, after
        self._lines: dict[str, tuple[str, ...]] = {}
        self._enums: dict[tuple[str, str], dict[int | None, str]] = {}
        self._there: dict[str, bool] = {}
        self._types: dict[str, tuple[str, bool]] = {}
        self.owners: dict[str, list[str]] = {}
        for symbol in surface:
            owner, dot, name = symbol.rpartition(".")
            if dot and (surface.latest(owner) or ("",))[0] == "class":
                self.owners.setdefault(name, []).append(symbol)

    def there(self, symbol: str) -> bool:
        """Return whether the target release has the symbol."""
        if symbol not in self._there:
            self._there[symbol] = self.surface.row(symbol, self.after) is not None
        return self._there[symbol]

    def real(self, symbol: str) -> str:
        """Return the class behind an alias (``Logger.Severity``)."""
        row = self.surface.latest(symbol)
        return row[1] if row and row[0] == "alias" else symbol

    def line(self, owner: str) -> tuple[str, ...]:
        """Return a class and its bases."""
        if owner not in self._lines:
            row = self.surface.latest(owner)
            bases = row[1].split(",") if row and row[0] in ("class", "enum") and row[1] else []
            self._lines[owner] = (owner, *bases)
        return self._lines[owner]

    def member(self, owner: str, name: str) -> str | None:
        """Return the symbol that a class, or a base of it, has under this name.

        That of the target release where there is one, else that of any release; None: unknown.
        """
        known = [f"{one}.{name}" for one in self.line(owner) if f"{one}.{name}" in self.surface]
        return next((one for one in known if self.there(one)), known[0] if known else None)

    def lost(self, symbol: str) -> bool:
        """Return whether a known symbol is not in the target release, though its owner is."""
        owner = symbol.rpartition(".")[0]
        if self.there(symbol):
            return False
        return not owner or self.there(owner)

    def fixed(self, symbol: str) -> bool:
        """Return whether a property of the target release can no longer be set."""
        row = self.surface.row(symbol, self.after)
        if row is None or row[0] != "property" or row[1].endswith("="):
            return False
        return any(text.endswith("=") for _, text in self.surface.rows(symbol))

    def fixed_at(self, symbol: str) -> str:
        """Return the first release after the old one where a property cannot be set; "" if none."""
        order = self.surface.releases
        span = order[order.index(self.before) : order.index(self.after) + 1]
        rows = [(one, self.surface.row(symbol, one)) for one in span]
        if not rows or rows[0][1] is None or not rows[0][1][1].endswith("="):
            return ""
        return next((one for one, row in rows if row and not row[1].endswith("=")), "")

    def first(self, differs: Callable[[str], bool]) -> str:
        """Return the first release behind the old one, up to the new, of which something holds."""
        order = self.surface.releases
        span = order[order.index(self.before) + 1 : order.index(self.after) + 1]
        return next((one for one in span if differs(one)), self.after)

    def meaning_until(self, enum: str, value: int, name: str) -> str:
        """Return the first release in which an integer is no longer this member of an enum."""
        return self.first(lambda one: self.enum_name(enum, value, one) != name)

    def breaks_at(self, symbol: str) -> str:
        """Return the first release after the old one without the symbol; "" where it never was."""
        if self.surface.row(symbol, self.before) is None:
            return ""
        return self.surface.lost_after(symbol, self.before) or ""

    @cache  # noqa: B019 - an upgrade lives as long as the process
    def when(self, release: str) -> str:
        """Return "at 11.0.0.114", or "by 10.0.0b6 (9.x was not collected)" behind a gap."""
        order = self.surface.releases
        at = order.index(release)
        low, high = version_key(order[max(at - 1, 0)]), version_key(release)
        gaps = [one for one in self.surface.gaps if low < version_key(one) < high]
        if not gaps:
            return f"at {release}"
        majors = ", ".join(sorted({f"{one.partition('.')[0]}.x" for one in gaps}))
        return f"by {release} ({majors} was not collected)"

    def text(self, symbol: str) -> tuple[str, str]:
        """Return kind and text in the target release, or in the last that has it."""
        row = self.surface.row(symbol, self.after) or self.surface.latest(symbol)
        return row or ("", "")

    def type_of(self, symbol: str) -> tuple[str, bool]:
        """Return the class that a call returns, or a property has, and whether it is in a list."""
        if symbol not in self._types:
            self._types[symbol] = self._type_of(symbol)
        return self._types[symbol]

    def _type_of(self, symbol: str) -> tuple[str, bool]:
        # Some releases document a return type that is none of Python's; another one names it.
        for kind, text in (self.text(symbol), *self.surface.rows(symbol)):
            texts = {text.removesuffix(" =")} if kind in ("property", "value") else set()
            if kind in ("method", "function", "static"):
                texts = {
                    one.rpartition("->")[2].strip() for one in text.splitlines() if "->" in one
                }
            found = {self._class(one) for one in texts}
            if len(found) == 1 and ("", False) not in found:
                return found.pop()
        return "", False

    def _class(self, text: str) -> tuple[str, bool]:
        text = text.removeprefix("Optional[").removesuffix(" | None").strip()
        inside = text.startswith(tuple(f"{one}[" for one in _CONTAINERS))
        for name in _NAME.findall(text):
            if (self.surface.latest(name) or ("",))[0] in ("class", "enum"):
                return name, inside
        return "", False

    def enum_value(self, symbol: str, version: str) -> int | None:
        """Return the integer of an enum member in a release."""
        row = self.surface.row(symbol, version)
        return int(row[1]) if row and row[0] == "member" else None

    def enum_name(self, enum: str, value: int, version: str) -> str | None:
        """Return the member of an enum with this integer in a release."""
        if (enum, version) not in self._enums:
            names = [one for one in self.surface if one.startswith(enum + ".")]
            values = {self.enum_value(one, version): one.rpartition(".")[2] for one in names}
            self._enums[enum, version] = values
        return self._enums[enum, version].get(value)
