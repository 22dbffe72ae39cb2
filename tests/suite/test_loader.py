"""What a load's seconds are: TensorRT's own apart from what checks the file before it."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from compat.suite.manifest import store
from compat.suite.outcome import Failed, Refused
from compat.suite.test_check import Loader


class _Refusing:
    """An adapter that takes its time to refuse."""

    def require_device(self) -> None:
        """There is none to miss."""

    def load(self, path: str, _log: Any, _trusted: bool) -> Any:
        """Refuse after 20 ms."""
        time.sleep(0.02)
        raise Refused("version-mismatch", path)


def _loader(tmp_path: Path) -> tuple[Loader, dict[str, Any]]:
    claims = store(str(tmp_path / "a.engine"), b"plan" * 1000, {})
    job = SimpleNamespace(path=lambda name: str(tmp_path / name))
    item = {"engine": "a.engine", "engine_sha256": claims["sha256"], "trusted": True}
    return Loader(cast(Any, _Refusing()), cast(Any, job)), item


def test_a_refusal_says_what_it_took_beside_the_digest(tmp_path: Path) -> None:
    """Most of a matrix's loads are refused, and their time would be nobody's."""
    loader, item = _loader(tmp_path)

    with pytest.raises(Refused):
        loader.load(item, print)

    assert loader.beside["refusal_s"] >= 0.02
    assert 0 < loader.beside["digest_s"] < 5


def test_an_engine_that_no_runtime_saw_was_refused_by_none(tmp_path: Path) -> None:
    """The digest stops it, and no time is said to be a runtime's."""
    loader, item = _loader(tmp_path)

    with pytest.raises(Failed):
        loader.load({**item, "engine_sha256": "0" * 64}, print)

    assert loader.beside == {}
