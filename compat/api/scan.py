"""Scan the user's code for what breaks, or means something else, between two releases.

``scan(paths, upgrades)`` is what the command and the report use. Nothing of the code is run.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sys
import tokenize
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from compat.api import trtexec
from compat.api.calls import MODULES, POLYGRAPHY_IMPORT, required
from compat.api.findings import Finding, without_ignored
from compat.api.flow import Flow
from compat.api.frames import spoken
from compat.api.reporter import Reporter
from compat.api.surface import VersionError, surface
from compat.api.upgrade import Upgrade
from compat.api.values import Tables
from compat.errors import UserError

# The runtimes that share TensorRT's version numbers.
_TOGETHER = ("tensorrt", "tensorrt_lean", "tensorrt_dispatch")
_LARGEST = 4_000_000
_PASSES = 4
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_TEXT_NAMES = re.compile(
    r"(?:.*\.(?:sh|bash|zsh|ya?ml|dockerfile|mk|cmake|bat|cmd|ps1|groovy|toml|cfg|ini|json|bzl|just)"
    r"|(?:Dockerfile|Containerfile|Makefile|GNUmakefile|Jenkinsfile|justfile|BUILD|Taskfile)(?:\..*)?)$",
    re.I,
)
_SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


class PathError(UserError):
    """A path to scan does not exist."""


def upgrades(before: str, after: str, flavour: str = "tensorrt") -> dict[str, Upgrade]:
    """Return flavour -> surfaces of both releases; of TensorRT with its lean and dispatch runtimes.

    Raises:
        VersionError: no surface was collected for one of the versions.

    """
    wanted = _TOGETHER if flavour in _TOGETHER else (flavour,)
    found = {}
    for one in (flavour, *(other for other in wanted if other != flavour)):
        known = surface(one)
        try:
            found[one] = Upgrade(known, known.resolve(before), known.resolve(after))
        except VersionError:
            # The lean and dispatch runtimes begin at 8.6; TensorRT itself at 8.5.
            if one == flavour:
                raise
    return found


def scan(paths: Iterable[Path], between: Mapping[str, Upgrade]) -> list[Finding]:
    """Return the findings in files and folders, in their order.

    Raises:
        PathError: a path does not exist.

    """
    found: list[Finding] = []
    # A file under two of the paths is one file. Path.resolve() fails at a link to itself.
    every = {os.path.abspath(one): one for one in files(paths)}  # noqa: PTH100
    for path in every.values():
        found += scan_file(path, between)
    return found


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that a scan reads, and the folders that cannot be listed.

    A file that is named itself is always read.

    Raises:
        PathError: a path does not exist, or the system does not let one look.
    """
    for path in paths:
        try:
            file, is_folder = path.is_file(), path.is_dir()
        except OSError as error:  # a folder above is closed, a name is too long
            raise PathError(f"{path}: cannot be scanned: {error.strerror}") from None
        if file:
            yield path
        elif is_folder:
            closed: list[OSError] = []
            for folder, folders, names in os.walk(path, onerror=closed.append):
                folders[:] = sorted(one for one in folders if _wanted(Path(folder, one)))
                for name in sorted(names):
                    if name.endswith((".py", ".pyi", ".ipynb")) or _TEXT_NAMES.match(name):
                        yield Path(folder, name)
            yield from (Path(error.filename) for error in closed)
        else:
            raise PathError(f"{path}: no such file or folder to scan; name Python files or folders")


def _wanted(folder: Path) -> bool:
    """Return whether a folder holds the user's code: no cache, no environment, nothing hidden."""
    hidden = folder.name.startswith(".") and folder.name not in (".github", ".gitlab", ".circleci")
    return not hidden and folder.name not in _SKIPPED and not _is_environment(folder)


def _is_environment(folder: Path) -> bool:
    # Path.exists() raises in a folder that may be listed and not entered.
    return os.path.exists(folder / "pyvenv.cfg")  # noqa: PTH110


def scan_file(path: Path, between: Mapping[str, Upgrade]) -> list[Finding]:
    """Return the findings of one file; one that cannot be read is a finding itself."""
    name = path.as_posix()
    try:
        if path.is_dir():
            return [_unread(name, "a folder that cannot be listed")]
        if not path.is_file():
            return []
        if path.stat().st_size > _LARGEST:
            return [_unread(name, f"larger than {_LARGEST // 1_000_000} MB")]
        raw = path.read_bytes()
    except OSError as error:
        return [_unread(name, error.strerror or type(error).__name__)]
    if not _worth_reading(between).search(raw):
        return []
    return _scan_bytes(raw, path, between)


def _scan_bytes(raw: bytes, path: Path, between: Mapping[str, Upgrade]) -> list[Finding]:
    name, python = path.as_posix(), path.suffix in (".py", ".pyi")
    if path.suffix == ".ipynb":
        return [_unread(name, "a notebook: jupyter nbconvert --to script makes Python of it")]
    try:
        text = raw.decode(_encoding(raw) if python else "utf-8-sig")
    except (UnicodeDecodeError, SyntaxError, LookupError):
        return [_unread(name, "neither UTF-8 nor in an encoding that it declares")]
    return scan_text(text, name, between, python=python)


