"""uv's words to reasons: the texts are uv 0.13.8's own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from compat.targets import Recipe, TargetSpec, diagnosis
from compat.targets.failure import failed
from compat.targets.process import Outcome, redacted
from compat.targets.uv import Uv

_UNSATISFIABLE = "error: No solution found when resolving dependencies\n  cause: Because "


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("error: Failed\n  cause: No space left on device (os error 28)", "disk-full"),
        ("  cause: Hash mismatch for `iniconfig==2.3.1`\n   Expected:", "hash-mismatch"),
        (
            _UNSATISFIABLE + "onnxruntime was not found in the cache and you require it\nhint: "
            "Packages were unavailable because the network was\n disabled.",
            "no-network",
        ),
        ("error: Request failed after 3 retries in 7.6s\n  cause: dns error", "no-network"),
        (_UNSATISFIABLE + "there is no version of onnxruntime==1.99.0 and", "version-not-found"),
        (_UNSATISFIABLE + "nosuch was not found in the package registry", "version-not-found"),
        (_UNSATISFIABLE + "tensorrt==10.3.0 has no usable wheels and", "version-not-found"),
        (
            _UNSATISFIABLE + "a==1 has no wheels with a matching Python ABI tag (e.g., `cp311`)",
            "platform",
        ),
        ("error: something new", "install-failed"),
    ],
)
def test_reason(text: str, reason: str) -> None:
    """Each known wording has its reason."""
    assert diagnosis.reason(Outcome(1, text)) == reason


def test_reason_of_a_size_limit() -> None:
    """A uv ended by the file size limit had no room."""
    assert diagnosis.reason(Outcome(-signal.SIGXFSZ, "")) == "disk-full"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("error: a\n  cause: b\n  cause: c\nhint: d", "c"),
        ("error: a\nhint: d", "a"),
        ("only this", "only this"),
        ("", "exit code 2, nothing printed"),
    ],
)
def test_last_words(text: str, words: str) -> None:
    """The innermost cause tells most."""
    assert diagnosis.last_words(Outcome(2, text)) == words


def test_redacted() -> None:
    """Credentials in an index address do not reach a log."""
    assert (
        redacted("--index https://me:secret@host/simple x") == "--index https://***@host/simple x"
    )


def test_a_stub_is_told_from_a_version_that_is_nowhere(tmp_path: Path) -> None:
    """As uv says it of the public index."""
    spec = TargetSpec("t", "tensorrt", "10.4.0", "wheel", "other")
    uv = Uv(spec, tmp_path / "uv", tmp_path / "logs" / "log", 0.0, print)
    recipe = Recipe((), {}, resolve=False)

    def said(words: str) -> str:
        return failed(uv, recipe, Outcome(1, f"{_UNSATISFIABLE}{words} and you require it")).message

    assert "pypi.nvidia.com" in said("tensorrt-cu12-libs==10.4.0 has no usable wheels")
    assert "pypi.nvidia.com" not in said("there is no version of tensorrt-cu12-libs==10.99.0")
    assert "pypi.nvidia.com" not in said("onnxruntime==1.0 has no usable wheels")
