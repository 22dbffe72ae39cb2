"""Where names live while a file is read: scopes, and what is known at a point of the code."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from compat.api.reporter import Caught
from compat.api.values import UNKNOWN, Value, join


@dataclass
class Frame:
    """A scope at a point of the code."""

    names: dict[str, Value] = field(default_factory=dict)
    parent: Frame | None = None
    function: str = ""
    owner: str = ""
    present: set[str] = field(default_factory=set)
    caught: Caught | None = None
    shared: set[str] = field(default_factory=set)

    def branch(self) -> Frame:
        """Return a copy for one way of a branch."""
        return Frame(
            dict(self.names), self.parent, self.function, self.owner,
            set(self.present), self.caught, self.shared,
        )  # fmt: skip

    def merge(self, *ways: Frame) -> None:
        """Take over what the ways that come to an end together know."""
        names = {name for way in ways for name in way.names}
        self.names = {name: join(way.names.get(name, UNKNOWN) for way in ways) for name in names}
        for name in names:
            first = ways[0].names.get(name, UNKNOWN)
            if first.known and all(way.names.get(name) == first for way in ways):
                self.names[name] = first
            elif self.names[name].known and len(ways) > 1:
                # A constant on one way only is none behind them.
                loose = self.names[name]
                self.names[name] = Value(loose.atoms, items=loose.items, each=loose.each)
        self.present = set.intersection(*(way.present for way in ways)) if ways else set()

    def find(self, name: str) -> Value | None:
        """Return what a name stands for, looked up as Python does."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.parent
        return None

    @property
    def top(self) -> Frame:
        """Return the module's scope."""
        return self if self.parent is None else self.parent.top


def facts(test: ast.expr) -> tuple[set[str], set[str]]:
    """Return the attributes that are there if a condition holds, and if it does not."""
    if isinstance(test, ast.Call) and isinstance(test.func, ast.Name) and len(test.args) >= 2:
        named = test.args[1]
        if (
            test.func.id == "hasattr"
            and isinstance(named, ast.Constant)
            and isinstance(named.value, str)
        ):
            return {f"{ast.unparse(test.args[0])}.{named.value}"}, set()
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        holds, fails = facts(test.operand)
        return fails, holds
    if isinstance(test, ast.BoolOp):
        both = [facts(one) for one in test.values]
        if isinstance(test.op, ast.And):
            return set().union(*(holds for holds, _ in both)), set()
        return set(), set().union(*(fails for _, fails in both))
    return set(), set()
