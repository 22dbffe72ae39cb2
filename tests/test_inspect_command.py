"""``trt-compat inspect``: what a person at the terminal, and a script, see."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compat.cli import main
from compat.suite.manifest import manifest_path, store

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "engine" / "data"
REAL = sorted(DATA.glob("rtx-*.engine"))


def test_one_file_is_told_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """Each value with how it is known."""
    assert main(["inspect", str(DATA / "rtx-1.6.1.120.engine")]) == 0

    out = capsys.readouterr().out
    assert "TensorRT-RTX 1.6.1.120" in out
    assert re.search(r"targets +sm_80 sm_86 sm_89 sm_120 sm_121 bit 6 +\[observed\]", out)
    assert re.search(r"cuda +12.9 +\[observed\]", out)
    assert re.search(r"serialization +0 +\[inferred\]", out)
    assert "none beside it" in out


def test_a_folder_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each engine, what is wrong below it; other files are left alone."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number, path in enumerate(REAL):
        (tmp_path / "deep" / "er" / f"{number}.plan").write_bytes(path.read_bytes())
    (tmp_path / "cut.engine").write_bytes(REAL[0].read_bytes()[:1000])
    (tmp_path / "notes.txt").write_text("no engine", encoding="ascii")

    assert main(["inspect", str(tmp_path)]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("✓")]) == len(REAL)
    assert lines[0].startswith("✗ tensorrt_rtx  1.4.0.76")
    assert lines[1] == "    is cut: it declares 6172 bytes and 1000 are there"
    assert lines[-1].startswith(f"{len(REAL)} of {len(REAL) + 1} are whole engines")
    assert "no SHA-256 was checked" in lines[-1]


@pytest.mark.parametrize("pattern", ["*.engine", "**/rtx-1.7*.engine"])
def test_a_pattern_in_quotes_is_expanded(
    pattern: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to where one stands, and as a whole path."""
    monkeypatch.chdir(DATA)
    for given in (pattern, str(DATA / pattern)):
        assert main(["inspect", "--json", given]) == 0

        found = json.loads(capsys.readouterr().out)
        assert {Path(one["path"]).name for one in found} == {
            path.name for path in DATA.glob(pattern.replace("**/", ""))
        }


def test_json_holds_all_that_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    """One array, however many files."""
    assert main(["inspect", "--json", str(DATA / "rtx-1.7.1.116.engine")]) == 0

    (found,) = json.loads(capsys.readouterr().out)
    assert found["holds"] is True
    assert found["kind"] == "plan"
    assert found["plan"]["stated"]["version"] == {"value": "1.7.1.116", "how": "observed"}
    assert [one["name"] for one in found["plan"]["sections"]] == ["engine", "weights"]
    assert found["read_bytes"] < 10_000


