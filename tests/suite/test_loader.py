"""A load: its seconds apart from those of the check before it, and what a refusal is called."""

from __future__ import annotations

import os
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

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def require_device(self) -> None:
        """There is none to miss."""

    def load(self, path: str, _log: Any, _trusted: bool) -> Any:
        """Refuse after 20 ms."""
        time.sleep(0.02)
        raise Refused(self._reason, path)


def _loader(
    tmp_path: Path, reason: str = "version-mismatch", builder: str = "trt-8.5"
) -> tuple[Loader, dict[str, Any]]:
    claims = store(str(tmp_path / "a.engine"), b"plan" * 1000, {})
    job = SimpleNamespace(path=lambda name: str(tmp_path / name))
    cell = {"builder": builder, "runtime": "trt-8.6"}
    item = {
        "engine": "a.engine",
        "engine_sha256": claims["sha256"],
        "trusted": True,
        "cell": cell,
    }
    return Loader(cast(Any, _Refusing(reason)), cast(Any, job)), item


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


@pytest.mark.parametrize(
    ("builder", "reason"), [("trt-8.5", "version-mismatch"), ("trt-8.6", "not-an-engine")]
)
def test_a_whole_engine_of_another_target_is_called_an_engine(
    tmp_path: Path, builder: str, reason: str
) -> None:
    """8.6 says of every plan of 8.5 that its magic tag is wrong; the digest knows better."""
    loader, item = _loader(tmp_path, "not-an-engine", builder)

    with pytest.raises(Refused) as caught:
        loader.load(item, print)

    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("builder", "said"), [("trt-8.6", Failed), ("trt-8.5", Refused)], ids=["own", "another"]
)
def test_its_own_runtime_reads_every_byte_of_an_engine(
    tmp_path: Path, builder: str, said: type[Exception]
) -> None:
    """Bits that rot leave the file's times alone; the other runtimes look at those."""
    loader, item = _loader(tmp_path, builder=builder)
    engine = tmp_path / item["engine"]
    times = engine.stat()
    engine.write_bytes(b"rot!" * 1000)
    os.utime(engine, ns=(times.st_atime_ns, times.st_mtime_ns))

    with pytest.raises(said):
        loader.load(item, print)
