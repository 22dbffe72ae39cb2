"""Options of trtexec, in Python's subprocess calls and in shell, CI, YAML and Docker files."""

from __future__ import annotations

import ast
import re
import tomllib
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from compat.api.findings import Confidence, Finding
from compat.api.surface import version_key

_COMMAND = re.compile(r"(?<![\w.\-])(?:[\w./\\${}~\-]*/)?trtexec(?:\.exe)?(?![\w./\-,:])")
# A variable that holds its path: $TRTEXEC, ${TRTEXEC_BIN}, $(TRTEXEC).
_VARIABLE = re.compile(r"[$%][{(]?\w*TRTEXEC\w*[})%]?", re.I)
_OPTION = re.compile(r"(?<![\w\-])--?([A-Za-z][A-Za-z0-9]*)(?=[=\s\"'\],;)\\:]|$)")
_VALUE = re.compile(r"=[\"']?([\w+,\-]+)")
_EXPANDED = re.compile(r"[$%][{(]?(\w+)")
_ASSIGNED = re.compile(
    r"^\s*(?:-\s+)?(?:export |ENV |ARG |set |local |readonly )?\s*\"?(\w+)\"?\s*(?:\+?=|:)"
)
# What a job or a step is called.
_TITLE = re.compile(
    r"(?:-\s+)?[\"']?(?:display_?name|name|description|title|summary)[\"']?\s*:\s|stage\s*\(", re.I
)
# What ends a command in a shell line, outside quotes.
_END = re.compile(r"\|\||&&|[;|]|(?<!\S)\d?[<>]|\)\s*$| #")


@dataclass(frozen=True)
class Rule:
    """An option that a release took away."""

    gone: str
    use: str
    renamed: bool
    source: str