def _encoding(raw: bytes) -> str:
    """Return the encoding of Python's source, as its first two lines declare it (PEP 263).

    Raises:
        SyntaxError: they declare one that does not exist, or contradict the byte order mark.
    """
    return tokenize.detect_encoding(io.BytesIO(raw).readline)[0]


def scan_text(
    text: str, name: str, between: Mapping[str, Upgrade], *, python: bool = True
) -> list[Finding]:
    """Return the findings of a file's text."""
    full = between.get("tensorrt")
    options = trtexec.Options(full.before, full.after) if full else None
    if not python and not (text.startswith("#!") and "python" in text.partition("\n")[0]):
        found = list(trtexec.in_text(text, name, options)) if options else []
        return _ordered(without_ignored(dict.fromkeys(found), text, name))
    try:
        with warnings.catch_warnings():
            # What Python thinks of the user's escapes is not asked.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        found = _python(tree, name, between)
        if options and "trtexec" in text.lower():
            found += trtexec.in_python(tree, text, name, options)
    except (SyntaxError, ValueError) as error:
        reader = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        line = error.lineno if isinstance(error, SyntaxError) else 1
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        return [_unread(name, f"{reader} cannot parse it: {why}", line or 1)]
    except (RecursionError, MemoryError):
        return [_unread(name, "nested too deeply")]
    return _ordered(without_ignored(dict.fromkeys(found), text, name))


def _ordered(found: Iterable[Finding]) -> list[Finding]:
    return sorted(found, key=lambda one: (one.line, one.column, one.rule))


def _unread(name: str, why: str, line: int = 1) -> Finding:
    return Finding("unread", name, line, 1, "", f"not scanned: {why}")


def _python(tree: ast.Module, name: str, between: Mapping[str, Upgrade]) -> list[Finding]:
    nodes = list(ast.walk(tree))
    imported, own_names = _look(nodes)
    # The flavour that a file imports comes first: of it are the objects whose class is not known.
    order = sorted(between, key=lambda flavour: flavour not in imported)
    reporter = Reporter(
        {one: between[one] for one in order}, name, bool(imported), frozenset(own_names)
    )
    tables = Tables(mentions=_mentions(nodes))
    for last in range(_PASSES):
        tables.changed = False
        Flow(reporter, tables).module_body(tree)
        tables.end_pass()
        if not tables.changed or last == _PASSES - 2:
            break
    reporter.collecting = True
    Flow(reporter, tables).module_body(tree)
    return list(reporter.found.values())


def _look(nodes: Iterable[ast.AST]) -> tuple[set[str], set[str]]:
    """Return the flavours that a file imports, and the methods that its own classes define.

    An object of unknown class may be of one of these.
    """
    names: set[str] = set()
    methods: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
            if any(one.name == POLYGRAPHY_IMPORT for one in node.names):
                names.add("tensorrt")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(required(node.value))
        elif isinstance(node, ast.ClassDef):
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            methods |= {one.name for one in node.body if isinstance(one, functions)}
    return {MODULES[one] for one in names if one in MODULES}, methods


def _mentions(nodes: Iterable[ast.AST]) -> dict[str, frozenset[int]]:
    """Return the names of functions and classes, with the places outside that speak of them."""
    spans: dict[str, list[tuple[int, int]]] = {}
    named: list[ast.Name | ast.Attribute] = []
    for node in nodes:
        if isinstance(node, (ast.Name, ast.Attribute)):
            named.append(node)
        elif isinstance(node, _DEFINITIONS) and not node.name.startswith("__"):
            spans.setdefault(node.name, []).append((node.lineno, node.end_lineno or 0))
    found: dict[str, set[int]] = {}
    for one in named:
        name = spoken(one)
        own = spans.get(name)
        if own is not None and not any(first <= one.lineno <= last for first, last in own):
            found.setdefault(name, set()).add(id(one))
    return {name: frozenset(where) for name, where in found.items()}


_patterns: dict[tuple[str, ...], re.Pattern[bytes]] = {}


def _worth_reading(between: Mapping[str, Upgrade]) -> re.Pattern[bytes]:
    """Return what a file must hold to be read: the library's name, trtexec, or a lost method's."""
    key = tuple(f"{one}:{up.before}:{up.after}" for one, up in between.items())
    if key not in _patterns:
        lost = {
            symbol.rpartition(".")[2]
            for up in between.values()
            for symbol in up.surface
            if "_" in symbol.rpartition(".")[2].strip("_") and up.lost(symbol)
        }
        words = [b"tensorrt", b"trtexec", b"TRTEXEC", *sorted(one.encode() for one in lost)]
        _patterns[key] = re.compile(b"|".join(re.escape(one) for one in words))
    return _patterns[key]