def test_a_name_that_brackets_stand_in_is_a_name(tmp_path: Path) -> None:
    """It is there, so it is no pattern."""
    path = tmp_path / "a[1].engine"
    path.write_bytes(REAL[0].read_bytes())

    assert main(["inspect", str(path)]) == 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("gone.engine", "there is no file gone.engine"),
        ("*.nothing", "there is no file *.nothing"),
        ("empty", "empty holds no *.engine, *.plan, *.trt: name the engine file itself"),
    ],
)
def test_a_name_of_nothing_is_a_wrong_call(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: str,
    says: str,
) -> None:
    """Before anything is told of the others."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()

    assert main(["inspect", str(REAL[0]), given]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert says in told.err


def test_a_pattern_passes_over_a_folder_without_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`dir.engine` matches `*.engine`; the array of the others is whole."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dir.engine").mkdir()
    for name in ("a.engine", "z.engine"):
        (tmp_path / name).write_bytes(REAL[0].read_bytes())

    assert main(["inspect", "--json", "*.engine"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["path"] for one in found] == ["a.engine", "z.engine"]
    assert main(["inspect", "dir*"]) == 2
    assert "there is no file dir*" in capsys.readouterr().err


def test_a_folder_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in it was not looked at, so not everything holds."""
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.engine").write_bytes(REAL[0].read_bytes())
    real = os.scandir

    def scandir(place: str) -> object:
        if str(place).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)

    assert main(["inspect", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "closed\n    " in out
    assert "1 of 2 are whole engines" in out


@pytest.mark.parametrize(("number", "code"), [(errno.EACCES, 1), (errno.ENAMETOOLONG, 2)])
def test_a_path_that_the_system_refuses_is_one_line(
    number: int,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file in a closed folder, a name that is too long."""
    path = str(tmp_path / "x.engine")

    def refuse(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(place: Any, *rest: Any, **named: Any) -> Any:
            if str(place).startswith(path):
                raise OSError(number, os.strerror(number), path)
            return real(place, *rest, **named)

        return call

    for name in ("stat", "lstat", "open"):
        monkeypatch.setattr(os, name, refuse(getattr(os, name)))

    assert main(["inspect", path]) == code
    told = capsys.readouterr()
    says = "cannot be opened: Permission denied" if code == 1 else f"there is no file {path}"
    assert says in told.out + told.err
    assert main(["api", "scan", path, "--from", "8.6", "--to", "11"]) == 2
    assert f"{path}: cannot be scanned: {os.strerror(number)}" in capsys.readouterr().err


def test_the_digest_is_read_where_it_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flipped weight shows nowhere else."""
    path = tmp_path / "x.engine"
    store(str(path), REAL[0].read_bytes(), {"flavour": "tensorrt_rtx", "version": "1.4.0.76"})
    data = bytearray(REAL[0].read_bytes())
    data[-100] ^= 0x40
    path.write_bytes(data)

    assert main(["inspect", str(path)]) == 0
    assert "SHA-256 not checked (--digest" in capsys.readouterr().out
    assert main(["inspect", "--digest", str(path)]) == 1
    assert "differs from the SHA-256 in its manifest" in capsys.readouterr().out
    assert main(["inspect", "--digest", str(path), str(REAL[0])]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 are whole engines that contradict nothing; the SHA-256 of 1 was checked" in out


def test_names_and_metadata_cannot_talk_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An escape sequence, a new line, bytes that are no text."""
    metadata = json.dumps({"task": "\x1b[2Jdetect"}, ensure_ascii=False).encode()
    data = len(metadata).to_bytes(4, "little") + metadata + REAL[0].read_bytes()
    for name in (b"\x1b[31mred.engine", b"two\nlines.engine", b"\xff\xfe.engine"):
        (tmp_path / os.fsdecode(name)).write_bytes(data)

    for call in (["inspect", str(tmp_path)], *(["inspect", str(x)] for x in tmp_path.iterdir())):
        assert main(call) == 0
        out = capsys.readouterr().out
        assert "\x1b" not in out
        assert out.isascii() or set(out) - set("✓") == {x for x in out if x.isascii()}


def test_a_reader_that_leaves_gets_no_stack_trace(tmp_path: Path) -> None:
    """``trt-compat inspect . | head -1``."""
    for number in range(2000):
        (tmp_path / f"{number:04}.engine").hardlink_to(_copy(tmp_path))
    command = f"{sys.executable} -m compat inspect {tmp_path} | head -1"

    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_a_terminal_that_knows_ascii_only_gets_no_stack_trace() -> None:
    """A mark is told in its place."""
    done = subprocess.run(
        [sys.executable, "-m", "compat", "inspect", str(REAL[0])],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("\\u2713")
    assert done.stderr == ""


def _copy(folder: Path) -> Path:
    path = folder / "real"
    if not path.exists():
        path.write_bytes(REAL[0].read_bytes())
    return path


def test_hostile_files_take_no_more_than_fifty_megabytes(tmp_path: Path) -> None:
    """JSON of a hundred thousand objects, in front of a plan and as a manifest; a huge nothing."""
    plan = REAL[0].read_bytes()
    metadata = b'{"names": [' + b"{}," * 43_000 + b"{}]}"
    (tmp_path / "a.engine").write_bytes(len(metadata).to_bytes(4, "little") + metadata + plan)
    (tmp_path / "b.engine").write_bytes(plan)
    manifest = Path(manifest_path(str(tmp_path / "b.engine")))
    manifest.write_bytes(b'{"bytes": 1, "model": [' + b"{}," * 80_000 + b"{}]}")
    with (tmp_path / "c.engine").open("wb") as stream:
        stream.write(plan)
        stream.truncate(1 << 40)
    with (tmp_path / "d.engine").open("wb") as stream:
        stream.truncate(1 << 40)
    code = (
        "import sys; from pathlib import Path; from compat.cli import main;"
        "main(['inspect', sys.argv[1]]); print(Path('/proc/self/status').read_text())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert "1 of 4 are whole engines" in done.stdout
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert peak is not None
    assert int(peak.group(1)) * 1024 < 50_000_000
