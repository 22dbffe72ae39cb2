"""The timing cache of several builds at once: what one of them measured, none of them loses."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from compat.suite.adapters.base import Request
from compat.suite.adapters.trt_build import _keep_timing_cache, _use_timing_cache


class Cache:
    """A timing cache whose entries are words, with the calls that TensorRT's has."""

    def __init__(self, data: bytes) -> None:
        self.words = set(data.split())

    def combine(self, other: Cache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch  # another version's timings are worth nothing
        self.words |= other.words
        return True

    def serialize(self) -> bytes:
        return b" ".join(sorted(self.words))


class BuilderConfig:
    """Makes caches, and takes the one to use."""

    def create_timing_cache(self, data: bytes) -> Cache:
        return Cache(data)

    def set_timing_cache(self, cache: Cache, ignore_mismatch: bool) -> None:
        self.used = cache


def _request(path: Path | str) -> Request:
    return Request("a.onnx", "fp16", "weak", "plain", {}, timing_cache=str(path))


def _build(path: Path, word: bytes) -> int | None:
    """Measure one tactic and keep it."""
    config = BuilderConfig()
    used = _use_timing_cache(config, _request(path))
    used[0].words.add(word)
    return _keep_timing_cache(config, _request(path), used)


def test_two_builds_that_began_together_keep_both_their_timings(tmp_path: Path) -> None:
    """The second to end must not throw away what the first has written meanwhile."""
    path, config = tmp_path / "trt.timing", BuilderConfig()
    path.write_bytes(b"old")
    first, second = (_use_timing_cache(config, _request(path)) for _ in range(2))
    first[0].words.add(b"first")
    second[0].words.add(b"second")

    _keep_timing_cache(config, _request(path), first)
    size = _keep_timing_cache(config, _request(path), second)

    assert path.read_bytes() == b"first old second"
    assert size == len(b"first old second")


def _build_many(path: Path, name: str) -> None:
    for number in range(20):
        _build(path, f"{name}-{number}".encode())


def test_builds_in_many_processes_lose_nothing(tmp_path: Path) -> None:
    """Reading, combining and writing are one step."""
    path = tmp_path / "trt.timing"
    context = multiprocessing.get_context("spawn")
    builds = [context.Process(target=_build_many, args=(path, name)) for name in "abc"]
    for build in builds:
        build.start()
    for build in builds:
        build.join()

    assert len(Cache(path.read_bytes()).words) == 3 * 20


def test_without_a_timing_cache_nothing_is_written(tmp_path: Path) -> None:
    """TensorRT-RTX has none."""
    config = BuilderConfig()

    used = _use_timing_cache(config, _request(""))

    assert _keep_timing_cache(config, _request(""), used) is None
    assert list(tmp_path.iterdir()) == []
