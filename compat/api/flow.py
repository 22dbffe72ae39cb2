"""Statements: which of them run in the target release, and what they leave behind."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from compat.api.calls import SKIP, Calls
from compat.api.constants import PARSERS
from compat.api.frames import Frame, facts
from compat.api.libraries import MODULE, foreign
from compat.api.reporter import Caught
from compat.api.values import OTHER, UNKNOWN, Atom, Value, join, of

_ENDS = frozenset({"exit", "_exit", "abort", "skip", "fail"})
_BROAD = frozenset({"Exception", "BaseException", ""})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


class Flow(Calls):
    """Runs a file's statements for a target release, without running anything."""

    depth = 0
    pending: list[tuple[_Function, Frame]]

    def module_body(self, tree: ast.Module) -> None:
        """Go over a whole file once."""
        self.pending = []
        self.later_annotations = any(
            isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in tree.body
        )
        self.block(tree.body, Frame())
        while self.pending:
            made, frame = self.pending.pop(0)
            self.block(made.body, frame)

    def block(self, body: Sequence[ast.stmt], frame: Frame) -> bool:
        """Run statements; return whether the end is never come to."""
        for at, one in enumerate(body):
            if self.statement(one, frame):
                self.skip(*body[at + 1 :])
                return True
        return False

    def statement(self, node: ast.stmt, frame: Frame) -> bool:
        """Run one statement; return whether what stands behind it does not run."""
        method = getattr(self, "_" + type(node).__name__.lower(), None)
        if method is not None:
            return bool(method(node, frame))
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.value(child, frame)
        return isinstance(node, (ast.Raise, ast.Continue, ast.Break))

    def _expr(self, node: ast.Expr, frame: Frame) -> bool:
        self.value(node.value, frame)
        if not isinstance(node.value, ast.Call):
            return False
        called = node.value.func
        name = getattr(called, "attr", None) or getattr(called, "id", "")
        if name == "fail_unavailable":  # Polygraphy's, of another file: it raises
            return True
        return name in _ENDS and ast.unparse(called) in (
            "sys.exit", "exit", "os._exit", "os.abort", "pytest.skip", "pytest.fail",
        )  # fmt: skip

    def _return(self, node: ast.Return, frame: Frame) -> bool:
        value = self.value(node.value, frame)
        if node.value is not None and not (value.known and value.const is None):
            kept = (
                value if value.derived or not value.known else Value(value.atoms, items=value.items)
            )
            self.tables.returned(frame.function, kept)
        return True

    def _assign(self, node: ast.Assign, frame: Frame) -> None:
        value = self.value(node.value, frame)
        for target in node.targets:
            self.bind(target, value, frame)

    def _annassign(self, node: ast.AnnAssign, frame: Frame) -> None:
        declared = self.annotated(node.annotation, frame)
        value = self.value(node.value, frame) if node.value else UNKNOWN
        # ``engine: trt.ICudaEngine | None = None`` promises more than its first value says.
        told = any(atom.kind != "other" for atom in value.atoms)
        self.bind(node.target, value if told or not declared.atoms else declared, frame)

    def _augassign(self, node: ast.AugAssign, frame: Frame) -> None:
        value = self.value(node.value, frame)
        if isinstance(node.target, ast.Attribute):
            self._bind_attribute(node.target, value, frame)
        elif isinstance(node.target, ast.Name):
            old = frame.find(node.target.id) or UNKNOWN
            plain = old.atoms <= OTHER.atoms or old.known
            frame.names[node.target.id] = OTHER if plain else join((old, value))

    def _import(self, node: ast.Import, frame: Frame) -> None:
        for one in node.names:
            whole = self.module(one.name)
            top = whole if one.asname else self.module(one.name.partition(".")[0])
            self._missing_module(whole, node, frame)
            frame.names[one.asname or one.name.partition(".")[0]] = (
                MODULE if top == UNKNOWN else top
            )

    def _missing_module(self, value: Value, node: ast.stmt, frame: Frame) -> None:
        for atom in value.atoms:
            upgrade = self.report.upgrades.get(atom.flavour)
            known = upgrade is not None and atom.name in upgrade.surface
            if atom.kind == "module" and upgrade and known and not upgrade.there(atom.name):
                kind = "ImportError"
                self.report.absent(atom.flavour, atom.name, node, frame.caught, kind=kind)

    def _importfrom(self, node: ast.ImportFrom, frame: Frame) -> None:
        source = self.module(node.module or "") if node.level == 0 else UNKNOWN
        self._missing_module(source, node, frame)
        for one in node.names:
            value = of("parser", one.name) if one.name in PARSERS else UNKNOWN
            if value == UNKNOWN == source:
                value = foreign(one.name)
            for atom in source.atoms:
                symbol = self.symbol(atom, one.name)
                if symbol is not None:
                    if self.report.upgrades[atom.flavour].lost(symbol):
                        kind = "ImportError"
                        self.report.absent(atom.flavour, symbol, one, frame.caught, kind=kind)
                    value = self.typed(atom.flavour, symbol)
                elif one.name == "*" and atom.kind == "module":
                    for name in self.report.upgrades[atom.flavour].surface:
                        if "." not in name:
                            frame.names[name] = self.typed(atom.flavour, name)
                else:
                    value = self._own(atom, one.name)
            frame.names[one.asname or one.name] = value

    def _if(self, node: ast.If, frame: Frame) -> bool:
        test = self.value(node.test, frame)
        settled = self.decided(node.test, test)
        if frame.fails and ast.unparse(node.test) == frame.fails:
            settled = False
        holds, fails = facts(node.test)
        ways: list[Frame] = []
        ended: list[Frame] = []
        for body, known, present in ((node.body, True, holds), (node.orelse, False, fails)):
            if settled is not None and settled is not known:
                self.skip(*body)
                continue
            way = frame.branch()
            way.present |= present
            if not known and len(body) == 1:
                way.fails = self._failed(node.test, frame)
            over = self.block(body, way)
            (ended if over else ways).append(way)
        frame.merge(*(ways or ended))
        return not ways

    def _failed(self, test: ast.expr, frame: Frame) -> str:
        """Return the part of an ``and`` that does not hold in an ``else``, if one is left open.

        Of ``if TRT10 and size: ... elif size: ...`` only the first is for a release that is 10.
        """
        if not isinstance(test, ast.BoolOp) or not isinstance(test.op, ast.And):
            return ""
        here = frame.branch()
        parts = [(one, self.value(one, here).settled) for one in test.values]
        left = [one for one, settled in parts if settled is not True]
        return ast.unparse(left[0]) if len(left) == 1 else ""

    def _while(self, node: ast.While, frame: Frame) -> bool:
        if self.value(node.test, frame).settled is False:
            self.skip(*node.body)
            return self.block(node.orelse, frame)
        way = frame.branch()
        way.present |= facts(node.test)[0]
        for _ in range(self._turns()):
            self.block(node.body, way)
            self.value(node.test, way)
        self.depth -= 1
        frame.merge(frame.branch(), way)
        return self.block(node.orelse, frame)

    def _turns(self) -> int:
        """Enter a loop: twice round, for what its end leaves to its begin; deep ones once."""
        self.depth += 1
        return 2 if self.depth < 3 else 1

    def _for(self, node: ast.For | ast.AsyncFor, frame: Frame) -> bool:
        way = frame.branch()
        element = self.iterated(node.iter, frame)
        for _ in range(self._turns()):
            self.bind(node.target, element, way)
            self.block(node.body, way)
        self.depth -= 1
        frame.merge(frame.branch(), way)
        return self.block(node.orelse, frame)

    _asyncfor = _for

    def _with(self, node: ast.With | ast.AsyncWith, frame: Frame) -> bool:
        outer = frame.caught
        for item in node.items:
            value = self.value(item.context_expr, frame)
            self.dunder(value, "__enter__", item.context_expr, frame)
            if item.optional_vars is not None:
                self.bind(item.optional_vars, value, frame)
            called = item.context_expr
            name = ast.unparse(called.func) if isinstance(called, ast.Call) else ""
            if isinstance(called, ast.Call) and name.endswith(("suppress", "pytest.raises")):
                kinds = frozenset(ast.unparse(one).rpartition(".")[2] for one in called.args)
                frame.caught = Caught(_wider(kinds), frame.caught)
        over = self.block(node.body, frame)
        frame.caught, suppressed = outer, frame.caught is not outer
        return over and not suppressed

    _asyncwith = _with

    def _try(self, node: ast.Try, frame: Frame) -> bool:
        kinds = _handled(node)
        way = frame.branch()
        way.caught = caught = Caught(_wider(kinds), frame.caught)
        over = self.block(node.body, way)
        way.caught = frame.caught
        if not over:
            over = self.block(node.orelse, way)
        ways, ended = ([], [way]) if over else ([way], [])
        for handler in node.handlers:
            named = _names(handler.type)
            # This handler is there for what a release lacks; where nothing lacks it does not run.
            if named and named <= {"AttributeError", "NameError", "KeyError"} and not caught.seen:
                self.skip(*handler.body)
                continue
            other = frame.branch()
            if handler.name:
                other.names[handler.name] = OTHER
            over = self.block(handler.body, other)
            (ended if over else ways).append(other)
        frame.merge(*(ways or ended))
        return self.block(node.finalbody, frame) or not ways

    _trystar = _try

    def _match(self, node: ast.Match, frame: Frame) -> bool:
        self.value(node.subject, frame)
        ways = [frame.branch()]
        for case in node.cases:
            way = frame.branch()
            if not self.block(case.body, way):
                ways.append(way)
        frame.merge(*ways)
        return False

    def _assert(self, node: ast.Assert, frame: Frame) -> bool:
        over = self.value(node.test, frame).settled is False
        frame.present |= facts(node.test)[0]
        return over

    def _global(self, node: ast.Global | ast.Nonlocal, frame: Frame) -> None:
        frame.shared = frame.shared | set(node.names)

    _nonlocal = _global

    def _classdef(self, node: ast.ClassDef, frame: Frame) -> None:
        path = f"{frame.owner}.{node.name}" if frame.owner else node.name
        self._decorated(node.decorator_list, frame)
        if node.name in self.tables.unused:
            self.skip(*node.body)
            return
        self.tables.bases[path] = tuple(self.value(one, frame) for one in node.bases)
        frame.names[node.name] = of("type", path)
        inner = Frame(parent=frame, owner=path, caught=frame.caught, present=set(frame.present))
        self.block(node.body, inner)

    def _decorated(self, decorators: Iterable[ast.expr], frame: Frame) -> bool:
        """Evaluate decorators; return whether one of them keeps the code from running."""
        skipped = False
        for one in decorators:
            skipped |= self.value(one, frame) == SKIP
        return skipped

    def _functiondef(self, node: _Function, frame: Frame) -> None:
        skipped = self._decorated(node.decorator_list, frame)
        path = f"{frame.owner}.{node.name}" if frame.owner else node.name
        if frame.function:
            path = f"{frame.function}.<locals>.{node.name}"
        self.tables.functions[path] = node
        decorators = {ast.unparse(one).rpartition(".")[2] for one in node.decorator_list}
        if decorators & {"property", "cached_property"}:
            self.tables.properties.add(path)
        frame.names[node.name] = of("function", path)
        # Methods do not see the names of their class.
        outside = frame.parent if frame.owner and not frame.function else frame
        inner = Frame(parent=outside, function=path, owner=frame.owner, present=set(frame.present))
        self._parameters(node, path, frame, inner, decorators)
        if node.returns is not None:
            declared = self.annotated(node.returns, frame)
            if declared.atoms:
                self.tables.returned(path, declared)
        if skipped or node.name in self.tables.unused:
            self.skip(*node.body)
        else:
            self.pending.append((node, inner))

    _asyncfunctiondef = _functiondef

    def _parameters(
        self, node: _Function, path: str, frame: Frame, inner: Frame, decorators: set[str]
    ) -> None:
        every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        for default in (*node.args.defaults, *node.args.kw_defaults):
            if default is not None:
                self.value(default, frame)
        for at, one in enumerate(every):
            declared = self.annotated(one.annotation, frame) if one.annotation else UNKNOWN
            passed = self.tables.parameters.get((path, one.arg), UNKNOWN)
            inner.names[one.arg] = declared if declared.atoms else passed
            if one.arg in ("trt", "tensorrt") and not inner.names[one.arg].atoms:
                inner.names[one.arg] = self.handed_in()
            if at == 0 and frame.owner and not frame.function and "staticmethod" not in decorators:
                kind = "type" if "classmethod" in decorators else "instance"
                inner.names[one.arg] = of(kind, frame.owner)
        for rest in (node.args.vararg, node.args.kwarg):
            if rest is not None:
                inner.names[rest.arg] = OTHER

    def annotated(self, node: ast.expr, frame: Frame) -> Value:
        """Return the object that an annotation promises; a name of TensorRT that is gone breaks."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                node = ast.parse(node.value, mode="eval").body
            except SyntaxError:
                return UNKNOWN
            return self._promised(node, frame)
        if not self.later_annotations:
            self.value(node, frame)
        return self._promised(node, frame)

    def _promised(self, node: ast.expr, frame: Frame) -> Value:
        if isinstance(node, ast.BinOp):
            return join((self._promised(node.left, frame), self._promised(node.right, frame)))
        if isinstance(node, ast.Subscript):
            inside = self._promised(node.slice, frame)
            outer = ast.unparse(node.value).rpartition(".")[2]
            if outer in ("Optional", "Final", "Annotated", "Union"):
                return Value(inside.atoms) if inside.items is None else join(inside.items)
            return Value(OTHER.atoms, each=inside)
        if isinstance(node, ast.Tuple):
            return Value(OTHER.atoms, items=tuple(self._promised(one, frame) for one in node.elts))
        if not isinstance(node, (ast.Name, ast.Attribute)):
            return UNKNOWN
        collecting, self.report.collecting = self.report.collecting, False
        found = self.value(node, frame)
        self.report.collecting = collecting
        atoms = frozenset(
            Atom("object" if one.kind == "class" else "instance", one.name, one.flavour)
            for one in found.atoms
            if one.kind in ("class", "type")
        )
        return Value(atoms)


def _names(node: ast.expr | None) -> set[str]:
    if node is None:
        return {""}
    every = node.elts if isinstance(node, ast.Tuple) else [node]
    return {ast.unparse(one).rpartition(".")[2] for one in every}


def _handled(node: ast.Try) -> frozenset[str]:
    """Return the exceptions that a ``try`` answers.

    A handler that raises again answers nothing. A broad handler guards only a short body: around
    much code it is there for something else.
    """
    kinds: set[str] = set()
    for handler in node.handlers:
        if any(isinstance(one, ast.Raise) for one in handler.body):
            continue
        names = _names(handler.type)
        if names & _BROAD and len(node.body) > 2:
            names -= _BROAD
        kinds |= names
    return frozenset(kinds)


def _wider(kinds: frozenset[str]) -> frozenset[str]:
    """Return the exceptions that these handle, as far as a release's surface raises them."""
    if kinds & _BROAD:
        return kinds | {"AttributeError", "ImportError", "TypeError", "KeyError"}
    if "ModuleNotFoundError" in kinds:
        return kinds | {"ImportError"}
    return kinds | {"KeyError"} if "LookupError" in kinds else kinds
