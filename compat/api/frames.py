"""Where names live while a file is read: scopes, and what is known at a point of the code."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from compat.api.reporter import Caught
from compat.api.values import UNKNOWN, Value, join


@dataclass
class Frame:
    """A scope at a point of the code; a way of a branch holds only what it changes."""

    names: dict[str, Value] = field(default_factory=dict)
    parent: Frame | None = None
    function: str = ""
    owner: str = ""
    present: set[str] = field(default_factory=set)
    caught: Caught | None = None
    shared: set[str] = field(default_factory=set)
    before: Frame | None = None
    fails: str = ""  # a condition that is known not to hold in the ``elif`` that stands here

    def branch(self) -> Frame:
        """Return the frame of one way of a branch."""
        return Frame(
            {}, self.parent, self.function, self.owner,
            set(self.present), self.caught, self.shared, self,
        )  # fmt: skip

    def merge(self, *ways: Frame) -> None:
        """Take over what the ways that come to an end together know."""
        for name in {name: None for way in ways for name in way.names}:
            values = [way.find(name) or UNKNOWN for way in ways]
            joined = values[0] if all(one == values[0] for one in values) else join(values)
            if joined.known and joined != values[0]:
                # A constant on one way only is none behind them.
                joined = Value(joined.atoms, items=joined.items, each=joined.each)
            self.names[name] = joined
        self.present = set.intersection(*(way.present for way in ways)) if ways else set()

    def find(self, name: str) -> Value | None:
        """Return what a name stands for, looked up as Python does."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.before or frame.parent
        return None


def spoken(node: ast.Name | ast.Attribute) -> str:
    """Return the last word of a name."""
    return node.id if isinstance(node, ast.Name) else node.attr


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
