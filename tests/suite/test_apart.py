"""What is timed has a process of its own, forked from one that has imported everything."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
import os, sys
sys.path.insert(0, {root!r})
from compat.suite import apart

def prepare():
    open("prepared", "a").write("%d " % os.getpid())
    import sndhdr_stand_in

def pytest_configure(config):
    config.pluginmanager.register(apart.Apart(prepare))
"""
ROOT = str(Path(__file__).resolve().parents[2])
TELL = """
import os, signal, sys, time
def tell():
    with open("pids", "a") as stream:
        stream.write("%d %s " % (os.getpid(), "sndhdr_stand_in" in sys.modules))
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with the plugin, and a module that its `prepare` imports."""
    pytester.makeconftest(CONFTEST.format(root=ROOT))
    pytester.makepyfile(sndhdr_stand_in="")
    return pytester


def _words(path: str) -> list[str]:
    return Path(path).read_text().split()


def test_each_test_has_a_process_that_finds_everything_imported(suite: pytest.Pytester) -> None:
    """Neither what another engine left behind is in it, nor is an import repeated."""
    suite.makepyfile(TELL + "\n".join(f"def test_{n}(): tell()" for n in range(3)))

    suite.runpytest_subprocess().assert_outcomes(passed=3)

    (prepared,) = _words("prepared")
    pids, imported = _words("pids")[::2], _words("pids")[1::2]
    assert len({prepared, *pids}) == 4
    assert imported == ["True"] * 3


def test_whoever_runs_it_by_hand_reads_how_each_test_ended(suite: pytest.Pytester) -> None:
    """Reports come out of the child, with their texts."""
    suite.makepyfile(
        """
        import pytest
        def test_right(): pass
        def test_wrong(): assert 1 == 2, "so it goes"
        def test_left_out(): pytest.skip("no such precision")
        """
    )

    found = suite.runpytest_subprocess("-ra")

    found.assert_outcomes(passed=1, failed=1, skipped=1)
    found.stdout.fnmatch_lines(["*so it goes*", "*no such precision*"])
    assert found.ret == 1


@pytest.mark.parametrize(
    ("death", "code"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", -signal.SIGSEGV),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.abort()", -signal.SIGABRT),
        ("os._exit(3)", 3),
        ("os._exit(0)", 1),
    ],
)
def test_a_death_in_the_child_is_seen_from_outside(
    suite: pytest.Pytester, death: str, code: int
) -> None:
    """The conductor names the signal, and starts again behind the item that died."""
    suite.makepyfile(TELL + f"def test_a(): tell()\ndef test_b(): {death}\ndef test_c(): tell()")

    found = suite.runpytest_subprocess()

    assert found.ret == code
    assert len(_words("pids")) == 2


def test_what_a_test_has_started_ends_with_it(suite: pytest.Pytester) -> None:
    """Workers of a compiler, say, would go on beside the next engine that is timed."""
    suite.makepyfile(
        """
        import subprocess
        def test_a():
            with open("left", "w") as stream:
                stream.write(str(subprocess.Popen(["sleep", "60"]).pid))
        def test_b():
            assert subprocess.call(["kill", "-0", open("left").read()]) == 1
        """
    )

    suite.runpytest_subprocess().assert_outcomes(passed=2)


def test_an_exception_outside_a_test_is_told(suite: pytest.Pytester) -> None:
    """The last words of the log stand in the record."""
    suite.makepyfile("def test_a(): raise KeyboardInterrupt('the reason')")

    found = suite.runpytest_subprocess("-s")

    assert found.ret == 1
    found.stderr.fnmatch_lines(["*KeyboardInterrupt: the reason"])


def test_where_cuda_was_started_one_test_is_run_and_no_other(suite: pytest.Pytester) -> None:
    """A release whose import starts it cannot be forked; its process is used for one engine."""
    suite.makeconftest(CONFTEST.format(root=ROOT) + "apart.is_started = lambda: True\n")
    suite.makepyfile(TELL + "\n".join(f"def test_{n}(): tell()" for n in range(3)))

    found = suite.runpytest_subprocess()

    found.assert_outcomes(passed=1)
    assert found.ret == pytest.ExitCode.INTERRUPTED
    assert _words("pids")[0] == _words("prepared")[0]


def test_the_child_ends_with_its_parent(suite: pytest.Pytester) -> None:
    """Else it would go on beside the next one, on the same GPU."""
    suite.makepyfile(TELL + "def test_a():\n    tell()\n    time.sleep(60)")
    parent = subprocess.Popen([sys.executable, "-m", "pytest", "-q"], stdout=subprocess.DEVNULL)
    pids = suite.path / "pids"
    _until(lambda: pids.exists() and bool(pids.read_text()))
    child = int(_words("pids")[0])

    parent.kill()
    parent.wait()

    _until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))


def _is_zombie(pid: int) -> bool:
    return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()


def _until(happened: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.02)
