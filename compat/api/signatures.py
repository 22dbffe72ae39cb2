"""Whether a call fits a documented signature."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_DEFAULT = re.compile(r"(?<![=<>!])=(?!=)")


@dataclass(frozen=True)
class Signature:
    """The parameters of one overload, without ``self``."""

    names: tuple[str, ...]
    required: int
    any_positional: bool = False
    any_named: bool = False

    def takes(self, positional: int, named: Sequence[str]) -> bool:
        """Return whether a call with so many values and these names fits."""
        if positional > len(self.names) and not self.any_positional:
            return False
        rest = self.names[positional:]
        if not self.any_named and not set(named) <= set(rest):
            return False
        missing = set(self.names[positional : self.required]) - set(named)
        return not missing


@lru_cache(maxsize=4096)
def overloads(text: str) -> tuple[Signature, ...]:
    """Parse the documented signatures of a symbol, one a line; what cannot be parsed takes all."""
    return tuple(_parse(line) for line in text.splitlines())


_ANYTHING = Signature((), 0, any_positional=True, any_named=True)


def _parse(line: str) -> Signature:
    parts = _parameters(line)
    if parts is None:
        return _ANYTHING
    names, required, positional, named = [], 0, False, False
    for number, one in enumerate(parts):
        name = re.split(r"[:=\s]", one, maxsplit=1)[0]
        if one.startswith("**"):
            named = True
        elif one.startswith("*"):
            positional = positional or len(name) > 1
        elif not (number == 0 and name in ("self", "this")) and name != "/":
            names.append(name)
            if not _DEFAULT.search(one):
                required = len(names)
    return Signature(tuple(names), required, positional, named)


def _parameters(line: str) -> list[str] | None:
    """Return what stands between the commas of the parentheses; None without an end."""
    depth, begin, parts = 0, 0, []
    for at in range(max(line.find("("), 0), len(line)):
        letter = line[at]
        if letter in "([{<":
            depth += 1
            begin = at + 1 if depth == 1 else begin
        elif letter in ")]}" or (letter == ">" and line[at - 1] != "-"):
            depth -= 1
        if depth == 0 or (letter == "," and depth == 1):
            parts.append(line[begin:at].strip())
            begin = at + 1
        if depth == 0:
            return [one for one in parts if one]
    return None


def fits(text: str, positional: int, named: Sequence[str]) -> bool:
    """Return whether any overload takes the call; without signatures every call fits."""
    found = overloads(text)
    return not found or any(one.takes(positional, named) for one in found)
