"""What an attribute of a value is, and whether the target release has it."""

from __future__ import annotations

import ast

from compat.api import constants
from compat.api.frames import Frame
from compat.api.libraries import part
from compat.api.reporter import Reporter
from compat.api.values import OTHER, UNKNOWN, Atom, Tables, Value, constant, join, of

# Kind of a symbol -> kind of the value it stands for.
_KINDS = {
    "class": "class",
    "enum": "class",
    "alias": "class",
    "member": "member",
    "method": "callable",
    "function": "callable",
    "static": "callable",
    "module": "module",
}
_NONE = constant(None, False).atoms
_OURS = ("module", "class", "object", "member")


class Members:
    """Attributes, by what is known of their owners."""

    def __init__(self, reporter: Reporter, tables: Tables) -> None:
        """Take where findings go, and what earlier passes learnt."""
        self.report, self.tables = reporter, tables

    def attribute(self, base: Value, node: ast.Attribute, frame: Frame) -> Value:
        """Return the value of an attribute; report it where the target release lacks it."""
        if base.known and base.const is not None:
            return constants.part(base, node.attr)
        guarded = bool(frame.present) and f"{ast.unparse(node.value)}.{node.attr}" in frame.present
        if base.atoms <= _NONE:
            # Where a name begins as None, something else is put there before it is used.
            if not guarded:
                self.report.guess(node.attr, node, frame.caught)
            told = self.report.telling(node.attr)
            return self.typed(*told) if told else UNKNOWN
        got: list[Value] = []
        missing: list[tuple[str, str]] = []
        for atom in base.atoms:
            symbol = self.symbol(atom, node.attr)
            if symbol is not None:
                upgrade = self.report.upgrades[atom.flavour]
                if upgrade.lost(symbol):
                    missing.append((atom.flavour, symbol))
                got.append(self.typed(atom.flavour, symbol))
            else:
                got.append(self._own(atom, node.attr))
        if missing and not guarded:
            self.report.absent(*missing[0], node, frame.caught)
        return join(got)

    def symbol(self, atom: Atom, name: str) -> str | None:
        """Return TensorRT's symbol behind an attribute; None: not TensorRT's, or never there."""
        if atom.kind not in _OURS or atom.flavour not in self.report.upgrades:
            return None
        upgrade = self.report.upgrades[atom.flavour]
        if atom.kind == "module":
            path = f"{atom.name}.{name}" if atom.name else name
            return path if path in upgrade.surface else None
        owner = atom.name.rpartition(".")[0] if atom.kind == "member" else atom.name
        return upgrade.member(owner, name)

    def typed(self, flavour: str, symbol: str) -> Value:
        """Return the value that a symbol of TensorRT stands for."""
        upgrade = self.report.upgrades[flavour]
        kind, text = upgrade.text(symbol)
        if kind in _KINDS:
            return of(_KINDS[kind], text if kind == "alias" else symbol, flavour)
        name, inside = upgrade.type_of(symbol)
        if not name:
            return OTHER if text.strip(" =") else UNKNOWN
        made = of("object", name, flavour)
        return Value(OTHER.atoms, each=made) if inside else made

    def _own(self, atom: Atom, name: str) -> Value:
        """Return an attribute that is not TensorRT's, or one of Python's own on its objects."""
        if atom.kind == "module" and atom.flavour in self.report.upgrades:
            if name == "__version__":
                return constant(self.report.upgrades[atom.flavour].after.split(".post")[0], True)
            # The bindings' own module inside the package.
            return of(*atom) if name == atom.flavour else UNKNOWN
        if atom.kind == "class" and name == "__members__":
            return of("members", atom.name, atom.flavour)
        if atom.kind == "member" and name == "value":
            return of("integer", atom.name, atom.flavour)
        if atom.kind in ("instance", "type"):
            return self.held(atom.name, name)
        return part(atom.name, name) if atom.kind == "other" else UNKNOWN

    def held(self, owner: str, name: str, depth: int = 0) -> Value:
        """Return what an object of a class of the file has under a name."""
        found = self.tables.attributes.get((owner, name))
        path = f"{owner}.{name}"
        if path in self.tables.functions:
            if path in self.tables.properties:
                return self.tables.returns.get(path, UNKNOWN)
            return of("function", path)
        if found is not None or depth > 8:
            return found or UNKNOWN
        for base in self.tables.bases.get(owner, ()):
            for atom in base.atoms:
                if atom.kind == "type" and atom.name != owner:
                    got = self.held(atom.name, name, depth + 1)
                elif atom.kind == "class":
                    symbol = self.symbol(Atom("object", atom.name, atom.flavour), name)
                    got = self.typed(atom.flavour, symbol) if symbol else UNKNOWN
                else:
                    continue
                if got != UNKNOWN:
                    return got
        return UNKNOWN

    def has(self, base: Value, name: str) -> Value:
        """Return what ``hasattr`` says in the target release, where that is certain."""
        answers: set[bool | None] = set()
        if not base.atoms:
            answers.add(self.report.unknown_has(name))
        for atom in base.atoms:
            if atom.kind not in _OURS or atom.flavour not in self.report.upgrades:
                answers.add(None)
                continue
            symbol = self.symbol(atom, name)
            answers.add(symbol is not None and self.report.upgrades[atom.flavour].there(symbol))
        answer = answers.pop() if len(answers) == 1 else None
        return UNKNOWN if answer is None else constant(answer, True)

    def dunder(self, base: Value, name: str, node: ast.AST, frame: Frame) -> Value:
        """Return what a special method gives that Python calls itself (``len``, ``[]``)."""
        got = []
        for atom in base.atoms:
            if atom.kind != "object" or atom.flavour not in self.report.upgrades:
                continue
            upgrade = self.report.upgrades[atom.flavour]
            symbol = upgrade.member(atom.name, name)
            if symbol is None:
                continue
            if upgrade.lost(symbol):
                self.report.absent(atom.flavour, symbol, node, frame.caught)
            result, _ = upgrade.type_of(symbol)
            got.append(of("object", result, atom.flavour) if result else OTHER)
        return join(got) if got else UNKNOWN
