"""TensorRT loads flipped weight bytes without a word; the manifest's digest stops them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compat.suite.manifest import manifest_path, store, verify
from compat.suite.outcome import Failed


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """An engine file with its manifest."""
    path = tmp_path / "engines" / "net.engine"
    store(str(path), bytes(range(256)) * 64, {"version": "1.7.1.116"})
    return path


def _flip(path: Path, *, keep_time: bool) -> None:
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    if keep_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_untouched_engine_passes(engine: Path) -> None:
    """The manifest keeps the claims beside the digest."""
    assert verify(str(engine))["version"] == "1.7.1.116"


def test_a_flipped_bit_is_stopped(engine: Path) -> None:
    """Even where size and times were kept."""
    verify(str(engine))
    _flip(engine, keep_time=True)

    with pytest.raises(Failed, match="differs from the SHA-256"):
        verify(str(engine))


def test_an_earlier_check_is_not_trusted_after_a_change(engine: Path) -> None:
    """A benchmark's rounds may skip the hash, but only for the file that was hashed."""
    verify(str(engine))
    verify(str(engine), trust_stamp=True)
    _flip(engine, keep_time=False)

    with pytest.raises(Failed, match="differs from the SHA-256"):
        verify(str(engine), trust_stamp=True)


def test_what_a_full_check_has_stopped_is_trusted_by_nobody(engine: Path) -> None:
    """Its own runtime reads every byte; the others would have loaded what that one refused."""
    _flip(engine, keep_time=True)
    verify(str(engine), trust_stamp=True)  # the file's times say nothing of it

    with pytest.raises(Failed):
        verify(str(engine))
    with pytest.raises(Failed, match="differs from the SHA-256"):
        verify(str(engine), trust_stamp=True)


def test_a_truncated_engine_is_stopped_by_its_size(engine: Path) -> None:
    """The message says both sizes."""
    engine.write_bytes(engine.read_bytes()[:100])

    with pytest.raises(Failed, match="holds 100 bytes, its manifest says 16384"):
        verify(str(engine))


def test_an_engine_without_a_manifest_is_not_loaded(engine: Path) -> None:
    """Nobody knows what it is."""
    Path(manifest_path(str(engine))).unlink()

    with pytest.raises(Failed, match="no engine with a manifest"):
        verify(str(engine))
