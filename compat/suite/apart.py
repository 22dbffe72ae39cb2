"""Every test in a child of this process: for engines that are timed.

An engine can be 4 % slower where its process has loaded another one before (reports/h200-reload),
and importing pytest, numpy and a runtime again for each of them takes half a second, seven with
PyTorch.
So this process imports what they need, touches no device, and forks for each of them.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import tempfile
import time
import traceback
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from _pytest.runner import runtestprotocol

from .driver import is_started

FORKED_AT = pytest.StashKey[float]()

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Apart:
    """The plugin. `prepare` is called once, before the first test: it may import, no more.

    CUDA does not survive a fork. Where `prepare` has started it all the same, the first test is run
    in this very process and is its last; whoever gave the job starts another for the rest.
    """

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare: Optional[Callable[[], None]] = prepare

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Optional[bool]:
        """Run a test in a child and report it here; None leaves it to pytest."""
        if self._prepare is not None:
            self._prepare()
            self._prepare = None
        if is_started():
            item.session.shouldstop = "CUDA was started here: one engine for each process"
            return None
        hook, place = item.ihook, {"nodeid": item.nodeid, "location": item.location}
        hook.pytest_runtest_logstart(**place)
        item.config.stash[FORKED_AT] = time.perf_counter()
        for data in _in_a_child(lambda: _reports(item)):
            report = hook.pytest_report_from_serializable(config=item.config, data=data)
            hook.pytest_runtest_logreport(report=report)
        hook.pytest_runtest_logfinish(**place)
        return True


def _reports(item: pytest.Item) -> List[Dict[str, Any]]:
    found = runtestprotocol(item, log=False, nextitem=None)
    write = item.ihook.pytest_report_to_serializable
    return [write(config=item.config, report=report) for report in found]


def _in_a_child(call: Callable[[], List[Dict[str, Any]]]) -> List[Dict[str, Any]]:
    """Return what `call` returns in a child; where that dies first, die in the same way.

    Whatever the child has started and left ends with it, before the next one begins.
    """
    parent = os.getpid()
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    # No pipe: whatever the child starts would hold its end open.
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        with _no_word_of_threads():
            child = os.fork()
        if child == 0:
            try:
                _die_with(parent)
                pickle.dump(call(), said)  # as JSON, tuples would come back as lists
                said.flush()
                _leave(0)
            except BaseException:  # it must not go on in a second process of the same tests
                traceback.print_exc()
            finally:
                _leave(1)
        try:
            _, status = os.waitpid(child, 0)
        finally:
            _end_children()
        said.seek(0)
        data = said.read()
    if status or not data:
        _end_like(status)
    found: List[Dict[str, Any]] = pickle.loads(data)  # noqa: S301 - our own child wrote it
    return found


def _leave(code: int) -> None:
    """End this process without what Python and its libraries do at their end."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _end_children() -> None:
    """End and reap all children, also those that others have left to this process."""
    mine = "/proc/self/task/%d/children" % os.getpid()
    with contextlib.suppress(OSError):  # a kernel without CONFIG_PROC_CHILDREN
        while True:
            with open(mine, encoding="ascii") as stream:
                left = stream.read().split()
            if not left:
                return
            for pid in map(int, left):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@contextlib.contextmanager
def _no_word_of_threads() -> Iterator[None]:
    """Keep Python 3.12 from warning of threads: those of OpenBLAS, which stops them for a fork."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def _die_with(parent: int) -> None:
    """Ask the kernel to end this process with its parent, which may be dead already."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value)


def _end_like(status: int) -> None:
    """End this process as a child ended: the conductor sees and names the child's signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) or 1)