@cache
def _data() -> dict[str, object]:
    text = Path(__file__).with_name("trtexec.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def rules() -> Mapping[str, Rule]:
    """Return option, or option=value, -> rule."""
    rows: Sequence[Mapping[str, object]] = _data()["flag"]  # type: ignore[assignment]
    return {
        name: Rule(str(row["gone"]), str(row["use"]), bool(row.get("renamed")), str(row["source"]))
        for row in rows
        for name in row["names"]  # type: ignore[attr-defined]
    }


class Options:
    """What trtexec's options mean between two releases of the full TensorRT."""

    def __init__(self, before: str, after: str) -> None:
        """Take the two releases."""
        self.before, self.after = before, after

    def crossed(self, release: str) -> bool:
        """Return whether the upgrade crosses a release."""
        return version_key(self.before) < version_key(release) <= version_key(self.after)

    def refused(
        self, option: re.Match[str], file: str, line: int, column: int,
        confidence: Confidence = "high",
    ) -> Iterator[Finding]:  # fmt: skip
        """Yield a finding if the target release refuses an option, or one of its values."""
        name = option[1]
        value = _VALUE.match(option.string, option.end())
        listed = value[1].split(",") if value else []
        for key in (name, *(f"{name}={one.lstrip('+-')}" for one in listed)):
            rule = rules().get(key)
            if rule is None or version_key(self.after) < version_key(rule.gone):
                continue
            told = f"trtexec {self.after} refuses --{key}: gone at {rule.gone}"
            at = rule.gone if self.crossed(rule.gone) else ""
            yield Finding(
                "trtexec-flag", file, line, column, f"trtexec --{name}", told, at, rule.use,
                rule.source, confidence,
            )  # fmt: skip

    def defaults(
        self, names: Collection[str], file: str, line: int, column: int
    ) -> Iterator[Finding]:
        """Yield a warning for a call that leaves to the release what it measures."""
        rows: Sequence[Mapping[str, object]] = _data()["default"]  # type: ignore[assignment]
        for row in rows:
            silent: list[str] = [*row["levels"], *row["not-measuring"]]  # type: ignore[misc]
            measuring: list[str] = row["measuring"]  # type: ignore[assignment]
            if not self.crossed(str(row["changed"])) or set(silent) & set(names):
                continue
            if set(measuring) & set(names):
                told = (
                    f"from {row['changed']} on trtexec measures without transfers, spinning and in "
                    "a CUDA graph unless told otherwise: its times are not those of before"
                )
                yield Finding(
                    "trtexec-default", file, line, column, "trtexec", told, str(row["changed"]),
                    str(row["use"]), str(row["source"]), "medium",
                )  # fmt: skip


def in_text(text: str, file: str, options: Options) -> Iterator[Finding]:
    """Yield the findings of a shell, YAML, Docker, Make or other text file."""
    lines = text.splitlines()
    assigned: dict[str, list[tuple[int, str]]] = {}
    given: dict[str, set[str]] = {}
    last = ""
    for number, line in enumerate(lines, 1):
        found = _ASSIGNED.match(line)
        if found or not lines[number - 2].rstrip().endswith("\\"):
            last = found[1] if found else ""
        if last and "-" in line:
            assigned.setdefault(last, []).append((number, line))
    number = 0
    while number < len(lines):
        parts = [(number + 1, _plain(lines[number]))]
        if not _called(parts[0][1]):
            number += 1
            continue
        number += 1
        while number < len(lines) and _goes_on(parts[-1][1], lines[number]):
            parts.append((number + 1, _plain(lines[number])))
            number += 1
        yield from _command(parts, assigned, given, file, options)


def _plain(line: str) -> str:
    """Return a line without its comment."""
    stripped = line.lstrip()
    if stripped.startswith(("#", "//", "REM ", "rem ")) or _TITLE.match(stripped):
        return ""
    return re.sub(r"\s#\s.*$", "", line)


def _called(line: str) -> re.Match[str] | None:
    found = _COMMAND.search(line) or _VARIABLE.search(line)
    if not found or re.match(
        r"\s*(?:RUN )?(?:which|command -v|find|ls|cp|chmod|ln|echo|test|mv|rm)\s", line
    ):
        return None
    # The path given to a variable, without options behind it, calls nothing.
    if (
        re.match(r"\s*(?:export |ENV |ARG )?\w*TRTEXEC\w*\s*[:?]?=", line, re.I)
        and "--" not in line
    ):
        return None
    return found


def _goes_on(line: str, following: str) -> bool:
    """Return whether a command goes on in the next line: a backslash, or more options (YAML)."""
    if line.rstrip().endswith(("\\", "^", "`")):
        return True
    if line.startswith("ENTRYPOINT") and following.startswith("CMD"):
        return True
    return bool(re.match(r"\s+(?:-\s+)?[\"']?--[A-Za-z]", following)) or bool(
        re.match(r"\s*args:\s*(\[|$)", following)
    )


def _command(
    parts: Sequence[tuple[int, str]],
    assigned: dict[str, list[tuple[int, str]]],
    given: dict[str, set[str]],
    file: str,
    options: Options,
) -> Iterator[Finding]:
    names: set[str] = set()
    begun = _called(parts[0][1])
    assert begun is not None
    for number, line in parts:
        start = begun.end() if number == parts[0][0] else 0
        end = _END.search(line, start)
        over = end.start() if end else len(line)
        for found in _OPTION.finditer(line, start, over):
            names.add(found[1])
            yield from options.refused(found, file, number, found.start() + 1)
        for variable in _EXPANDED.finditer(line, start, over):
            # Told once, however often it is used.
            for at, text in assigned.pop(variable[1], ()):
                for found in _OPTION.finditer(text):
                    given.setdefault(variable[1], set()).add(found[1])
                    yield from options.refused(found, file, at, found.start() + 1, "medium")
            names |= given.get(variable[1], set())
        if end:
            break
    yield from options.defaults(names, file, parts[0][0], begun.start() + 1)


def in_python(tree: ast.Module, text: str, file: str, options: Options) -> Iterator[Finding]:
    """Yield the findings of the trtexec calls that a Python file puts together.

    The options in one expression with the word are certain. A list that begins with the word is
    followed through ``+=``, ``append`` and ``extend`` in the same function.
    """
    lines = text.splitlines()
    named = [number for number, line in enumerate(lines, 1) if "trtexec" in line.lower()]
    for found in _in_python(tree, named, file, options):
        name, line = found.symbol.rpartition(" ")[2], found.line
        # Strings side by side are one to the parser, which knows only where the first begins.
        while found.rule == "trtexec-flag" and line < len(lines) and name not in lines[line - 1]:
            line += 1
        at = lines[line - 1].find(name) if line <= len(lines) else -1
        yield replace(found, line=line, column=at + 1) if at >= 0 else found


def _in_python(
    tree: ast.Module, named: list[int], file: str, options: Options
) -> Iterator[Finding]:
    paths, lists = _paths(tree), _lists(tree)
    for scope in _scopes(tree):
        texts = _docstrings(scope)
        holders = {f"{owner}.{name}" for name in paths for owner in ("self", "cls")}
        for node in _inside(scope):
            # Where neither the word nor a list that begins with it stands there is nothing to see.
            near = bisect_left(named, node.lineno)
            if not holders and (near == len(named) or named[near] > (node.end_lineno or 0)):
                continue
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                words = _words(node.value)
                if any(_is_command(word.value) for word in words) or _names_it(node.value, holders):
                    goes_to = node.targets if isinstance(node, ast.Assign) else [node.target]
                    holders |= {ast.unparse(one) for one in goes_to}
                    yield from _python_command(words, node.value, lists, file, options)
            elif isinstance(node, ast.AugAssign) and ast.unparse(node.target) in holders:
                yield from _python_options(_words(node.value), file, options)
            elif isinstance(node, ast.Expr) and id(node) not in texts:
                if _adds(node.value, holders):
                    yield from _python_options(_words(node.value), file, options)
                elif isinstance(node.value, (ast.Call, ast.Await)) and _runs(node.value, holders):
                    yield from _python_command(_words(node.value), node.value, lists, file, options)
            else:
                yield from _result(node, lists, file, options)


def _paths(tree: ast.Module) -> set[str]:
    """Return the attributes of the file's classes that hold the path of trtexec."""
    found = set()
    for made in ast.walk(tree):
        if not isinstance(made, ast.ClassDef):
            continue
        for node in ast.walk(made):
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
                words = _words(node.value)
                goes_to = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(_PATH.fullmatch(str(word.value)) for word in words):
                    inside = node in made.body
                    found |= {
                        ast.unparse(one).removeprefix("self.").removeprefix("cls.")
                        for one in goes_to
                        if inside or isinstance(one, ast.Attribute)
                    }
    return found


def _lists(tree: ast.Module) -> dict[str, list[ast.Constant]]:
    """Return the options that a name stands for, as ``FLAGS = {"fp16": ["--fp16"]}`` has them."""
    found: dict[str, list[ast.Constant]] = {}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            goes_to = node.targets if isinstance(node, ast.Assign) else [node.target]
            plain = isinstance(node.value, (ast.List, ast.Tuple, ast.Dict, ast.Constant))
            words = _words(node.value) if plain else []
            if not any(_is_command(word.value) for word in words):
                told = [word for word in words if str(word.value).startswith("--")]
                found |= {one.id: told for one in goes_to if told and isinstance(one, ast.Name)}
    return found


def _result(node: ast.stmt, lists: _Lists, file: str, options: Options) -> Iterator[Finding]:
    """Yield the findings of a command that is returned, or runs around a ``with``."""
    value = node.value if isinstance(node, ast.Return) else None
    if isinstance(node, ast.With):
        value = node.items[0].context_expr
    words = _words(value) if value is not None else []
    if value is not None and any(_is_command(word.value) for word in words):
        yield from _python_command(words, value, lists, file, options)


def _adds(node: ast.expr, holders: set[str]) -> bool:
    """Return whether an expression puts more into a command's list."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("append", "extend", "insert")
        and ast.unparse(node.func.value) in holders
    )


_PROSE = frozenset({"print", "info", "debug", "warning", "error", "add_argument", "log", "write"})


def _runs(node: ast.expr, holders: set[str]) -> bool:
    call = node.value if isinstance(node, ast.Await) else node
    name = getattr(getattr(call, "func", None), "attr", "") or getattr(
        getattr(call, "func", None), "id", ""
    )
    if name in _PROSE:
        return False
    if any(_is_command(word.value) for word in _words(node)):
        return True
    first = call.args[0] if isinstance(call, ast.Call) and call.args else None
    return first is not None and _names_it(first, holders) and not isinstance(first, ast.Name)


def _names_it(node: ast.expr, holders: set[str]) -> bool:
    """Return whether an expression contains a list that begins with the word, or a path of it."""
    return any(
        isinstance(one, (ast.Name, ast.Attribute))
        and (
            ast.unparse(one) in holders or "trtexec" in ast.unparse(one).rpartition(".")[2].lower()
        )
        for one in ast.walk(node)
        if not isinstance(one, ast.Call)
    )


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def _inside(scope: ast.AST) -> Iterator[ast.stmt]:
    """Yield a scope's own statements, in order."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, ast.stmt):
            yield child
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(child, (ast.stmt, ast.ExceptHandler, ast.match_case)):
            yield from _inside(child)


def _docstrings(scope: ast.AST) -> set[int]:
    return {
        id(one)
        for one in getattr(scope, "body", ())
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
    }


def _words(node: ast.expr) -> list[ast.Constant]:
    return [
        one
        for one in ast.walk(node)
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    ]


_Lists = Mapping[str, Sequence[ast.Constant]]
_PATH = re.compile(r"(?:\S*[/\\])?trtexec(?:\.exe)?")
_BEGINS = re.compile(r"\s*(?:[^\s\"']*[/\\])?trtexec(?:\.exe)?(?:\s|$)")
_HOLDS = re.compile(r"(?:^|[\s;&|])(?:[^\s]*/)?trtexec\s+--")


def _is_command(word: object) -> bool:
    return isinstance(word, str) and bool(_BEGINS.match(word) or _HOLDS.search(word))


def _python_options(
    words: Sequence[ast.Constant], file: str, options: Options, sure: Confidence = "high"
) -> Iterator[Finding]:
    for word in words:
        for line_offset, line in enumerate(str(word.value).split("\n")):
            for found in re.finditer(r"(?:^|(?<=\s))--([A-Za-z][A-Za-z0-9]*)(?=[=\s]|$)", line):
                # In a string over several lines the columns are those of its text.
                column = word.col_offset + 1 if line_offset == 0 else found.start() + 1
                yield from options.refused(found, file, word.lineno + line_offset, column, sure)


def _python_command(
    words: Sequence[ast.Constant], node: ast.expr, lists: _Lists, file: str, options: Options
) -> Iterator[Finding]:
    yield from _python_options(words, file, options)
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and one.id in lists:
            yield from _python_options(lists[one.id], file, options, "medium")
    names = [
        name for word in words for name in re.findall(r"--?([A-Za-z][A-Za-z0-9]*)", str(word.value))
    ]
    word = next((one for one in words if _is_command(one.value)), node)
    yield from options.defaults(names, file, word.lineno, word.col_offset + 1)
