"""How a command ends that is stopped from outside: it promises only what it keeps."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from compat.cli import main
from compat.commands import inspect, run


@pytest.mark.parametrize(
    ("module", "name", "argv", "keeps"),
    [(inspect, "inspect", ["inspect", "x.engine"], False), (run, "run", ["run"], True)],
)
def test_only_what_keeps_records_says_that_it_kept_them(
    module: Any,
    name: str,
    argv: list[str],
    keeps: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`inspect` has nothing on record, and no second call goes on where it stopped."""

    def interrupted(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, name, interrupted)

    assert main(argv) == 130
    said = capsys.readouterr().err
    assert said.startswith("interrupted")
    assert ("on record" in said) is keeps


def test_a_full_output_is_no_work_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(inspect, "inspect", full)

    assert main(["inspect", str(tmp_path)]) == 4
    assert capsys.readouterr().err == (
        "error: No space left on device: the output: make room and run the same command again\n"
    )
