"""``docs/targets.md`` shows what the commands really print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from compat.cli import main

PAGE = Path(__file__).parents[1] / "docs/targets.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n\$ (.*?)\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize(("call", "shown"), BLOCKS, ids=[call for call, _ in BLOCKS])
def test_the_page_shows_what_is_printed(
    call: str,
    shown: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each block was run; after a change, paste what the failure prints."""
    (config,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "compat.toml").write_text(config, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    program, *arguments = shlex.split(call)

    main(arguments)

    printed = capsys.readouterr()
    assert program == "trt-compat"
    assert (printed.out + printed.err).lstrip("\n") == shown


def test_every_command_is_on_the_page() -> None:
    for command in ("list", "suggest", "show", "check", "doctor"):
        assert f"`trt-compat targets {command}" in TEXT
