"""Read the public surface of an importable TensorRT module: prints JSON; runs on Python 3.10.

Run by ``compat.api.collect`` in a process of its own, as ``python readout.py MODULE NAME`` with the
folder of the module on PYTHONPATH. NAME is what users import (``tensorrt``); it stands for MODULE
in every signature. A symbol's row is ``[kind, text]``:

``class``     text: the bases, with commas
``enum``      text: as for a class; its members are rows of their own
``member``    text: the integer
``method``, ``static``, ``function``   text: the documented signatures, one a line
``property``  text: the documented type, with `` =`` behind it where it can be set
``alias``     text: the class it is another name of
``module``, ``value``   text: empty, or the type of the value
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import types
from typing import Any

# What Python code asks for without naming it, and what it may name.
_DUNDERS = (
    "__init__",
    "__getitem__",
    "__len__",
    "__iter__",
    "__enter__",
    "__call__",
    "__contains__",
)
_CALLABLE = (types.BuiltinFunctionType, types.FunctionType, types.MethodType)


class Reader:
    """Walk a module; `rows` is symbol -> [kind, text]."""

    def __init__(self, module: types.ModuleType, name: str) -> None:
        """Take the module and the name that users import."""
        self.root = module
        self.name = name
        self.rows: dict[str, list[str]] = {}

    def module(self, module: types.ModuleType, prefix: str) -> None:
        """Read a module and those below it."""
        for key in sorted(vars(module)):
            value = getattr(module, key)
            if key.startswith("_"):
                continue
            if inspect.isclass(value):
                # A class of elsewhere, imported by NVIDIA's Python files, is none of theirs.
                if self._own(value):
                    self.type(value, prefix + key)
            elif inspect.ismodule(value):
                inside = value.__name__.startswith(self.root.__name__ + ".")
                if inside and key != self.name:
                    self.rows[prefix + key] = ["module", ""]
                    self.module(value, prefix + key + ".")
            elif isinstance(value, _CALLABLE):
                if self._own(value):
                    self.rows[prefix + key] = ["function", self.signature(value)]
            elif self._own(type(value)):
                self.rows[prefix + key] = ["value", self.clean(type(value).__name__)]

    def _own(self, value: Any) -> bool:
        module = getattr(value, "__module__", None) or ""
        return module.split(".")[0] in (self.root.__name__, self.name)

    def type(self, value: Any, path: str) -> None:
        """Read a class or an enum."""
        members: dict[str, Any] = getattr(value, "__members__", None) or {}
        bases = [self.clean(base.__qualname__) for base in value.__mro__[1:] if self._own(base)]
        self.rows[path] = ["enum" if members else "class", ",".join(bases)]
        for key, member in members.items():
            self.rows[path + "." + key] = ["member", str(int(member.value))]
        for key in sorted(vars(value)):
            if key in members or (key.startswith("_") and key not in _DUNDERS):
                continue
            if members and (key in _DUNDERS or key in ("name", "value")):
                continue
            raw = vars(value)[key]
            if inspect.isclass(raw):
                if raw.__qualname__.startswith(value.__qualname__ + "."):
                    self.type(raw, path + "." + key)
                else:
                    self.rows[path + "." + key] = ["alias", self.clean(raw.__qualname__)]
            elif isinstance(raw, property) or type(raw).__name__ == "pybind11_static_property":
                got = self.signature(raw.fget) if raw.fget else ""
                kind = got.rpartition("->")[2].strip() or self.documented(raw)
                self.rows[path + "." + key] = ["property", kind + (" =" if raw.fset else "")]
            elif isinstance(raw, staticmethod):
                self.rows[path + "." + key] = ["static", self.signature(raw.__func__)]
            elif callable(raw):
                self.rows[path + "." + key] = ["method", self.signature(raw)]
            else:
                kind = self.clean(type(raw).__qualname__) if self._own(type(raw)) else ""
                self.rows[path + "." + key] = ["value", kind]

    def documented(self, raw: Any) -> str:
        """Return the type that a property's text names (":class:`int` ...")."""
        text = (getattr(raw, "__doc__", None) or "").strip()
        if text.startswith(":class:`"):
            return self.clean(text.split("`")[1].strip())
        return ""

    def signature(self, value: Any) -> str:
        """Return the signatures pybind11 writes into the docstring, or those of Python code."""
        text = getattr(value, "__doc__", None) or ""
        name = getattr(value, "__name__", "")
        if isinstance(value, types.FunctionType):
            try:
                return name + str(inspect.signature(value))
            except (TypeError, ValueError):
                return ""
        lines = [line.strip() for line in text.strip().splitlines()]
        found = [
            line.split(". ", 1)[1]
            for line in lines
            if line[:1].isdigit() and ". " + name + "(" in line
        ]
        if not found:
            found = [line for line in lines[:1] if "(" in line]
        return "\n".join(self.clean(line) for line in found)

    def clean(self, text: str) -> str:
        """Return a text without the bindings' own module names."""
        root = self.root.__name__
        for module in (root + "." + self.name + ".", root + ".", self.name + "."):
            text = text.replace(module, "")
        return text


def main(module: str, name: str) -> None:
    """Print the surface of a module."""
    # What an import prints shall not stand before the answer.
    answer, sys.stdout = sys.stdout, sys.stderr
    found = importlib.import_module(module)
    reader = Reader(found, name)
    # NVIDIA's own submodules import it by the users' name.
    sys.modules[name] = found
    try:
        importlib.import_module(module + ".plugin")
    except ModuleNotFoundError as error:
        # That of lean and dispatch asks for the full package, so it is none of theirs.
        if error.name not in (module + ".plugin", "tensorrt"):
            raise
    reader.module(found, "")
    json.dump({"version": getattr(found, "__version__", ""), "rows": reader.rows}, answer)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
