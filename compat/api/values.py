"""What a scan knows of a value: the classes it may be of, and the constant it is, if it is one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple


class Atom(NamedTuple):
    """One thing that a value may be.

    ``module``, ``class``, ``object``, ``member`` (of an enum), ``callable``, ``members`` (the
    mapping of an enum), ``listing`` (``dir``), ``integer`` (of an enum member): TensorRT's, `name`
    is the symbol.
    ``function``, ``type``, ``instance``: of the file itself, `name` is its path there.
    ``parser``: of version texts, as ``packaging`` has them. ``other``: known to be none of these;
    ``library`` and ``passing`` (what it returns may be what it was given) are modules that are
    known, ``module``, ``class`` and ``method`` are those of files that are not read.
    """

    kind: str
    name: str
    flavour: str = ""


class Release(tuple[int, ...]):
    """A parsed version; compares as numbers."""

    @classmethod
    def of(cls, text: str) -> Release:
        """Parse the numbers in front; trailing zeros say nothing."""
        numbers = [int(part) for part in re.findall(r"\d+", re.split(r"[a-z]", text)[0])]
        while numbers and numbers[-1] == 0:
            numbers.pop()
        return cls(numbers)


class _Nothing:
    """No constant is known."""


NOTHING = _Nothing()
#: Something that is there in the target release, whatever it is.
PRESENT = object()
# Lists of tuples of objects are followed; (a, a) of (a, a) and so on would never end.
_DEEPEST = 4


@dataclass(frozen=True)
class Value:
    """What is known of a value.

    `derived`: the constant follows from TensorRT's version or surface, so a branch on it is settled
    for a target release; any other constant is the user's own and may change. `keys`: what any key
    of a written mapping may be; `each` is then any of its values.
    """

    atoms: frozenset[Atom] = frozenset()
    const: object = field(default=NOTHING)
    derived: bool = False
    items: tuple[Value, ...] | None = None
    each: Value | None = None
    keys: Value | None = None

    depth: int = field(default=0, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Let go of what stands deeper than any code that is meant to be read."""
        if self.items is None and self.each is None:
            return
        inner = max((one.depth + 1 for one in self.items or ()), default=0)
        inner = max(inner, self.each.depth + 1 if self.each else 0)
        if inner > _DEEPEST:
            object.__setattr__(self, "items", None)
            object.__setattr__(self, "each", None)
            inner = 0
        object.__setattr__(self, "depth", inner)

    @property
    def known(self) -> bool:
        """Return whether it is a constant."""
        return self.const is not NOTHING

    @property
    def text(self) -> bool:
        """Return whether it is a string, be it a known one or not."""
        return self.atoms == _TEXT

    @property
    def settled(self) -> bool | None:
        """Return the truth of a condition that only the target release decides."""
        return bool(self.const) if self.known and self.derived else None

    def element(self, at: object = NOTHING) -> Value:
        """Return what an index, or iterating, gives."""
        if self.items is not None:
            if isinstance(at, int) and -len(self.items) <= at < len(self.items):
                return self.items[at]
            return join(self.items)
        return self.each or UNKNOWN


_TEXT = frozenset({Atom("other", "str")})
UNKNOWN = Value()
OTHER = Value(frozenset({Atom("other", "")}))


@lru_cache(maxsize=8192)
def of(kind: str, name: str, flavour: str = "") -> Value:
    """Return a value of one kind."""
    return Value(frozenset({Atom(kind, name, flavour)}))


def constant(value: object, derived: bool) -> Value:
    """Return a constant."""
    return Value(frozenset({Atom("other", type(value).__name__)}), value, derived)


def join(values: Iterable[Value]) -> Value:
    """Return what holds where a value may be any of several."""
    found = list(dict.fromkeys(_hashable(values)))
    if len(found) == 1:
        return found[0]
    atoms = frozenset(atom for one in found for atom in one.atoms)
    lists = [one.items for one in found if one.items is not None]
    items = None
    if len(lists) == len(found) and lists and len({len(one) for one in lists}) == 1:
        items = tuple(join(column) for column in zip(*lists, strict=True))
    eachs = [one.element() for one in found if one.items is not None or one.each is not None]
    each = join(eachs) if eachs and items is None else None
    keys = [one.keys for one in found if one.keys is not None]
    return Value(atoms, items=items, each=each, keys=join(keys) if keys else None)


def _hashable(values: Iterable[Value]) -> Iterable[Value]:
    for one in values:
        # An unknown alternative takes nothing away: what is known of the others still breaks.
        if one != UNKNOWN:
            plain = isinstance(one.const, slice)
            yield Value(one.atoms, items=one.items, each=one.each) if plain else one


@dataclass
class Tables:
    """What a file's functions and classes take, return and hold, learnt over several passes."""

    functions: dict[str, object] = field(default_factory=dict)
    parameters: dict[tuple[str, str], Value] = field(default_factory=dict)
    returns: dict[str, Value] = field(default_factory=dict)
    attributes: dict[tuple[str, str], Value] = field(default_factory=dict)
    bases: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    properties: set[str] = field(default_factory=set)
    changed: bool = False
    # Name of a function or class -> where the file speaks of it; of these places, those that the
    # target release comes to in this pass, and those that it does not.
    mentions: dict[str, frozenset[int]] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)
    skipped: set[int] = field(default_factory=set)
    unused: frozenset[str] = frozenset()

    def end_pass(self) -> None:
        """Conclude which of them are used only where the target release does not come."""
        passed = self.skipped - self.live
        unused = frozenset(name for name, places in self.mentions.items() if places <= passed)
        self.changed |= unused != self.unused
        self.unused, self.live, self.skipped = unused, set(), set()

    def learn(self, table: dict[tuple[str, str], Value], key: tuple[str, str], new: Value) -> None:
        """Join what is new into a table."""
        old = table.get(key)
        joined = new if old is None else join((old, new))
        if old is not None and old.known and not (new.known and new.const == old.const):
            joined = Value(joined.atoms, items=joined.items, each=joined.each)
        if joined != old:
            table[key] = joined
            self.changed = True

    def returned(self, function: str, new: Value) -> None:
        """Join a value that a function returns."""
        old = self.returns.get(function)
        joined = new if old is None else join((old, new))
        if joined != old:
            self.returns[function] = joined
            self.changed = True
