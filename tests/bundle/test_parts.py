"""Parts: cut to size, found wherever they lie, and never used when they are not whole."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compat.bundle import parts, run
from compat.bundle.parts import BundleError, Member, parse_size
from compat.bundle.run import WrongError, main

SIZE = 100_000


@dataclass
class Bundle:
    """A bundle of two files in parts, and its manifest."""

    folder: Path
    manifest: dict[str, Any]

    def check(self, *folders: Path) -> list[str]:
        """Find and verify the parts."""
        where = [str(folder) for folder in folders or (self.folder,)]
        return run.check_parts(self.manifest, run.find_parts(where, ""))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Four parts: a large file of several parts and a small one behind it."""
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(range(256)) * 1200)
    folder = tmp_path / "bundle"
    folder.mkdir()
    members = [Member("wheels/large.bin", large), Member("far.json", b"{}")]
    return Bundle(folder, parts.write(members, folder, SIZE, lambda _name, _count: None))


def test_every_part_is_of_the_size_asked_for_but_the_last(bundle: Bundle) -> None:
    sizes = [path.stat().st_size for path in sorted(bundle.folder.iterdir())]

    assert sizes[:-1] == [SIZE] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= SIZE
    assert sum(sizes) == bundle.manifest["bytes"]


def test_the_same_content_gives_the_same_parts(bundle: Bundle, tmp_path: Path) -> None:
    """So that after a change only the parts that differ have to be carried again."""
    again = tmp_path / "again"
    again.mkdir()
    (tmp_path / "large.bin").touch()
    members = [Member("wheels/large.bin", tmp_path / "large.bin"), Member("far.json", b"{...}")]

    made = parts.write(members, again, SIZE, lambda _name, _count: None)["parts"]

    assert [p["sha256"] for p in made[:-1]] == [p["sha256"] for p in bundle.manifest["parts"][:-1]]


def test_parts_may_lie_in_several_folders_in_any_order(bundle: Bundle, tmp_path: Path) -> None:
    there = tmp_path / "second" / "delivery"
    there.mkdir(parents=True)
    shutil.move(bundle.folder / "bundle.part001", there)

    found = bundle.check(bundle.folder, tmp_path / "second")

    assert [Path(path).name for path in found] == [p["name"] for p in bundle.manifest["parts"]]


def test_all_that_is_wrong_is_named_at_once(bundle: Bundle, tmp_path: Path) -> None:
    """Missing, changed, cut short, twice: four problems, one message."""
    first, second, third, fourth = sorted(bundle.folder.iterdir())
    (tmp_path / "copy").mkdir()
    shutil.copy(first, tmp_path / "copy")
    second.unlink()
    third.write_bytes(third.read_bytes()[:-1] + b"!")
    fourth.write_bytes(fourth.read_bytes()[:-1])

    with pytest.raises(WrongError) as error:
        bundle.check(bundle.folder, tmp_path / "copy")

    text = str(error.value)
    assert "4 of 4 parts" in text
    assert f"{first.name} is there twice: " in text
    assert f"{second.name} is missing" in text
    assert f"{third.name} was changed" in text
    assert f"{fourth.name} is cut short" in text


def test_two_parts_that_changed_places_are_told_so(bundle: Bundle) -> None:
    first, second = sorted(bundle.folder.iterdir())[:2]
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)

    with pytest.raises(WrongError, match=f"{first.name} holds {second.name}"):
        bundle.check()


def test_the_same_folder_given_twice_is_no_part_given_twice(bundle: Bundle) -> None:
    assert len(bundle.check(bundle.folder, bundle.folder)) == 4


def test_a_part_read_in_small_pieces_is_the_whole_stream(bundle: Bundle) -> None:
    paths = bundle.check()
    stream = run.Joined(paths)

    pieces = iter(lambda: stream.read(70_001), b"")

    assert b"".join(pieces) == b"".join(Path(path).read_bytes() for path in paths)


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out", "."])
def test_no_member_leads_out_of_the_work_folder(name: str, tmp_path: Path) -> None:
    with pytest.raises(WrongError, match="outside"):
        run.below(str(tmp_path), name)


@pytest.mark.parametrize(
    ("text", "size"),
    [("60MB", 60_000_000), ("64 MiB", 2**26), ("1.5gb", 1_500_000_000), ("200000", 200_000)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "10 apples", "5kB", "-1MB"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(BundleError):
        parse_size(text)


def _run_py(bundle: Bundle, *arguments: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(run.__file__, bundle.folder / "run.py")
    known = {"made_by": "a test", "python": "3.12", "summary": ["one target"]}
    text = json.dumps({**known, **bundle.manifest})
    (bundle.folder / "manifest.json").write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-I", str(bundle.folder / "run.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_verify_only_says_yes_or_exits_with_2(bundle: Bundle, tmp_path: Path) -> None:
    good = _run_py(bundle, "--verify-only")
    (bundle.folder / "bundle.part002").unlink()
    bad = _run_py(bundle, "--verify-only")

    assert (good.returncode, good.stdout) == (0, "all 4 parts are here and whole\n")
    assert bad.returncode == 2
    assert "bundle.part002 is missing" in bad.stderr
    assert "Traceback" not in bad.stderr


def test_list_says_what_is_missing(bundle: Bundle) -> None:
    (bundle.folder / "bundle.part003").unlink()

    listed = _run_py(bundle, "--list")

    assert listed.returncode == 2
    assert "one target" in listed.stdout
    assert "wheels/large.bin" in listed.stdout
    assert "1 of 4 parts are missing" in listed.stdout


def test_a_manifest_that_is_broken(bundle: Bundle) -> None:
    _run_py(bundle, "--list")
    (bundle.folder / "manifest.json").write_text('{"parts": [')

    said = subprocess.run(
        [sys.executable, "-I", str(bundle.folder / "run.py")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 2
    assert "manifest.json is missing or broken" in said.stderr


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan"])
def test_a_build_limit_that_is_no_time_is_refused(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Read as no limit, it would cost the rest of a lent machine's time."""
    with pytest.raises(SystemExit) as ended:
        main([f"--build-limit={seconds}"])

    assert ended.value.code == 2
    assert "--build-limit" in capsys.readouterr().err
