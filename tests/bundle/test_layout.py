"""Wheels without pip: every file where pip would have put it, and nothing outside."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from compat.bundle import layout
from compat.bundle.layout import LayoutError

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"


def _wheel(folder: Path, name: str, files: dict[str, str]) -> str:
    path = folder / "wheels" / name
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
    return f"wheels/{name}"


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("pkg/mod.py", "site/pkg/mod.py"),
        ("pkg-1.0.dist-info/METADATA", "site/pkg-1.0.dist-info/METADATA"),
        ("pkg-1.0.data/purelib/pkg/a.py", "site/pkg/a.py"),
        ("pkg-1.0.data/platlib/pkg/b.so", "site/pkg/b.so"),
        ("pkg-1.0.data/data/share/pkg/c.txt", "prefix/share/pkg/c.txt"),
        ("pkg-1.0.data/scripts/tool", None),
        ("pkg-1.0.data/headers/tool.h", None),
    ],
)
def test_where_a_wheels_files_go(name: str, place: str | None) -> None:
    assert layout.destination(name, "site", "prefix") == place


@pytest.mark.parametrize("name", ["../evil.py", "a/../../evil.py", "p.data/data/../../evil.py"])
def test_a_wheel_cannot_write_outside(name: str) -> None:
    with pytest.raises(LayoutError, match="out of its folder"):
        layout.destination(name, "/far/site", "/far/prefix")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """An unpacked bundle of one target with two wheels, without the conductor's own."""
    first = _wheel(
        tmp_path,
        "one-1.0-py3-none-any.whl",
        {
            "one/__init__.py": "import two\n__version__ = '1.0'\n",
            "one/lib.so": "binary",
            "one-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: one\nVersion: 1.0\n",
        },
    )
    second = _wheel(
        tmp_path, "two-1.0-py3-none-any.whl", {"two-1.0.data/purelib/two.py": "here = __file__\n"}
    )
    target = {"python": MINOR, "wheels": [first, second], "beside": {"one/lib.so.1": "one/lib.so"}}
    host = {"python": MINOR, "wheels": []}
    far: dict[str, Any] = {
        "targets": {"mine": target, "lost": {"unavailable": {"reason": "x", "message": "y"}}},
        "deps": {},
        "host": host,
        "interpreters": {},
    }
    sha256 = {first: "a" * 64, second: "b" * 64}
    layout_files = {"far.json": far, "unpacked.json": {"id": "1", "sha256": sha256}}
    for name, content in layout_files.items():
        from compat.bundle.run import write_json

        write_json(str(tmp_path / name), content)
    return tmp_path


def test_an_environment_by_hand_imports_what_its_wheels_hold(work: Path) -> None:
    """A module of one wheel finds the other's, isolated from the interpreter's own packages."""
    layout.lay_out(str(work), lambda _: None)

    said = subprocess.run(
        [
            work / "envs" / "mine" / "bin" / "python",
            "-c",
            "import one, two, sys, importlib.metadata as m; print(two.here, sys.prefix, "
            "[d.metadata['Name'] for d in m.distributions()])",
        ],
        capture_output=True,
        text=True,
        check=True,
        env={},
    ).stdout.split(maxsplit=2)

    site = work / "envs" / "mine" / "lib" / f"python{MINOR}" / "site-packages"
    assert said[0] == str(site / "two.py")
    assert said[1] == str(work / "envs" / "mine")
    assert said[2].strip() == "['one']"
    assert (site / "one" / "lib.so.1").read_text() == "binary"


def test_a_second_time_nothing_is_laid_out(work: Path) -> None:
    layout.lay_out(str(work), lambda _: None)
    told: list[str] = []

    layout.lay_out(str(work), told.append)

    assert told == []


def test_an_interrupted_layout_is_made_anew(work: Path) -> None:
    layout.lay_out(str(work), lambda _: None)
    folder = work / "envs" / "mine"
    (folder / layout.STAMP).unlink()
    (folder / "left-over").touch()
    told: list[str] = []

    layout.lay_out(str(work), told.append)

    assert told == [f"laying out {folder}"]
    assert not (folder / "left-over").exists()


def test_an_interrupted_unpacking_is_made_anew(work: Path) -> None:
    """Half a wheel must never be linked into an environment."""
    layout.lay_out(str(work), lambda _: None)
    folder = work / "unpacked" / ("a" * 16)
    (folder / layout.STAMP).unlink()
    (folder / "one" / "lib.so").unlink()
    (work / "envs" / "mine" / layout.STAMP).unlink()

    layout.lay_out(str(work), lambda _: None)

    site = work / "envs" / "mine" / "lib" / f"python{MINOR}" / "site-packages"
    assert (site / "one" / "lib.so").read_text() == "binary"


def test_a_wheel_that_two_pythons_share_is_unpacked_once(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two threads in one folder took each other's files away."""
    unpacked: list[str] = []
    unzip = layout._unzip

    def slowly(wheel: str, folder: str) -> None:
        unpacked.append(wheel)
        time.sleep(0.05)
        unzip(wheel, folder)

    monkeypatch.setattr(layout, "_unzip", slowly)
    same = {f"wheels/{n}": _wheel(work, f"{n}-1.0-py3-none-any.whl", {"m.py": ""}) for n in "abcd"}
    told: list[str] = []

    found = layout.unpack_wheels(
        str(work), list(same.values()), dict.fromkeys(same.values(), "d" * 64), told.append
    )

    assert len(unpacked) == len(set(found.values())) == 1
    assert sorted(p.name for p in Path(found[same["wheels/a"]]).iterdir()) == [layout.STAMP, "m.py"]


def test_targets_of_one_wheel_share_its_files(work: Path) -> None:
    """TensorRT and its CUDA libraries are two gigabytes; five targets of it are not ten."""
    layout.lay_out(str(work), lambda _: None)
    site = work / "envs" / "mine" / "lib" / f"python{MINOR}" / "site-packages"

    stored = work / "unpacked" / ("a" * 16) / "one" / "lib.so"

    assert (site / "one" / "lib.so").samefile(stored)


def test_a_python_that_is_not_there_is_told_with_the_way_out(work: Path) -> None:
    with pytest.raises(LayoutError, match=r"--interpreter 3\.5"):
        layout.base(str(work), {"interpreters": {}}, "3.5")
