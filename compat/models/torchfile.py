"""Arrays of a PyTorch file (.pt, .pth), read as data: nothing that the file names is ever called.

torch.save writes a ZIP with `data.pkl` and one file of raw numbers per storage. A pickle is a
program, and loading one may run anything; this module walks its opcodes with a machine of its own
that knows containers, tensors and "an object of class X with these attributes", and refuses every
other name. A pickled module is taken apart into the state dict that PyTorch would give.
"""

from __future__ import annotations

import math
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compat.models.errors import ModelError
from compat.models.weights import FloatArray, Param

__all__ = ["TorchWeights", "read_state"]

Array = NDArray[np.generic]

_DTYPES: Final = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# Modules whose classes are layers: an object with attributes, which we only look into.
_LAYERS: Final = ("torch.nn.modules.", "torchvision.models.", "resnet")
_CONTAINERS: Final = {
    ("collections", "OrderedDict"): dict,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
}
_MARK: Final = object()


@dataclass(frozen=True, slots=True)
class _Name:
    """A global of the pickle: a name and nothing behind it."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class _Object:
    """A pickled layer: the name of its class and its attributes."""

    kind: _Name
    state: dict[str, Any] = field(default_factory=dict)


class TorchWeights:
    """The arrays of one PyTorch file, by the names of its state dict."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state = read_state(path)

    def get(self, name: str, param: Param) -> FloatArray:
        """The array, float32; ModelError where it is missing or has another shape."""
        values = self._state.get(name)
        if values is None or values.shape != param.shape:
            have = "no such array" if values is None else f"shape {list(values.shape)}"
            raise ModelError(
                "weights-mismatch",
                f"{self._path}: {name!r} has {have}; this architecture needs {list(param.shape)}.",
            )
        return values.astype(np.float32)


def read_state(path: Path) -> dict[str, Array]:
    """Every array of the file by its name in the state dict."""
    try:
        with zipfile.ZipFile(path) as archive:
            pickled = [n for n in archive.namelist() if n.rpartition("/")[2] == "data.pkl"]
            if len(pickled) != 1:
                raise ModelError("weights-broken", f"{path}: is a ZIP, but not one of torch.save.")
            folder = pickled[0].removesuffix("data.pkl")
            machine = _Machine(path, lambda key: archive.read(f"{folder}data/{key}"))
            return dict(_named(machine.run(archive.read(pickled[0])), ""))
    except FileNotFoundError:
        raise ModelError("missing-file", f"{path}: no such file.") from None
    except zipfile.BadZipFile:
        raise ModelError(
            "weights-broken",
            f"{path}: is not the ZIP that torch.save writes since PyTorch 1.6; an older file has "
            "to be saved anew.",
        ) from None
    except (ValueError, KeyError, IndexError, TypeError, EOFError, zlib.error) as error:
        raise ModelError("weights-broken", f"{path}: is damaged ({error}).") from None


def _named(value: object, prefix: str) -> Iterator[tuple[str, Array]]:
    """Arrays of a state dict or of a module, by dotted name."""
    if isinstance(value, np.ndarray):
        yield prefix, value
    elif isinstance(value, _Object):
        for part in ("_parameters", "_buffers", "_modules"):
            yield from _named(value.state.get(part), prefix)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _named(item, f"{prefix}.{key}" if prefix else str(key))


