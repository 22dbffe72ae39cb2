"""What Python computes from TensorRT's version: ``int(v.split(".")[0]) >= 10`` and its kin."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any

from compat.api.values import NOTHING, Release, Value, constant

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
    ast.BitOr: operator.or_,
    ast.FloorDiv: operator.floordiv,
}
PARSERS = frozenset({"parse", "Version", "LooseVersion", "StrictVersion", "parse_version"})
_METHODS = frozenset({"split", "rsplit", "startswith", "strip", "partition", "replace", "lstrip"})
SEARCHES = frozenset({"match", "search", "fullmatch", "findall"})
_PARTS = {"major": 0, "minor": 1, "micro": 2}
_LARGE = 1 << 70
_SHORT = 200
_VERSION_CHARACTERS = 16


def compared(left: Value, ops: Sequence[ast.cmpop], right: Sequence[Value]) -> Value:
    """Return what a comparison of constants gives."""
    result, all_ = True, (left, *right)
    if not all(one.known for one in all_):
        return Value()
    for op, a, b in zip(ops, all_, right, strict=False):
        first, second = a.const, b.const
        if isinstance(first, Release) != isinstance(second, Release):
            first, second = _release(first), _release(second)
        try:
            result = result and bool(_COMPARE[type(op)](first, second))
        except TypeError:
            return Value()
    return constant(result, any(one.derived for one in all_))


class Groups(tuple[Any, ...]):
    """What a regular expression found."""


def _release(value: object) -> object:
    if isinstance(value, str):
        return Release.of(value)
    return value


def computed(op: ast.operator, left: Value, right: Value) -> Value:
    """Return what an operator on constants gives."""
    if not (left.known and right.known) or type(op) not in _BINARY:
        return Value()
    numbers = all(type(one.const) is int for one in (left, right))
    # A text times a number, or a long shift, is as large as it likes.
    if isinstance(op, (ast.Mult, ast.LShift)) and not numbers:
        return Value()
    try:
        if isinstance(op, ast.LShift) and right.const not in range(70):
            raise OverflowError
        result = _BINARY[type(op)](left.const, right.const)
    except (TypeError, ValueError, ArithmeticError):
        return Value()
    long = isinstance(result, (str, tuple)) and len(result) > 10_000
    large = isinstance(result, int) and abs(result) > _LARGE
    return Value() if long or large else constant(result, left.derived or right.derived)


def called(name: str, owner: Value | None, arguments: Sequence[Value]) -> Value:
    """Return what a builtin, a method of str or a version parser gives for constants.

    `name`: the last part of the callee; `owner`: the object of a method.
    """
    derived = any(one.derived for one in (*arguments, *((owner,) if owner else ())))
    given = [one.const for one in arguments]
    if any(one is NOTHING for one in given):
        return Value()
    try:
        if owner is not None and isinstance(owner.const, (str, Groups)):
            return constant(_method(owner.const, name, given), derived)
        if len(given) == 1 and name in PARSERS and isinstance(given[0], str):
            return constant(Release.of(given[0]), derived)
        if len(given) == 1 and name in ("int", "float", "str", "bool", "len"):
            functions: dict[str, Callable[[Any], Any]] = {
                "int": int, "float": float, "str": str, "bool": bool, "len": len,
            }  # fmt: skip
            return constant(functions[name](given[0]), derived)
        if len(given) == 1 and name in ("tuple", "list") and isinstance(given[0], (tuple, str)):
            return constant(tuple(given[0]), derived)
    except (TypeError, ValueError, AttributeError, OverflowError, IndexError):
        pass
    return Value()


def _method(owner: str | Groups, name: str, given: Sequence[Any]) -> object:
    """Return what a method of a text, or of a match in one, gives.

    Raises:
        ValueError: it is none of those that versions are read with.
    """
    if isinstance(owner, Groups) and name in ("group", "groups"):
        return tuple(owner[1:]) if name == "groups" else owner[(*given, 0)[0]]
    # A version is short; a longer text could grow with each call.
    long = any(isinstance(one, str) and len(one) > _SHORT for one in (owner, *given))
    if isinstance(owner, Groups) or name not in _METHODS or long:
        raise ValueError(name)
    got = getattr(owner, name)(*given)
    return tuple(got) if isinstance(got, list) else got


def searched(function: str, pattern: Value, text: Value) -> Value:
    """Return what ``re`` finds in a version, as the groups, the whole first."""
    if not (isinstance(pattern.const, str) and isinstance(text.const, str) and text.derived):
        return Value()
    # A pattern may take time that doubles with each character of the text.
    if len(pattern.const) > _SHORT or len(text.const) > _VERSION_CHARACTERS:
        return Value()
    try:
        got = getattr(re, function)(pattern.const, text.const)
    except (re.error, RecursionError):
        return Value()
    if isinstance(got, re.Match):
        got = Groups((got[0], *got.groups()))
    return constant(tuple(got) if isinstance(got, list) else got, True)


def mapped(function: str, values: Value) -> Value:
    """Return ``map(int, values)``."""
    if function != "int" or not isinstance(values.const, tuple):
        return Value()
    try:
        return constant(tuple(int(one) for one in values.const), values.derived)
    except (TypeError, ValueError):
        return Value()


def part(value: Value, name: str) -> Value:
    """Return an attribute of a parsed version."""
    if not isinstance(value.const, Release):
        return Value()
    if name in _PARTS:
        padded = (*value.const, 0, 0, 0)
        return constant(padded[_PARTS[name]], value.derived)
    if name in ("release", "version"):
        return constant(tuple(value.const), value.derived)
    return Value()


def indexed(value: Value, index: object) -> Value:
    """Return an item or a slice of a constant."""
    if isinstance(value.const, (str, tuple)) and isinstance(index, (int, slice)):
        try:
            return constant(value.const[index], value.derived)
        except (IndexError, TypeError, ValueError):
            return Value()
    return Value()
