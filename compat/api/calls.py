"""Calls in the user's code: what they return, and whether the target release takes them."""

from __future__ import annotations

import ast
import re

from compat.api import constants
from compat.api.expressions import Expressions
from compat.api.frames import Frame
from compat.api.libraries import CLASS, LIBRARY, METHOD, library
from compat.api.signatures import fits
from compat.api.values import OTHER, PRESENT, UNKNOWN, Atom, Value, constant, join, of

# Import name -> flavour.
MODULES = {
    f"{flavour}{suffix}": flavour
    for flavour in ("tensorrt", "tensorrt_lean", "tensorrt_dispatch", "tensorrt_rtx")
    for suffix in ("", "_bindings")
}
# Calls that take flags as an integer: position of the argument, its name, the enum of the bits.
_FLAGS = {
    "Builder.create_network": ("flags", "NetworkDefinitionCreationFlag"),
    "IBuilderConfig.set_tactic_sources": ("tactic_sources", "TacticSource"),
}
_IMPORTERS = frozenset(
    {"import_module", "__import__", "importorskip", "try_import", "lazy_import", "LazyLoader"}
)
_CASTS = frozenset({"astype", "to", "type", "array", "asarray", "ascontiguousarray", "tensor"})
# Names of inputs that ONNX models declare as INT64.
_INT64 = re.compile(
    r"input_ids|token_ids|attention_mask|token_type|position_ids|input_mask|segment"
)


#: The function by which Polygraphy's modules have TensorRT, or TensorRT-RTX.
POLYGRAPHY_IMPORT = "lazy_import_trt"
#: A decorator that keeps a test from running in the target release.
SKIP = of("other", "skip")


