"""Turns what a scan meets into findings."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from compat.api.findings import Confidence, Finding
from compat.api.upgrade import Upgrade, replacements

# Names that other libraries' objects have, too: told only where the object's class is known.
_COMMON = frozenset(
    {
        "kernel_size",
        "get_shape",
        "get_strides",
        "max_batch_size",
        "pre_padding",
        "post_padding",
        "window_size",
        "get_location",
        "tensor_format",
        "notify_shape",
        "get_output_datatypes",
        "set_output_type",
        "weight_streaming_budget",
    }
)
_TELLING = re.compile(
    r"INetworkDefinition\.add_\w+|ICudaEngine\.create_execution_context\w*"
    r"|Runtime\.deserialize_cuda_engine"
)
# A layer of another library is asked for these; one of TensorRT is told.
_WRITTEN = frozenset({"precision"})
# What a variable is called -> what it most likely is.
_HINTS = (
    (re.compile(r"engine"), "ICudaEngine"),
    (re.compile(r"context|ctx"), "IExecutionContext"),
    (re.compile(r"config|cfg"), "IBuilderConfig"),
    (re.compile(r"builder"), "Builder"),
    (re.compile(r"network"), "INetworkDefinition"),
    (re.compile(r"parser"), "OnnxParser"),
    (re.compile(r"registry"), "IPluginRegistry"),
    (re.compile(r"refitter"), "Refitter"),
    (re.compile(r"layer"), "ILayer"),
    (re.compile(r"tensor"), "ITensor"),
)


@dataclass
class Caught:
    """A ``try`` around the code: which exceptions it handles, and whether one would come."""

    kinds: frozenset[str]
    outer: Caught | None = None
    seen: bool = False

    def takes(self, kind: str) -> bool:
        """Note an exception; return whether some ``try`` handles it."""
        if kind in self.kinds:
            self.seen = True
            return True
        return self.outer is not None and self.outer.takes(kind)


@dataclass
class Reporter:
    """The findings of one Python file."""

    upgrades: Mapping[str, Upgrade]
    file: str
    imports_tensorrt: bool
    own_names: frozenset[str] = frozenset()
    collecting: bool = False
    found: dict[tuple[object, ...], Finding] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Keep a finding once."""
        if self.collecting:
            key = (finding.line, finding.column, finding.rule, finding.symbol)
            self.found.setdefault(key, finding)

    def absent(
        self,
        flavour: str,
        symbol: str,
        node: ast.AST,
        caught: Caught | None,
        confidence: Confidence = "high",
        kind: str = "AttributeError",
    ) -> None:
        """Report a use of a symbol that the target release does not have."""
        if (caught is not None and caught.takes(kind)) or not self.collecting:
            return
        if not self.imports_tensorrt and confidence == "high":
            confidence = "medium"
        upgrade = self.upgrades[flavour]
        new = replacements().get(symbol)
        first, last = upgrade.surface.span(symbol)
        breaks = upgrade.breaks_at(symbol)
        name = f"{flavour} {upgrade.after}"
        if breaks:
            told = f"{symbol} is not in {name}: gone {upgrade.when(breaks)}"
        elif upgrade.surface.releases.index(first) > upgrade.surface.releases.index(upgrade.after):
            told = f"{symbol} is not in {name}: new in {first}"
        else:
            told = f"{symbol} is not in {name}: last in {last}"
        rule = "renamed" if new and new.renamed else "gone"
        use, source = (new.use, new.source) if new else ("", "")
        self._at(node, rule, symbol, told, breaks, use, source, confidence)

    def misfit(self, flavour: str, symbol: str, node: ast.AST, caught: Caught | None) -> None:
        """Report a call that the old release took and the new one refuses."""
        if (caught is not None and caught.takes("TypeError")) or not self.collecting:
            return
        upgrade = self.upgrades[flavour]
        text = upgrade.text(symbol)[1].replace("\n", "; or ")
        told = f"{symbol}: {flavour} {upgrade.after} does not take these arguments"
        new = upgrade.surface.row(symbol, upgrade.after)
        at = upgrade.first(lambda one: upgrade.surface.row(symbol, one) == new)
        use = f"one of its signatures: {text}"
        self._at(node, "signature", symbol, told, at, use, "", "high")

    def fixed(self, flavour: str, symbol: str, node: ast.AST, caught: Caught | None) -> None:
        """Report that a property is set that can only be read in the target release."""
        if (caught is not None and caught.takes("AttributeError")) or not self.collecting:
            return
        upgrade = self.upgrades[flavour]
        at, new = upgrade.fixed_at(symbol), replacements().get(symbol)
        told = f"{symbol} can only be read in {flavour} {upgrade.after}"
        told += f": its setter is gone {upgrade.when(at)}" if at else ""
        use, source = (new.use, new.source) if new else ("", "")
        self._at(node, "gone", symbol, told, at, use, source, "high")

    def changed(self, flavour: str, enum: str, number: int, node: ast.AST) -> None:
        """Report an integer that is the flags of an enum, where a bit means another member."""
        upgrade = self.upgrades[flavour]
        bits = [bit for bit in range(number.bit_length()) if number >> bit & 1]
        self._meanings(upgrade, enum, bits, node, "bit ")

    def changed_member(self, flavour: str, enum: str, number: int, node: ast.AST) -> None:
        """Report an integer that stands for a member of an enum and means another one now."""
        self._meanings(self.upgrades[flavour], enum, [number], node, "")

    def _meanings(
        self, upgrade: Upgrade, enum: str, values: list[int], node: ast.AST, what: str
    ) -> None:
        for value in values:
            old = upgrade.enum_name(enum, value, upgrade.before)
            new = upgrade.enum_name(enum, value, upgrade.after)
            if old is None or old == new:
                continue
            means = f"means {enum}.{new}" if new else f"is no {enum}"
            told = (
                f"{what}{value} was {enum}.{old} in {upgrade.before} and {means} in {upgrade.after}"
            )
            use = f"{enum}.{old} by its name"
            gone = replacements().get(f"{enum}.{old}")
            if not upgrade.there(f"{enum}.{old}"):
                use = gone.use if gone else f"nothing: {enum}.{old} is gone"
            at = upgrade.meaning_until(enum, value, old)
            self._at(node, "enum-value", f"{enum}.{old}", told, at, use, "", "high")

    def renumbered(self, flavour: str, symbol: str, node: ast.AST) -> None:
        """Report that the integer of a member is stored or compared, and is another one now."""
        upgrade = self.upgrades[flavour]
        old = upgrade.enum_value(symbol, upgrade.before)
        new = upgrade.enum_value(symbol, upgrade.after)
        if old is None or new is None or old == new:
            return
        told = f"int({symbol}) is {old} in {upgrade.before} and {new} in {upgrade.after}"
        use = f"{symbol}.name"
        at = upgrade.first(lambda one: upgrade.enum_value(symbol, one) != old)
        self._at(node, "enum-value", symbol, told, at, use, "", "medium")

    def int64(self, flavour: str, name: str, node: ast.AST) -> None:
        """Warn of an INT32 cast of what models take as INT64."""
        upgrade = self.upgrades[flavour]
        told = f"{name} is cast to INT32: an ONNX INT64 input stays INT64 from 9.0 on"
        use = "the dtype that engine.get_tensor_dtype(name) gives"
        source = "https://github.com/onnx/onnx-tensorrt/blob/main/docs/Changelog.md"
        self._at(node, "int64-input", name, told, upgrade.after, use, source, "medium")

    def guess(self, attribute: str, node: ast.Attribute, caught: Caught | None) -> None:
        """Report an attribute of an object of unknown class, where its name tells enough."""
        if attribute in _WRITTEN and isinstance(node.ctx, ast.Load):
            return
        upgrade = next(iter(self.upgrades.values()))
        owner = self.hinted(node.value)
        symbol = upgrade.member(owner, attribute) if owner else None
        certain = symbol is not None
        named = owner is not None and self.imports_tensorrt and self.hinted(node.value, whole=True)
        if symbol is not None and named and attribute not in self.own_names:
            # ``engine.max_batch_size``: a name of many, on an object that is called as its class.
            if upgrade.lost(symbol):
                self.absent(upgrade.surface.flavour, symbol, node, caught, "medium")
            return
        if symbol is None:
            # A property may be anyone's (``args.max_workspace_size``); such a method is not.
            classes = {owner for _, owner in _HINTS}
            known = (one for one in upgrade.owners.get(attribute, ()))
            methods = (one for one in known if upgrade.text(one)[0] == "method")
            symbol = next((one for one in methods if one.rpartition(".")[0] in classes), None)
        if symbol is None or self.unknown_has(attribute) is not False:
            return
        if not (certain or self.imports_tensorrt):
            return
        confidence: Confidence = "medium" if certain and self.imports_tensorrt else "low"
        self.absent(upgrade.surface.flavour, symbol, node, caught, confidence)

    def telling(self, attribute: str) -> tuple[str, str] | None:
        """Return flavour and symbol of a method that no other library has, by its name alone.

        What it gives is known, then: ``network.add_pooling_nd(...)`` is a layer of TensorRT's.
        """
        upgrade = next(iter(self.upgrades.values()))
        found = [one for one in upgrade.owners.get(attribute, ()) if _TELLING.fullmatch(one)]
        if not self.imports_tensorrt or attribute in self.own_names or len(found) != 1:
            return None
        return upgrade.surface.flavour, found[0]

    def unknown_has(self, attribute: str) -> bool | None:
        """Return whether an object of unknown class has it in the target release; None: unclear."""
        if "_" not in attribute.strip("_") or attribute in _COMMON or attribute in self.own_names:
            return None
        upgrade = next(iter(self.upgrades.values()))
        symbols = upgrade.owners.get(attribute)
        if not symbols or attribute.startswith("__"):
            return None
        return any(upgrade.there(one) for one in symbols)

    @staticmethod
    def hinted(node: ast.expr, *, whole: bool = False) -> str | None:
        """Return the class that a variable's name hints at; `whole`: by the name's last word."""
        while isinstance(node, (ast.Subscript, ast.Call)):
            node = node.value if isinstance(node, ast.Subscript) else node.func
        name = str(getattr(node, "attr", "") or getattr(node, "id", "")).lower()
        if whole:
            name = name.rstrip("0123456789_").removesuffix("s").rpartition("_")[2]
            return next((owner for hint, owner in _HINTS if hint.fullmatch(name)), None)
        return next((owner for hint, owner in _HINTS if hint.search(name)), None)

    def _at(
        self,
        node: ast.AST,
        rule: str,
        symbol: str,
        message: str,
        breaks_at: str,
        use: str,
        source: str,
        confidence: Confidence,
    ) -> None:
        line = getattr(node, "end_lineno" if isinstance(node, ast.Attribute) else "lineno", 1)
        column = getattr(node, "col_offset", 0) + 1
        if isinstance(node, ast.Attribute) and node.end_col_offset is not None:
            # The attribute itself, not the start of a chain that may be lines above.
            column = node.end_col_offset - len(node.attr) + 1
        self.add(
            Finding(
                rule, self.file, line, column, symbol, message, breaks_at, use, source, confidence
            )
        )
