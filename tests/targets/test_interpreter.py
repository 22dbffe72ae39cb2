"""The choice among the interpreters found."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.targets.interpreter import Interpreter, choose

HERE = [Interpreter(one, Path("/python") / one) for one in ("3.11.7", "3.13.0", "3.11.2", "3.8.18")]


@pytest.mark.parametrize(
    ("wanted", "allowed", "version"),
    [
        (None, ("3.8", "3.11", "3.13"), "3.11.7"),
        (None, ("3.8", "3.13"), "3.13.0"),
        ("3.8", (), "3.8.18"),
        ("3.11.2", (), "3.11.2"),
        ("3.1", (), None),
        (None, ("3.9",), None),
    ],
)
def test_choose(wanted: str | None, allowed: tuple[str, ...], version: str | None) -> None:
    """The first that fits is taken: the running Python, else the newest."""
    chosen = choose(wanted, allowed, HERE)

    assert (chosen.version if chosen else None) == version
