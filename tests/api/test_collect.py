"""Reading a module out, and which wheels are taken; the releases themselves need the network."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from compat.api import collect
from compat.api.signatures import fits, overloads

_PACKAGE = '''\
import enum, os
print("a logger's line on stdout")
__version__ = "9.9"
class Base:
    def shared(self):
        """shared(self: fake_bindings.fake.Base, index: int) -> fake_bindings.fake.Kind"""
class Thing(Base):
    size = property(lambda self: 1)
    name = property(lambda self: 1, lambda self, value: None)
    def _private(self): ...
class Kind(enum.IntEnum):
    ONE = 1
    TWO = 2
def make(count: int = 1):
    return Thing()
DEFAULT = Base()
'''


def test_a_module_is_read_out(tmp_path: Path) -> None:
    """Classes with bases, members, properties and whether they can be set, functions, values."""
    package = tmp_path / "fake_bindings"
    package.mkdir()
    (package / "__init__.py").write_text(_PACKAGE, encoding="utf-8")
    script = Path(collect.__file__).with_name("readout.py")
    answer = subprocess.run(
        [sys.executable, str(script), "fake_bindings", "fake"],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(answer.stdout.splitlines()[-1])["rows"]

    assert rows["Thing"] == ["class", "Base"]
    assert rows["Kind"][0] == "enum"
    assert rows["Kind.TWO"] == ["member", "2"]
    assert rows["Thing.size"][1].endswith("=") is False
    assert rows["Thing.name"][1].endswith("=") is True
    assert rows["make"] == ["function", "make(count: int = 1)"]
    assert rows["DEFAULT"] == ["value", "Base"]
    assert not {"os", "enum", "Thing._private"} & set(rows)


def test_only_public_linux_wheels_of_a_known_python_are_taken() -> None:
    """No Windows, no other processor, none that was withdrawn."""
    names = {
        "tensorrt_cu12_bindings-1-cp311-none-manylinux_2_28_x86_64.whl": False,
        "tensorrt_cu12_bindings-2-cp311-none-manylinux_2_28_x86_64.whl": True,
        "tensorrt_cu12_bindings-1-cp311-none-manylinux_2_31_aarch64.whl": False,
        "tensorrt_cu12_bindings-1-cp311-none-win_amd64.whl": False,
        "tensorrt_cu12_bindings-1-cp312-none-manylinux_2_28_x86_64.whl": False,
    }
    files = [{"filename": name, "yanked": yanked} for name, yanked in names.items()]
    taken = list(collect._of(files, "cp311"))

    assert [one["filename"] for one in taken] == [next(iter(names))]
    assert collect._python(taken[0]) == "3.11"


def test_only_addresses_of_an_index_are_opened() -> None:
    """A mirror's page could name a file of this machine."""
    with pytest.raises(ValueError, match="not an address"):
        collect._opened("file:///etc/passwd")


@pytest.mark.parametrize(
    ("positional", "named", "taken"),
    [
        (1, [], True),
        (0, ["flags"], True),
        (2, [], True),
        (3, [], False),
        (1, ["mode"], True),
        (1, ["flags"], False),
        (0, [], False),
        (0, ["flag"], False),
    ],
)
def test_calls_are_held_against_documented_signatures(
    positional: int, named: list[str], *, taken: bool
) -> None:
    """By position and by name; ``self`` is not counted."""
    text = "f(self: Builder, flags: int, mode: Mode = <Mode.A: (0, 1)>) -> List[Tuple[int, int]]"

    assert fits(text, positional, named) is taken


def test_one_overload_that_fits_is_enough_and_none_documented_takes_all() -> None:
    """A text that cannot be parsed is no ground for a finding."""
    assert fits("f(a: int) -> int\nf(a: str, b: str) -> int", 2, [])
    assert fits("", 7, ["x"])
    assert fits("f(a: int", 7, ["x"])
    assert fits("f(*args, **kwargs)", 7, ["x"])
    assert len(overloads("f(a: int) -> int\nf(a: str, b: str) -> int")) == 2