class _Machine:
    """The pickle machine, without the part that calls."""

    def __init__(self, path: Path, read: Callable[[str], bytes]) -> None:
        self._path = path
        self._read = read
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._storages: dict[str, Array] = {}

    def run(self, program: bytes) -> object:
        for opcode, argument, _ in pickletools.genops(program):
            self._step(opcode.name, argument)
        return self._stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        if name in _VALUES:
            self._stack.append(_VALUES[name](argument))
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        elif name not in {"PROTO", "FRAME", "STOP"}:
            raise self._refuse(f"the opcode {name}")

    def _refuse(self, what: str) -> ModelError:
        return ModelError(
            "unsafe-pickle",
            f"{self._path}: holds {what}, which a file of weights does not need; it was not "
            "loaded. Save the state dict alone, or as .safetensors or ONNX.",
        )

    def _remember(self, argument: int | None) -> None:
        self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]

    def _recall(self, argument: int) -> None:
        self._stack.append(self._memo[argument])

    def _mark(self, _argument: None) -> None:
        self._stack.append(_MARK)

    def _to_mark(self) -> list[Any]:
        marks = [i for i, item in enumerate(self._stack) if item is _MARK]
        start = marks[-1]
        items = self._stack[start + 1 :]
        del self._stack[start:]
        return items

    def _global(self, argument: str) -> None:
        module, _, name = argument.partition(" ")
        self._name(module, name)

    def _stack_global(self, _argument: None) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._name(str(module), str(name))

    def _name(self, module: str, name: str) -> None:
        known = (
            (module, name) in _CONTAINERS
            or (module == "torch" and name in _DTYPES)
            or (module == "torch._utils" and name in {"_rebuild_tensor_v2", "_rebuild_parameter"})
            or module.startswith(_LAYERS)
        )
        if not known:
            raise self._refuse(f"the name {module}.{name}")
        self._stack.append(_Name(module, name))

    def _tuple(self, count: int | None) -> None:
        if count is None:
            self._stack.append(tuple(self._to_mark()))
            return
        items = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        self._stack.append(items)

    def _reduce(self, _argument: None) -> None:
        arguments, function = self._stack.pop(), self._stack.pop()
        if not isinstance(function, _Name):
            raise self._refuse("a call of something without a name")
        made = _CONTAINERS.get((function.module, function.name))
        if made is not None:
            self._stack.append(made(*arguments))
        elif function.name == "_rebuild_tensor_v2":
            self._stack.append(_strided(*arguments[:4]))
        elif function.name == "_rebuild_parameter":
            self._stack.append(arguments[0])
        else:
            raise self._refuse(f"a call of {function}")

    def _new_object(self, _argument: None) -> None:
        arguments, kind = self._stack.pop(), self._stack.pop()
        if not isinstance(kind, _Name) or arguments or not kind.module.startswith(_LAYERS):
            raise self._refuse(f"an object of {kind}")
        self._stack.append(_Object(kind))

    def _build(self, _argument: None) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, _Object) and isinstance(state, dict):
            target.state.update(state)
        elif not isinstance(target, dict):  # a state dict carries _metadata, which says nothing
            raise self._refuse("the state of something that is no layer")

    def _set_item(self, _argument: None) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._stack[-1][key] = value

    def _set_items(self, _argument: None) -> None:
        items = self._to_mark()
        self._stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def _append(self, _argument: None) -> None:
        value = self._stack.pop()
        self._stack[-1].append(value)

    def _append_all(self, _argument: None) -> None:
        items = self._to_mark()
        self._stack[-1].extend(items)

    def _storage(self, _argument: None) -> None:
        """A persistent id: ("storage", type, key, device, count)."""
        kind, dtype, key, _device, count = self._stack.pop()
        if kind != "storage" or not isinstance(dtype, _Name) or dtype.name not in _DTYPES:
            raise self._refuse(f"a storage of {dtype}")
        if key not in self._storages:
            raw = self._read(str(key))
            self._storages[key] = np.frombuffer(raw, _DTYPES[dtype.name], count=count)
        self._stack.append(self._storages[key])


def _strided(storage: Array, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> Array:
    """A tensor's own numbers out of its storage; numpy checks nothing here, so we do."""
    last = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    if offset < 0 or min((*shape, *stride), default=0) < 0 or last >= max(storage.size, 1):
        raise ValueError("a tensor reaches beyond its storage")
    if math.prod(shape) == 0:
        return np.zeros(shape, storage.dtype)
    steps = tuple(s * storage.itemsize for s in stride)
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, steps, writeable=False)
    return np.ascontiguousarray(view)


_VALUES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_SET": lambda _: set(),
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"),
        lambda argument: argument,
    ),
}
_ACTIONS: Final[Mapping[str, Callable[[_Machine, Any], None]]] = {
    "BINPUT": _Machine._remember,
    "LONG_BINPUT": _Machine._remember,
    "MEMOIZE": _Machine._remember,
    "BINGET": _Machine._recall,
    "LONG_BINGET": _Machine._recall,
    "MARK": _Machine._mark,
    "GLOBAL": _Machine._global,
    "STACK_GLOBAL": _Machine._stack_global,
    "TUPLE": lambda machine, _: machine._tuple(None),
    "TUPLE1": lambda machine, _: machine._tuple(1),
    "TUPLE2": lambda machine, _: machine._tuple(2),
    "TUPLE3": lambda machine, _: machine._tuple(3),
    "REDUCE": _Machine._reduce,
    "NEWOBJ": _Machine._new_object,
    "BUILD": _Machine._build,
    "SETITEM": _Machine._set_item,
    "SETITEMS": _Machine._set_items,
    "APPEND": _Machine._append,
    "APPENDS": _Machine._append_all,
    "BINPERSID": _Machine._storage,
}
