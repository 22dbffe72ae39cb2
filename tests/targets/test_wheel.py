"""Environments from wheels: made once, never half, and refused with a reason."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from compat.targets import Mounts, TargetError, command, stamp

Bench = Any
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def _ask(environment: Any, code: str) -> str:
    variables = {**os.environ, **environment.env}
    argv = command(environment, ["-c", code], {}, Mounts()).argv
    return subprocess.run(argv, env=variables, check=True, text=True, capture_output=True).stdout


class TestReady:
    """What a user gets."""

    def test_runs_the_pinned_version(self, bench: Bench) -> None:
        """The environment's Python imports exactly the version asked for."""
        environment = bench.ready()

        assert _ask(environment, "import onnxruntime as m; print(m.__version__)") == "1.0.0\n"
        assert not environment.cached

    def test_suite_packages_lie_apart(self, bench: Bench) -> None:
        """The suite's packages are in their own folder and not in the environment."""
        environment = bench.ready()

        assert (environment.deps / "suite_dep.py").is_file()
        with pytest.raises(subprocess.CalledProcessError):
            _ask(environment, "import suite_dep")

    def test_caller_does_not_leak_in(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A PYTHONPATH of the user reaches neither the question nor the runs."""
        (tmp_path / "onnxruntime.py").write_text("__version__ = 'foreign'")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

        environment = bench.ready()

        assert _ask(environment, "import onnxruntime as m; print(m.__version__)") == "1.0.0\n"

    def test_fingerprint_follows_content(self, bench: Bench) -> None:
        """Equal environments have one fingerprint, another version has another."""
        bench.runtime("1.1.0")

        first, same, other = (
            bench.ready(),
            bench.ready(name="again"),
            bench.ready("1.1.0", name="new"),
        )

        assert first.fingerprint == same.fingerprint != other.fingerprint
        assert first.deps == other.deps


class TestCache:
    """Nothing is made twice, and nothing half-made counts."""

    def test_second_time_starts_no_process(
        self, bench: Bench, no_process: Callable[[], None]
    ) -> None:
        """An unchanged target is answered from its stamp."""
        first = bench.ready()
        no_process()

        second = bench.ready()

        assert second.cached
        assert second.fingerprint == first.fingerprint

    def test_warm_without_any_source(self, bench: Bench, no_process: Callable[[], None]) -> None:
        """With verified wheels, neither network nor wheel folder is needed a second time."""
        bench.ready()
        no_process()

        assert bench.ready(find_links=(), index="http://127.0.0.1:9/simple").cached

    def test_other_version_under_one_name(self, bench: Bench) -> None:
        """A changed target is made anew in its folder."""
        bench.ready()
        bench.runtime("1.1.0")

        environment = bench.ready("1.1.0")

        assert not environment.cached
        assert _ask(environment, "import onnxruntime as m; print(m.__version__)") == "1.1.0\n"

    def test_killed_before_the_stamp(self, bench: Bench, tmp_path: Path) -> None:
        """After kill -9 in the middle, the next run starts from nothing and succeeds."""
        code = f"""
            import os, pathlib, signal
            from compat.targets import *
            from compat.targets import stamp
            from compat.targets.catalogue import Flavour
            PosixPath = pathlib.PosixPath
            stamp.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
            releases = {bench.catalogue()!r}
            provide({bench.spec()!r}, {bench.work!r}, progress=print, releases=releases)
        """
        code = textwrap.dedent(code)
        root = str(Path(stamp.__file__).parents[2])
        killed = subprocess.run([sys.executable, "-c", code], check=False, cwd=root)
        assert killed.returncode == -signal.SIGKILL
        left = bench.work / "envs" / "ort"
        assert (left / "bin" / "python").exists()
        (left / "junk").touch()

        environment = bench.ready()

        assert not environment.cached
        assert not (left / "junk").exists()

    def test_lost_interpreter(self, bench: Bench) -> None:
        """An environment whose interpreter went away is made again."""
        environment = bench.ready()
        environment.python.unlink()

        assert not bench.ready().cached

    def test_two_at_once(self, bench: Bench) -> None:
        """Two runs that want one target make it once."""
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(lambda _: bench.ready(), range(2)))

        assert sorted(one.cached for one in made) == [False, True]

    def test_unverified_wheels_are_watched(self, bench: Bench) -> None:
        """Without digests, another wheel of the same name is another environment."""
        bench.hashes.pop("onnxruntime==1.0.0")
        bench.ready()
        bench.wheel("onnxruntime", "1.0.0", "__version__ = '1.0.0'\nnew = True\n", hashed=False)

        assert not bench.ready().cached


class TestRefused:
    """Every way of not having a target, with its reason and its way out."""

    def test_unknown_version(
        self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A version that the index does not have names the nearest known ones."""
        (wheel,) = bench.wheels.glob("onnxruntime-1.0.0-*.whl")
        page = tmp_path / "index" / "onnxruntime" / "index.html"
        page.parent.mkdir(parents=True)
        page.write_text(f'<a href="{wheel.as_uri()}">{wheel.name}</a>')
        monkeypatch.setenv("UV_DEFAULT_INDEX", page.parents[1].as_uri())

        refusal = bench.refused("1.9.0", offline=False, find_links=())

        assert refusal.reason == "version-not-found"
        assert "Nearest known: 1.0.0" in refusal.message

    def test_unknown_flavour(self, bench: Bench) -> None:
        """A flavour without rows or rule is refused before anything is made."""
        refusal = bench.refused(flavour="tensorrt_rtx")

        assert refusal.reason == "version-not-found"

    def test_cuda_it_does_not_have(self, bench: Bench) -> None:
        """A CUDA without wheels is refused with those that have some."""
        refusal = bench.refused(cuda="13")

        assert refusal.reason == "version-not-found"
        assert "cpu" in refusal.message

    def test_module_says_another_version(self, bench: Bench) -> None:
        """The version is asked inside; a wheel with a wrong name is found out."""
        bench.runtime("2.0.0", says="1.9.9")

        refusal = bench.refused("2.0.0")

        assert refusal.reason == "version-differs"
        assert "1.9.9" in refusal.message
        assert bench.refused("2.0.0").reason == "version-differs"

    def test_wrong_digest(self, bench: Bench) -> None:
        """A wheel that is not the recorded one is refused."""
        bench.wheel("onnxruntime", "1.0.0", "__version__ = '1.0.0'\nevil = 1\n", hashed=False)

        refusal = bench.refused()

        assert refusal.reason == "hash-mismatch"
        assert refusal.log is not None
        assert "Hash mismatch" in refusal.log.read_text()

    def test_cold_and_offline(self, bench: Bench) -> None:
        """Offline with nothing at hand names find-links and the wheels to put there."""
        refusal = bench.refused(find_links=())

        assert refusal.reason == "no-network"
        assert "find-links" in refusal.message
        assert "onnxruntime==1.0.0" in refusal.message

    def test_cold_and_index_silent(self, bench: Bench) -> None:
        """A closed port is said to be no network, and soon."""
        began = time.monotonic()

        refusal = bench.refused(find_links=(), offline=False, index="http://u:pw@127.0.0.1:9/s")

        assert refusal.reason == "no-network"
        assert time.monotonic() - began < 20
        assert "pw" not in refusal.log.read_text() + refusal.message

    def test_wheel_folder_missing(self, bench: Bench, tmp_path: Path) -> None:
        """A wheel folder that is not there is named."""
        refusal = bench.refused(find_links=(tmp_path / "nowhere",))

        assert refusal.reason == "install-failed"
        assert "nowhere" in refusal.message

    @pytest.mark.parametrize(
        ("source", "words"),
        [
            ("raise ImportError('libnvinfer.so.8: no such file')", "libnvinfer.so.8"),
            ("import os; os.abort()", "signal 6"),
        ],
    )
    def test_import_fails(self, bench: Bench, source: str, words: str) -> None:
        """A runtime that installs but does not import, or dies, is no environment."""
        bench.runtime("3.0.0", source=source)

        refusal = bench.refused("3.0.0")

        assert refusal.reason == "install-failed"
        assert words in refusal.message

    def test_python_without_wheels(self, bench: Bench) -> None:
        """A Python that the release has no wheels for is refused before looking for it."""
        refusal = bench.refused(python="3.7")

        assert refusal.reason == "platform"
        assert HERE in refusal.message

    def test_python_not_to_be_had(self, bench: Bench) -> None:
        """A missing interpreter that uv cannot fetch names those found."""
        bench.release("4.0.0", pythons=("3.99",))

        refusal = bench.refused("4.0.0", offline=False)

        assert refusal.reason == "interpreter-missing"
        assert "found here: 3." in refusal.message

    def test_suite_has_no_such_python(self, bench: Bench) -> None:
        """A Python without suite packages is refused with the known ones."""
        bench.suite = {"3.8": ("suite-dep==1.0",)}

        refusal = bench.refused()

        assert refusal.reason == "interpreter-missing"
        assert "3.8" in refusal.message


class TestMachine:
    """Bad luck of the machine: disk, time, locks, permissions."""

    def test_time_over(self, bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A uv that hangs is ended with its children, and nothing half counts."""
        slow = tmp_path / "slow-uv"
        slow.write_text(f"#!/bin/sh\nsleep 321 & echo $! >{tmp_path}/pid\nwait\n")
        slow.chmod(slow.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr("compat.targets.uv.find", lambda: slow)

        refusal = bench.refused(timeout_s=1)

        assert refusal.reason == "install-failed"
        assert "time was over" in refusal.message
        child = Path("/proc") / (tmp_path / "pid").read_text().strip() / "cmdline"
        assert not child.exists() or b"321" not in child.read_bytes()
        monkeypatch.undo()
        assert stamp.read(bench.work / "envs" / "ort", "") is None

    def test_another_run_holds_the_lock(self, bench: Bench) -> None:
        """A lock that is not given up is said, with the lock's path."""
        folder = bench.work / "envs"
        folder.mkdir(parents=True)
        with (folder / "ort.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

            refusal = bench.refused(timeout_s=0.3)

        assert refusal.reason == "install-failed"
        assert "ort.lock" in refusal.message
        assert any("waiting for another run" in message for message in bench.messages)

    def test_work_folder_not_writable(self, bench: Bench, tmp_path: Path) -> None:
        """A work folder that cannot be is an error with its path and the way out."""
        (tmp_path / "work").write_text("a file")

        with pytest.raises(TargetError, match=r"work.*Give another work folder"):
            bench.provide()

    @pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden"])
    def test_name_must_be_a_folder(self, bench: Bench, name: str) -> None:
        """A target's name cannot lead out of the work folder."""
        with pytest.raises(TargetError, match="name"):
            bench.provide(name=name)

    def test_disk_full(self, bench: Bench, tmp_path: Path) -> None:
        """A disk that fills up during the installation is said so, and freed room is enough."""
        bench.runtime("5.0.0", source=f"__version__ = '5.0.0'\ntext = {'x' * 3_000_000!r}\n")
        bench.work.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(bench.work)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            pytest.skip("only root may mount a small disk")
        try:
            refusal = bench.refused("5.0.0")
            grow = ["mount", "-o", "remount,size=64m", str(bench.work)]
            subprocess.run(grow, check=True)
            environment = bench.provide("5.0.0")
        finally:
            subprocess.run(["umount", "-l", str(bench.work)], check=True)

        assert refusal.reason == "disk-full"
        assert "room" in refusal.message
        assert not isinstance(environment, type(refusal))
