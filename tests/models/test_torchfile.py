"""PyTorch files are read as data: tensors come out, and nothing that a file names is called."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from compat.models import ModelError
from compat.models.torchfile import TorchWeights, read_state
from compat.models.weights import Param

Write = Callable[..., Path]

NUMBERS = np.arange(12, dtype="<f4")


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file as torch.save does, with the given pickle and one storage of 12 floats."""

    def make(program: bytes, storage: bytes = NUMBERS.tobytes()) -> Path:
        path = tmp_path / "model.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", b"\x80\x02" + program + b".")
            archive.writestr("archive/data/0", storage)
        return path

    return make


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def whole(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def sizes(*values: int) -> bytes:
    return b"(" + b"".join(map(whole, values)) + b"t"


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def call(module: str, attribute: str, *arguments: bytes) -> bytes:
    return name(module, attribute) + b"(" + b"".join(arguments) + b"tR"


def tensor(shape: tuple[int, ...], stride: tuple[int, ...], offset: int = 0) -> bytes:
    storage = b"(" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu")
    storage += whole(12) + b"tQ"
    hooks = call("collections", "OrderedDict")
    return call(
        *("torch._utils", "_rebuild_tensor_v2"),
        *(storage, whole(offset), sizes(*shape), sizes(*stride), b"\x89", hooks),
    )


def mapping(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def layer(module: str, kind: str, **state: bytes) -> bytes:
    return name(module, kind) + b")\x81" + mapping(**state) + b"b"


def test_a_state_dict_gives_its_arrays(write: Write) -> None:
    """Shape, stride and offset are followed."""
    found = read_state(write(mapping(a=tensor((3, 4), (4, 1)), b=tensor((2, 3), (1, 2), 6))))

    assert (found["a"] == NUMBERS.reshape(3, 4)).all()
    assert found["b"].tolist() == [[6, 8, 10], [7, 9, 11]]


def test_a_pickled_module_is_taken_apart_into_its_state_dict(write: Write) -> None:
    """Its classes are never imported: torch is not even installed here."""
    parameter = call("torch._utils", "_rebuild_parameter", tensor((12,), (1,)), b"\x88", b"}")
    conv = layer("torch.nn.modules.conv", "Conv2d", _parameters=mapping(weight=parameter))
    net = layer("resnet", "ResNet", _modules=mapping(conv1=conv), _buffers=b"}")

    assert list(read_state(write(net))) == ["conv1.weight"]


@pytest.mark.parametrize(
    ("module", "attribute"),
    [("posix", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("torch", "load")],
)
def test_a_malicious_pickle_is_refused_and_does_nothing(
    write: Write, tmp_path: Path, module: str, attribute: str
) -> None:
    """The classic: a call hidden where a tensor should be."""
    victim = tmp_path / "touched"
    path = write(mapping(weight=call(module, attribute, text(f"touch {victim}"))))

    with pytest.raises(ModelError, match=f"{module}.{attribute}") as caught:
        read_state(path)
    assert caught.value.reason == "unsafe-pickle"
    assert not victim.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"(" + text("true") + b"iposix\nsystem\n",
        text("posix") + text("system") + b"\x93" + text("true") + b"\x85R",
        call("torch.nn.modules.conv", "Conv2d"),
        call("torch", "FloatStorage", whole(3)),
        name("torch._utils", "_rebuild_parameter") + mapping(x=whole(1)) + b"b",
        name("collections", "OrderedDict") + b")\x81",
        b"\x82\x01",
        call("torch._utils", "_rebuild_parameter", whole(1)) + whole(1) + b"\x85R",
    ],
    ids=["inst", "stack-global", "class", "storage", "patched", "newobj", "ext", "no-name"],
)
def test_other_ways_to_a_call_are_refused(write: Write, program: bytes) -> None:
    """Old opcodes, calls of allowed names, and state for what is no layer."""
    with pytest.raises(ModelError) as caught:
        read_state(write(program))
    assert caught.value.reason == "unsafe-pickle"


@pytest.mark.parametrize(
    "program",
    [
        mapping(a=tensor((4, 4), (4, 1))),
        mapping(a=tensor((2,), (1,), -1)),
        mapping(a=tensor((2,), (-1,), 3)),
        b"u",
        b"h\x07",
    ],
    ids=["beyond", "before", "backwards", "no-mark", "no-memo"],
)
def test_a_damaged_file_is_named(write: Write, program: bytes) -> None:
    """A tensor beyond its storage would read foreign memory."""
    with pytest.raises(ModelError, match=r"model\.pth") as caught:
        read_state(write(program))
    assert caught.value.reason == "weights-broken"


def test_a_storage_that_is_too_short_is_named(write: Write) -> None:
    with pytest.raises(ModelError, match="damaged"):
        read_state(write(mapping(a=tensor((12,), (1,))), NUMBERS.tobytes()[:-1]))


def test_what_is_no_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "old.pth").write_bytes(b"\x80\x02}.")

    with pytest.raises(ModelError, match=r"PyTorch 1\.6"):
        read_state(tmp_path / "old.pth")
    with pytest.raises(ModelError, match="no such file"):
        read_state(tmp_path / "none.pth")


def test_weights_of_another_architecture_are_named(write: Write) -> None:
    weights = TorchWeights(write(mapping(a=tensor((3, 4), (4, 1)))))

    assert weights.get("a", Param((3, 4))).dtype == np.float32
    with pytest.raises(ModelError, match=r"\[4, 3\]"):
        weights.get("a", Param((4, 3)))
    with pytest.raises(ModelError, match="no such array"):
        weights.get("b", Param((3, 4)))
