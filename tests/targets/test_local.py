"""Local interpreters: asked, never changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

Bench = Any


@pytest.fixture(name="python")
def _python(bench: Bench) -> str:
    """Return an interpreter that has the runtime 1.0.0."""
    return str(bench.ready().python)


class TestLocal:
    """An interpreter that the user names."""

    def test_is_taken_as_it_is(self, bench: Bench, python: str) -> None:
        """The same interpreter comes back, with the suite's folder beside it."""
        environment = bench.ready(name="mine", provider="local", python=python)

        assert environment.python == Path(python)
        assert (environment.deps / "suite_dep.py").is_file()

    def test_other_version_inside(self, bench: Bench, python: str) -> None:
        """The version inside wins over the claim."""
        refusal = bench.refused("1.2.0", name="mine", provider="local", python=python)

        assert refusal.reason == "version-differs"
        assert "1.0.0" in refusal.message

    def test_no_such_module(self, bench: Bench, tmp_path: Path) -> None:
        """An interpreter without the runtime says which module is missing."""
        bench.runtime("1.5.0", source="import surely_not_there")
        refusal = bench.refused("1.0.0", name="mine", provider="local", python="/bin/sh")
        assert refusal.reason == "interpreter-missing"

        bare = tmp_path / "python"
        bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
        bare.chmod(0o755)
        refusal = bench.refused("1.0.0", name="mine", provider="local", python=str(bare))

        assert refusal.reason == "version-not-found"
        assert "no module onnxruntime" in refusal.message

    def test_a_name_on_path_will_do(
        self, bench: Bench, python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As a configuration names it that is for another machine."""
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "mypython").symlink_to(python)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
        venv = Path(python).parents[1] / "pyvenv.cfg"
        (tmp_path / "pyvenv.cfg").write_text(venv.read_text())
        (tmp_path / "lib").symlink_to(Path(python).parents[1] / "lib")

        environment = bench.ready(name="mine", provider="local", python="mypython")

        assert environment.python == tmp_path / "bin" / "mypython"

    def test_a_local_part_is_no_part_of_the_version(self, bench: Bench) -> None:
        """PyTorch says 2.11.0+cu130: the build of a release, which the fingerprint holds."""
        bench.runtime("1.3.0", says="1.3.0+cu130")
        python = str(bench.ready("1.3.0", name="made").python)

        environment = bench.ready("1.3.0", name="mine", provider="local", python=python)

        assert environment.target.version == "1.3.0"

    def test_the_library_tells_what_the_module_leaves_out(
        self, bench: Bench, tmp_path: Path
    ) -> None:
        """JetPack's module says 10.3.0, and the fourth part counts for compatibility."""
        (tmp_path / "libnvinfer.so.10").write_bytes(b"x" * 4096)
        bench.runtime(
            "1.3.0",
            source=f"""
import ctypes, mmap, types
with open({str(tmp_path / "libnvinfer.so.10")!r}, "rb") as stream:
    loaded = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
parts = dict(zip(("Major", "Minor", "Patch", "Build"), (1, 3, 0, 30)))
asked = {{"getInferLib%sVersion" % one: (lambda n=n: n) for one, n in parts.items()}}
ctypes.CDLL = lambda path: types.SimpleNamespace(**asked)
__version__ = "1.3.0"
""",
        )
        python = str(bench.ready("1.3.0", name="made").python)

        environment = bench.ready("1.3.0.30", name="mine", provider="local", python=python)
        refusal = bench.refused("1.3.0.26", name="other", provider="local", python=python)

        assert environment.facts == {"module_version": "1.3.0"}
        assert "1.3.0.30" in refusal.message

    def test_no_such_interpreter(self, bench: Bench) -> None:
        """A path without a file is named."""
        refusal = bench.refused(name="mine", provider="local", python="/nowhere/python")

        assert refusal.reason == "interpreter-missing"
        assert "/nowhere/python" in refusal.message