class Calls(Expressions):
    """Evaluates calls."""

    def _call(self, node: ast.Call, frame: Frame) -> Value:
        name = str(getattr(node.func, "attr", "") or getattr(node.func, "id", ""))
        builtin = isinstance(node.func, ast.Name) and frame.find(name) is None
        special = self._special(name, builtin, node, frame)
        if special is not None:
            return special
        owner = held = None
        if isinstance(node.func, ast.Attribute):
            base = self.value(node.func.value, frame)
            owner = base if base.known else None
            held = _held(base, name)
            callee = self.attribute(base, node.func, frame)
            self._reached(node.func)
            self._appended(node, name, frame)
        else:
            callee = self.value(node.func, frame)
        arguments = [self.value(one, frame) for one in node.args]
        named = {one.arg: self.value(one.value, frame) for one in node.keywords}
        for keyword in node.keywords:
            if keyword.arg:
                self.stored(named[keyword.arg], keyword.value)
        self._int64(node, name, arguments, frame)
        if held is not None:
            return held
        if callee in (LIBRARY, CLASS, METHOD):
            # An object of a class of elsewhere has methods of its own; what these give is open.
            return callee if callee == LIBRARY else OTHER
        results = [self._result(one, node, arguments, named, frame) for one in callee.atoms]
        if any(one is not None for one in results):
            return join(one for one in results if one is not None)
        return self._python(name, builtin, owner, node, arguments, frame)

    def _special(self, name: str, builtin: bool, node: ast.Call, frame: Frame) -> Value | None:
        """Return what a call gives that is known by the callee's name; None: an ordinary one."""
        if builtin and name in ("hasattr", "getattr") and len(node.args) >= 2:
            return self._dynamic(name, node, frame)
        if name in ("has", "_has", "has_attr") and len(node.args) == 2:
            return self._has_path(node, frame)
        return self._by_callee(name, node, frame)

    def _by_callee(self, name: str, node: ast.Call, frame: Frame) -> Value | None:
        """Return what functions of known libraries give, by their names."""
        if name == POLYGRAPHY_IMPORT:
            return of("module", "", next(iter(self.report.upgrades)))
        if name in constants.SEARCHES and len(node.args) == 2:
            found = constants.searched(name, *(self.value(one, frame) for one in node.args))
            return found if found.known else None
        if name == "skipif" and node.args and self.value(node.args[0], frame).settled is True:
            return SKIP
        bound = frame.find(name) if isinstance(node.func, ast.Name) else None
        if bound is not None and any(one.kind == "parser" for one in bound.atoms):
            # ``from packaging.version import Version as V``
            return constants.called("Version", None, [self.value(one, frame) for one in node.args])
        return None

    def _result(
        self,
        atom: Atom,
        node: ast.Call,
        arguments: list[Value],
        named: dict[str | None, Value],
        frame: Frame,
    ) -> Value | None:
        """Return what calling one thing gives; None where nothing is known of it."""
        if atom.kind == "callable":
            return self._call_theirs(atom, node, arguments, named, frame)
        if atom.kind == "class":
            return self._make_theirs(atom, node, arguments, frame)
        own = {
            "function": atom.name,
            "type": self._method(atom.name, "__init__"),
            "instance": self._method(atom.name, "__call__"),
        }.get(atom.kind)
        if own is not None:
            self._learn(own, node, arguments, named)
        if atom.kind == "type":
            return of("instance", atom.name)
        return self.tables.returns.get(own, UNKNOWN) if own is not None else None

    def _call_theirs(
        self,
        atom: Atom,
        node: ast.Call,
        arguments: list[Value],
        named: dict[str | None, Value],
        frame: Frame,
    ) -> Value:
        self._fits(atom, atom.name, node, frame)
        self._flags(atom, node, arguments, named)
        result, inside = self.report.upgrades[atom.flavour].type_of(atom.name)
        if not result:
            return UNKNOWN if "->" not in self._text(atom) else OTHER
        made = of("object", result, atom.flavour)
        return Value(OTHER.atoms, each=made) if inside else made

    def _make_theirs(
        self, atom: Atom, node: ast.Call, arguments: list[Value], frame: Frame
    ) -> Value:
        upgrade = self.report.upgrades[atom.flavour]
        symbol = upgrade.member(atom.name, "__init__")
        if upgrade.text(atom.name)[0] == "enum":
            given = arguments[0].const if arguments else None
            if type(given) is int:
                self.report.changed_member(atom.flavour, atom.name, given, node)
        elif symbol is not None:
            self._fits(atom, symbol, node, frame)
        return of("object", atom.name, atom.flavour)

    def _text(self, atom: Atom) -> str:
        return self.report.upgrades[atom.flavour].text(atom.name)[1]

    def _method(self, owner: str, name: str) -> str | None:
        for one in (
            owner,
            *(a.name for base in self.tables.bases.get(owner, ()) for a in base.atoms),
        ):
            if f"{one}.{name}" in self.tables.functions:
                return f"{one}.{name}"
        return None

    def _fits(self, atom: Atom, symbol: str, node: ast.Call, frame: Frame) -> None:
        upgrade = self.report.upgrades[atom.flavour]
        old, new = (upgrade.surface.row(symbol, at) for at in (upgrade.before, upgrade.after))
        if old is None or new is None or old == new:
            return
        if any(isinstance(one, ast.Starred) for one in node.args):
            return
        names = [one.arg for one in node.keywords]
        given = [one for one in names if one is not None]
        if len(given) != len(names):
            return
        count = len(node.args)
        if fits(old[1], count, given) and not fits(new[1], count, given):
            self.report.misfit(atom.flavour, symbol, node, frame.caught)

    def _flags(
        self, atom: Atom, node: ast.Call, arguments: list[Value], named: dict[str | None, Value]
    ) -> None:
        if atom.name not in _FLAGS:
            return
        keyword, enum = _FLAGS[atom.name]
        given = arguments[0] if arguments else named.get(keyword, UNKNOWN)
        if type(given.const) is int:
            self.report.changed(atom.flavour, enum, given.const, node)

    def _learn(
        self,
        function: str,
        node: ast.Call,
        arguments: list[Value],
        named: dict[str | None, Value],
    ) -> None:
        """Note what a function of the file is called with."""
        made = self.tables.functions.get(function)
        if not isinstance(made, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return
        names = [one.arg for one in (*made.args.posonlyargs, *made.args.args)]
        static = any(getattr(one, "id", "") == "staticmethod" for one in made.decorator_list)
        if "." in function and names and names[0] in ("self", "cls") and not static:
            names = names[1:]
        given = dict(named)
        for one, value, written in zip(names, arguments, node.args, strict=False):
            if isinstance(written, ast.Starred):
                break
            given[one] = value
        for key, value in given.items():
            if key is not None:
                # A plain constant is one call's own; another call may pass another.
                kept = value if value.derived or not value.known else Value(value.atoms)
                self.tables.learn(self.tables.parameters, (function, key), kept)

    def _dynamic(self, name: str, node: ast.Call, frame: Frame) -> Value:
        base = self.value(node.args[0], frame)
        asked = self.value(node.args[1], frame)
        default = [self.value(one, frame) for one in node.args[2:]]
        if not isinstance(asked.const, str):
            return UNKNOWN
        if name == "hasattr":
            return self.has(base, asked.const)
        there = self.has(base, asked.const)
        if default and there.const is False:
            return (
                Value(default[0].atoms, default[0].const, True) if default[0].known else default[0]
            )
        if default and there.const is True and not base.known:
            found = self._there(base, asked.const)
            return Value(found.atoms or OTHER.atoms, PRESENT, True)
        if not default and base.atoms:
            spelt = ast.Attribute(node.args[0], asked.const, ast.Load())
            return self.attribute(base, ast.copy_location(spelt, node), frame)
        return join((self._there(base, asked.const), *default)) if base.atoms else UNKNOWN

    def _there(self, base: Value, name: str) -> Value:
        """Return what ``getattr`` gives of what is there."""
        got = []
        for atom in base.atoms:
            symbol = self.symbol(atom, name)
            got.append(self.typed(atom.flavour, symbol) if symbol else UNKNOWN)
            if not symbol and atom.kind in ("instance", "module"):
                got.append(self._own(atom, name))
        return join(got)

    def _has_path(self, node: ast.Call, frame: Frame) -> Value | None:
        """Return what a helper like ``has(trt, "BuilderFlag.FP16")`` says; None: no such helper."""
        base, asked = self.value(node.args[0], frame), self.value(node.args[1], frame)
        ours = any(atom.kind in ("module", "class", "object") for atom in base.atoms)
        if not ours or not isinstance(asked.const, str):
            return None
        there = UNKNOWN
        for name in asked.const.split("."):
            there = self.has(base, name)
            symbols = [(atom.flavour, self.symbol(atom, name)) for atom in base.atoms]
            if there.const is not True or not all(symbol for _, symbol in symbols):
                break
            base = join(self.typed(flavour, symbol) for flavour, symbol in symbols if symbol)
        return there

    def _python(
        self,
        name: str,
        builtin: bool,
        owner: Value | None,
        node: ast.Call,
        arguments: list[Value],
        frame: Frame,
    ) -> Value:
        """Return what Python's own functions give."""
        first = arguments[0] if arguments else UNKNOWN
        if isinstance(first.const, str) and name in (*_IMPORTERS, "version"):
            if first.const[:1].isdigit():  # ``mod.version(trt.__version__)``, as Polygraphy has it
                return constants.called("Version", None, arguments[:1])
            return self._by_name_of(name, first.const)
        if not builtin:
            return constants.called(name, owner, arguments)
        if name in (
            "enumerate",
            "zip",
            "list",
            "tuple",
            "sorted",
            "reversed",
            "iter",
            "set",
            "next",
        ):
            return self._looped(name, first, node, arguments, frame)
        if name == "map" and len(node.args) == 2 and isinstance(node.args[0], ast.Name):
            return constants.mapped(node.args[0].id, arguments[1])
        if name == "len" and not first.known:
            self.dunder(first, "__len__", node, frame)
        return _converted(name, first) or constants.called(name, owner, arguments)

    def _by_name_of(self, call: str, name: str) -> Value:
        """Return the module, or the version, of a package that is given by its name."""
        if call in _IMPORTERS:
            return self.module(required(name))
        package = name.replace("-", "_").removesuffix("_cu12").removesuffix("_cu13")
        upgrade = self.report.upgrades.get(MODULES.get(package, ""))
        return constant(upgrade.after.split(".post")[0], True) if upgrade else UNKNOWN

    def _looped(
        self, name: str, first: Value, node: ast.Call, arguments: list[Value], frame: Frame
    ) -> Value:
        if name == "zip":
            items = tuple(self.iterated(one, frame) for one in node.args)
            return Value(OTHER.atoms, each=Value(OTHER.atoms, items=items))
        if first.known and name != "enumerate":
            return constants.called(name, None, arguments)
        if name == "next" or not node.args:
            return first.element()
        each = self.iterated(node.args[0], frame)
        if name == "enumerate":
            each = Value(OTHER.atoms, items=(OTHER, each))
        return Value(OTHER.atoms, each=each)

    def module(self, path: str) -> Value:
        """Return what importing a module gives."""
        root, _, rest = path.partition(".")
        flavour = MODULES.get(root)
        if flavour is None:
            return library(root)
        if flavour not in self.report.upgrades:
            return OTHER
        return of("module", "" if rest == flavour else rest, flavour)

    def handed_in(self) -> Value:
        """Return what a parameter named ``trt`` is in a file that does not import the library."""
        if self.report.imports_tensorrt:
            return UNKNOWN
        return of("module", "", next(iter(self.report.upgrades)))

    def _appended(self, node: ast.Call, name: str, frame: Frame) -> None:
        """Note what goes into a list."""
        holder = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name in ("append", "add", "put") and isinstance(holder, ast.Name) and node.args:
            old = frame.find(holder.id)
            if old is not None and not any(one.kind == "object" for one in old.atoms):
                new = self.value(node.args[-1], frame)
                kept = join((old.element(), new))
                if kept.atoms and old.atoms:
                    frame.names[holder.id] = Value(old.atoms, each=kept)

    def _int64(self, node: ast.Call, name: str, arguments: list[Value], frame: Frame) -> None:
        """Warn of INT64 inputs that are fed as INT32, in an upgrade that crosses 9.0."""
        if name not in _CASTS:
            return
        crossing = next(
            (f for f, up in self.report.upgrades.items()
             if f != "tensorrt_rtx" and _major(up.before) < 9 <= _major(up.after)), None
        )  # fmt: skip
        if crossing is None or not self.report.imports_tensorrt:
            return
        written = [*node.args, *(one.value for one in node.keywords)]
        if not any(ast.unparse(one).rpartition(".")[2] == "int32" for one in written):
            return
        made = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        cast = name in ("astype", "to", "type")
        source = ast.unparse(made if cast else node.args[0] if node.args else made)
        found = _INT64.search(source)
        if found:
            self.report.int64(crossing, found[0], node)


def required(text: str) -> str:
    """Return the module of a requirement: ``lazy_import("tensorrt>=8.5")``."""
    return re.split(r"[<>=!~; \[]", text, maxsplit=1)[0]


def _held(base: Value, method: str) -> Value | None:
    """Return what a method of a dictionary or list gives of what is in it."""
    if method == "keys" and any(atom.kind == "members" for atom in base.atoms):
        return base
    if base.each is None or base.known:
        return None
    if method == "values":
        return Value(OTHER.atoms, each=base.each)
    if method == "items":
        return Value(OTHER.atoms, each=Value(OTHER.atoms, items=(OTHER, base.each)))
    return base.each if method in ("get", "pop", "setdefault", "popleft", "popitem") else None


def _converted(name: str, first: Value) -> Value | None:
    """Return ``int`` of an enum member, or ``dir`` of what is TensorRT's."""
    kinds = {"int": ("member",), "dir": ("module", "class", "object")}.get(name, ())
    kind = "integer" if name == "int" else "listing"
    made = frozenset(Atom(kind, one.name, one.flavour) for one in first.atoms if one.kind in kinds)
    return Value(made) if made else None


def _major(version: str) -> int:
    return int(version.partition(".")[0])
