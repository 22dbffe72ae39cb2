"""What an expression of the user's code evaluates to, as far as TensorRT is concerned."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from compat.api import constants
from compat.api.frames import Frame, facts, spoken
from compat.api.members import Members
from compat.api.reporter import Reporter
from compat.api.values import NOTHING, OTHER, UNKNOWN, Tables, Value, constant, join, of

# A flag from elsewhere whose name says for which major version it stands: IS_TRT10, trt_ge_10.
_NAMED = re.compile(
    r"_?(?:is|has|use)?_?(?:trt|tensorrt)_?(?:ge|gte|v)?_?(8|9|10|11)(?:_?plus)?$", re.I
)


_METHODS: dict[type[ast.expr], str] = {}


def _flat(const: object) -> bool:
    """Return whether a constant is no nest of tuples, which could grow without end."""
    return not isinstance(const, tuple) or not any(isinstance(one, tuple) for one in const)


class Expressions(Members):
    """Evaluates expressions in a frame; calls are ``Calls``'s."""

    def __init__(self, reporter: Reporter, tables: Tables) -> None:
        """Take where findings go, and what earlier passes learnt."""
        super().__init__(reporter, tables)
        self.later_annotations = False
        self.mentioned = tables.mentions

    def value(self, node: ast.expr | None, frame: Frame) -> Value:
        """Return what is known of an expression's value."""
        if node is None:
            return constant(None, False)
        name = _METHODS.get(type(node))
        if name is None:
            name = _METHODS[type(node)] = "_" + type(node).__name__.lower()
        method = getattr(self, name, None)
        if method is not None:
            got: Value = method(node, frame)
            return got
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child, frame)
        return UNKNOWN

    def _constant(self, node: ast.Constant, frame: Frame) -> Value:
        return constant(node.value, False)

    def _joinedstr(self, node: ast.JoinedStr, frame: Frame) -> Value:
        for one in node.values:
            if isinstance(one, ast.FormattedValue):
                self.value(one.value, frame)
        return OTHER

    def skip(self, *nodes: ast.AST) -> None:
        """Note code that the target release does not come to."""
        for node in nodes:
            for one in ast.walk(node):
                if isinstance(one, (ast.Name, ast.Attribute)) and spoken(one) in self.mentioned:
                    self.tables.skipped.add(id(one))

    def _reached(self, node: ast.Name | ast.Attribute) -> None:
        if spoken(node) in self.mentioned:
            self.tables.live.add(id(node))

    def _name(self, node: ast.Name, frame: Frame) -> Value:
        self._reached(node)
        found = frame.find(node.id)
        if found is None or (found.const is None and frame.parent is not None):
            # ``engine = None`` of the module waits for what a function with ``global`` puts there.
            learnt = self.tables.attributes.get(("", node.id), UNKNOWN)
            found = learnt if found is None or learnt.atoms > found.atoms else found
        return found

    def _attribute(self, node: ast.Attribute, frame: Frame) -> Value:
        self._reached(node)
        return self.attribute(self.value(node.value, frame), node, frame)

    def _namedexpr(self, node: ast.NamedExpr, frame: Frame) -> Value:
        got = self.value(node.value, frame)
        frame.names[node.target.id] = got
        return got

    def _await(self, node: ast.Await, frame: Frame) -> Value:
        return self.value(node.value, frame)

    def _yield(self, node: ast.Yield, frame: Frame) -> Value:
        value = self.value(node.value, frame)
        # Of a context manager the value itself, of a generator what a loop over it gives.
        made = Value(value.atoms, each=Value(value.atoms, items=value.items))
        self.tables.returned(frame.function, made)
        return UNKNOWN

    def _starred(self, node: ast.Starred, frame: Frame) -> Value:
        return self.value(node.value, frame)

    def _tuple(self, node: ast.Tuple | ast.List, frame: Frame) -> Value:
        if any(isinstance(one, ast.Starred) for one in node.elts):
            return Value(OTHER.atoms, each=join(self.value(one, frame) for one in node.elts))
        items = tuple(self.value(one, frame) for one in node.elts)
        if items and all(one.known and one.atoms and _flat(one.const) for one in items):
            derived = any(one.derived for one in items)
            return Value(OTHER.atoms, tuple(one.const for one in items), derived, items)
        return Value(OTHER.atoms, items=items)

    _list = _tuple

    def _set(self, node: ast.Set, frame: Frame) -> Value:
        return Value(OTHER.atoms, each=join(self.value(one, frame) for one in node.elts))

    def _dict(self, node: ast.Dict, frame: Frame) -> Value:
        keys = [self.value(key, frame) for key in node.keys if key is not None]
        values = [self.value(one, frame) for one in node.values]
        for one, written in zip(values, node.values, strict=True):
            self.stored(one, written)
        # With ``**other`` among them not all keys are seen.
        whole = keys and len(keys) == len(node.keys)
        return Value(
            OTHER.atoms, each=join(values), keys=Value(join(keys).atoms) if whole else None
        )

    def stored(self, value: Value, node: ast.expr) -> None:
        """Report the integer of an enum member that is kept under a key."""
        for atom in value.atoms:
            if atom.kind == "integer":
                self.report.renumbered(atom.flavour, atom.name, node)

    def _subscript(self, node: ast.Subscript, frame: Frame) -> Value:
        base = self.value(node.value, frame)
        index = self._index(node.slice, frame)
        if base.known and not base.items:
            return constants.indexed(base, index.const)
        for atom in base.atoms:
            if atom.kind in ("members", "class") and isinstance(index.const, str):
                symbol = f"{atom.name}.{index.const}"
                upgrade = self.report.upgrades[atom.flavour]
                if symbol in upgrade.surface and upgrade.lost(symbol):
                    kind = "KeyError" if atom.kind == "members" else "TypeError"
                    self.report.absent(atom.flavour, symbol, node, frame.caught, kind=kind)
                return of("member", symbol, atom.flavour)
            if atom.kind == "object" and index.text:
                self._by_name(atom.flavour, atom.name, node, frame)
        if base.items is not None or base.each is not None:
            if base.known and isinstance(index.const, slice):
                return constants.indexed(base, index.const)
            return base.element(index.const)
        return self.dunder(base, "__getitem__", node, frame)

    def _by_name(self, flavour: str, owner: str, node: ast.Subscript, frame: Frame) -> None:
        """Report ``engine["name"]`` where only an index is taken any more."""
        upgrade = self.report.upgrades[flavour]
        symbol = upgrade.member(owner, "__getitem__")
        if symbol is None:
            return
        before = upgrade.surface.row(symbol, upgrade.before) or ("", "")
        if (
            ": str" in before[1]
            and upgrade.there(symbol)
            and ": str" not in upgrade.text(symbol)[1]
        ):
            self.report.misfit(flavour, symbol, node, frame.caught)

    def _index(self, node: ast.expr, frame: Frame) -> Value:
        if not isinstance(node, ast.Slice):
            return self.value(node, frame)
        ends = [self.value(one, frame) for one in (node.lower, node.upper, node.step)]
        if all(one.known for one in ends):
            return constant(slice(*(one.const for one in ends)), False)
        return UNKNOWN

    def _compare(self, node: ast.Compare, frame: Frame) -> Value:
        left = self.value(node.left, frame)
        right = [self.value(one, frame) for one in node.comparators]
        sides = [left, *right]
        for one, written in zip(sides, [node.left, *node.comparators], strict=True):
            integer = next((atom for atom in one.atoms if atom.kind == "integer"), None)
            if integer and any(isinstance(other.const, int) for other in sides):
                self.report.renumbered(integer.flavour, integer.name, written)
        if len(right) == 1 and isinstance(node.ops[0], (ast.In, ast.NotIn)):
            got = self._inside(left, right[0])
            if got is not None:
                return constant(got == isinstance(node.ops[0], ast.In), True)
        return constants.compared(left, node.ops, right)

    def _inside(self, name: Value, whole: Value) -> bool | None:
        """Return ``"FP16" in trt.BuilderFlag.__members__`` for the target release."""
        for atom in whole.atoms:
            if atom.kind in ("members", "listing") and isinstance(name.const, str):
                path = f"{atom.name}.{name.const}" if atom.name else name.const
                return self.report.upgrades[atom.flavour].there(path)
        return None

    def _boolop(self, node: ast.BoolOp, frame: Frame) -> Value:
        here, got = frame.branch(), []
        ends = isinstance(node.op, ast.Or)
        for at, one in enumerate(node.values):
            value = self.value(one, here)
            got.append(value)
            if value.settled is ends:
                self.skip(*node.values[at + 1 :])
                return value
            holds, fails = facts(one)
            here.present |= fails if ends else holds
        frame.names.update(here.names)
        if all(one.settled is (not ends) for one in got):
            return got[-1]
        return Value(join(got).atoms)

    def _unaryop(self, node: ast.UnaryOp, frame: Frame) -> Value:
        got = self.value(node.operand, frame)
        if got.known and isinstance(node.op, ast.Not):
            return constant(not got.const, got.derived)
        if isinstance(got.const, (int, float)) and isinstance(node.op, ast.USub):
            return constant(-got.const, got.derived)
        return UNKNOWN

    def _binop(self, node: ast.BinOp, frame: Frame) -> Value:
        left, right = self.value(node.left, frame), self.value(node.right, frame)
        got = constants.computed(node.op, left, right)
        if not got.known and left.items is not None and right.items is not None:
            return Value(OTHER.atoms, items=left.items + right.items)
        return got if got.known else OTHER

    def decided(self, node: ast.expr, value: Value) -> bool | None:
        """Return the truth of a condition in the target release; None: both ways may be gone.

        A flag from another file is settled by its name (``if IS_TRT10:``): that file is not read.
        """
        if (
            value.settled is not None
            or value.atoms
            or not isinstance(node, (ast.Name, ast.Attribute))
        ):
            return value.settled
        found = _NAMED.match(node.attr if isinstance(node, ast.Attribute) else node.id)
        upgrade = next(iter(self.report.upgrades.values()))
        return int(upgrade.after.partition(".")[0]) >= int(found[1]) if found else None

    def _ifexp(self, node: ast.IfExp, frame: Frame) -> Value:
        settled = self.decided(node.test, self.value(node.test, frame))
        holds, fails = facts(node.test)
        got = []
        for way, known, present in ((node.body, True, holds), (node.orelse, False, fails)):
            if settled is None or settled is known:
                here = frame.branch()
                here.present |= present
                got.append(self.value(way, here))
            else:
                self.skip(way)
        return join(got) if len(got) > 1 else got[0]

    def _lambda(self, node: ast.Lambda, frame: Frame) -> Value:
        inner = Frame(parent=frame, owner=frame.owner, present=set(frame.present))
        inner.caught = frame.caught
        for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            inner.names[one.arg] = UNKNOWN
        self.value(node.body, inner)
        return UNKNOWN

    def _listcomp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, frame: Frame) -> Value:
        inner = self._generators(node.generators, frame)
        if inner is None:
            return Value(OTHER.atoms, items=())
        first = node.generators[0]
        whole = self.value(first.iter, frame.branch())
        if isinstance(whole.const, tuple) and len(node.generators) == 1 and not first.ifs:
            made = []
            for item in whole.const:
                self.bind(first.target, constant(item, whole.derived), inner)
                made.append(self.value(node.elt, inner))
            if made and all(one.known for one in made):
                return constant(tuple(one.const for one in made), whole.derived)
        return Value(OTHER.atoms, each=self.value(node.elt, inner))

    _setcomp = _generatorexp = _listcomp

    def _dictcomp(self, node: ast.DictComp, frame: Frame) -> Value:
        inner = self._generators(node.generators, frame)
        if inner is None:
            return OTHER
        self.value(node.key, inner)
        return Value(OTHER.atoms, each=self.value(node.value, inner))

    def _generators(self, nodes: Iterable[ast.comprehension], frame: Frame) -> Frame | None:
        inner = Frame(parent=frame, function=frame.function, owner=frame.owner)
        inner.present, inner.caught = set(frame.present), frame.caught
        for one in nodes:
            self.bind(one.target, self.iterated(one.iter, inner), inner)
            for test in one.ifs:
                if self.value(test, inner).settled is False:
                    return None
                inner.present |= facts(test)[0]
        return inner

    def iterated(self, node: ast.expr, frame: Frame) -> Value:
        """Return what a loop over an expression gives."""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
            held = self.value(node.func.value, frame)
            each = held.each or UNKNOWN
            if held.keys is not None and node.func.attr == "items":
                return Value(OTHER.atoms, items=(held.keys, each))
            if held.keys is not None and node.func.attr in ("keys", "values"):
                return held.keys if node.func.attr == "keys" else each
        whole = self.value(node, frame)
        if whole.keys is not None:
            return whole.keys
        if whole.items is not None or whole.each is not None:
            return whole.element()
        if isinstance(whole.const, tuple):
            return join(constant(one, False) for one in whole.const)
        return self.dunder(whole, "__getitem__", node, frame)

    def bind(self, target: ast.expr, value: Value, frame: Frame) -> None:
        """Give a value to a name, an attribute, or several."""
        if isinstance(target, ast.Name):
            frame.names[target.id] = value
            if target.id in frame.shared or frame.parent is None:
                self.tables.learn(self.tables.attributes, ("", target.id), value)
            elif frame.owner and not frame.function:
                self.tables.learn(self.tables.attributes, (frame.owner, target.id), value)
        elif isinstance(target, ast.Starred):
            self.bind(target.value, UNKNOWN, frame)
        elif isinstance(target, (ast.Tuple, ast.List)):
            rest = next((at for at, one in enumerate(target.elts) if type(one) is ast.Starred), 99)
            for at, one in enumerate(target.elts):
                place = at if at < rest else at - len(target.elts)
                plain = value.known and value.items is None
                got = constants.indexed(value, place) if plain else value.element(place)
                self.bind(one, got, frame)
        elif isinstance(target, ast.Attribute):
            self._bind_attribute(target, value, frame)
        elif isinstance(target, ast.Subscript):
            base = self.value(target.value, frame)
            self.value(target.slice, frame)
            self.stored(value, target)
            if isinstance(target.value, (ast.Name, ast.Attribute)) and base.items is None:
                kept = Value(base.atoms, each=join((base.each, value)) if base.each else value)
                self._kept(target.value, kept, frame)

    def _kept(self, holder: ast.Name | ast.Attribute, value: Value, frame: Frame) -> None:
        """Note what a dictionary or list holds now."""
        if isinstance(holder, ast.Name):
            frame.names[holder.id] = value
            return
        for atom in self.value(holder.value, frame).atoms:
            if atom.kind in ("instance", "type"):
                self.tables.learn(self.tables.attributes, (atom.name, holder.attr), value)

    def _bind_attribute(self, target: ast.Attribute, value: Value, frame: Frame) -> None:
        base = self.value(target.value, frame)
        own = [atom for atom in base.atoms if atom.kind in ("instance", "type")]
        for atom in own:
            self.tables.learn(self.tables.attributes, (atom.name, target.attr), value)
        if own or (value.const is NOTHING and base.known):
            return
        if any(atom.kind in ("module", "class") for atom in base.atoms):
            # Code that puts a lost name back is a shim for what comes behind it.
            frame.present.add(f"{ast.unparse(target.value)}.{target.attr}")
            return
        self.attribute(base, target, frame)
        for atom in base.atoms:
            symbol = self.symbol(atom, target.attr) if atom.kind == "object" else None
            if symbol and self.report.upgrades[atom.flavour].fixed(symbol):
                self.report.fixed(atom.flavour, symbol, target, frame.caught)
            enum = {"flags": "BuilderFlag", "quantization_flags": "QuantizationFlag"}.get(
                target.attr
            )
            given = value.const
            if atom == ("object", "IBuilderConfig", atom.flavour) and enum and type(given) is int:
                self.report.changed(atom.flavour, enum, given, target)
