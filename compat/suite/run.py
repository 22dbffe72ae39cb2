"""Start the suite inside a target: ``python run.py JOB.json [--stay]``.

pytest and numpy live in a folder that the host laid down for this Python version. It is appended
to ``sys.path``, so that what the target itself ships always wins.

With ``--stay`` the process waits when its job is done: each line on the standard input says that
another job stands in the file, and the end of the input that there is none. Importing a runtime,
making its context and its first builder take seconds.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import sys
import types

HERE = os.path.dirname(os.path.abspath(__file__))
# Where the package stands: the host's site-packages, if this program was installed there.
ROOT = os.path.dirname(os.path.dirname(HERE))
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def _die_with_the_conductor():
    # type: () -> None
    """Ask the kernel to end this process when the conductor dies, however it dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _is_left_alone():
    # type: () -> bool
    """Tell whether the conductor was dead before the kernel could be asked to end this process.

    Such a process would do its job in the same files as that of the next conductor. The pipe tells:
    nobody holds its other end any more, and nothing is in it.
    """
    look = select.poll()
    look.register(0, select.POLLIN)
    return look.poll(0) == [(0, select.POLLHUP)]


def _leave_process_1():
    # type: () -> None
    """As process 1 of a container, go on in a child and do no more than pass signals on.

    The kernel keeps signals without a handler from process 1: an abort there would look like
    another crash, and a request to end like none. Engines' own `--init` needs a program that
    distributions leave out (catatonit with Debian's podman).
    """
    if os.getpid() != 1:
        return
    child = os.fork()
    if child == 0:
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda given, _: os.kill(child, given))
    while True:
        ended, status = os.wait()
        if ended == child:
            crash = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
            os._exit(128 + crash if crash else os.WEXITSTATUS(status))


class _OwnPackagesOnly:
    """Take the host's packages off the path before any runtime is imported.

    pytest adds the folder above the suite's package whenever it imports a part of it, the last time
    just before a test's fixtures. Submodules are found through the package without that.
    """

    def __init__(self):
        # type: () -> None
        self.known = ROOT in sys.path

    def pytest_runtestloop(self):
        # type: () -> None
        """Runtimes are imported behind this, where tests are forked off (`apart`)."""
        self.pytest_fixture_setup()

    def pytest_fixture_setup(self):
        # type: () -> None
        """Runtimes are imported by fixtures and tests only."""
        if not self.known:
            sys.path[:] = [entry for entry in sys.path if entry != ROOT]


def main(argv):
    # type: (list[str]) -> int
    """Run the job's phase with pytest and return pytest's exit code; that of the last job."""
    if len(argv) not in (2, 3) or argv[2:] not in ([], ["--stay"]):
        sys.stderr.write("usage: run.py JOB.json [--stay]\n")
        return 2
    _leave_process_1()
    _die_with_the_conductor()
    if argv[2:] and _is_left_alone():
        return 1
    with open(argv[1], encoding="utf-8") as stream:
        sys.path.append(json.load(stream)["deps"])
    # Started as a script, Python puts this folder first and `import records` would shadow others.
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]
    # Ours by its place, whatever else is called `compat` in the target.
    package = types.ModuleType("compat")
    package.__path__ = [os.path.dirname(HERE)]
    sys.modules["compat"] = package
    code = _do(argv[1])
    while argv[2:] and sys.stdin.readline():
        code = _do(argv[1])
    return code


def _do(path):
    # type: (str) -> int
    """Do one job and say in its event file that it is done."""
    import pytest

    with open(path, encoding="utf-8") as stream:
        job = json.load(stream)
    code = int(
        pytest.main(
            [
                os.path.join(HERE, "test_%s.py" % job["phase"]),
                "--job=" + path,
                "--rootdir=" + HERE,
                "--confcutdir=" + HERE,
                "-c",
                os.path.join(HERE, "pytest.ini"),
                "-p",
                "no:cacheprovider",
                "-p",
                "no:legacypath",
                # Behind the target's own packages, which `prepend` would hide.
                "--import-mode=append",
                # A folder that is there; else the plugin makes one where the user happens to be.
                "--benchmark-storage=" + job["work"],
                "--benchmark-quiet" if job["phase"] == "bench" else "-q",
            ],
            plugins=[_OwnPackagesOnly()],
        )
    )
    gc.collect()  # pytest's own cycles hold what the last test held: an engine and its memory
    adapters = importlib.import_module("compat.suite.adapters")
    events = importlib.import_module("compat.suite.events").EventLog(job["events"])
    free = adapters.free_device_share(job["target"]["flavour"])
    driver = importlib.import_module("compat.suite.driver")
    # An engine that is timed must be the first of its process, and CUDA survives no fork (`apart`).
    is_spent = job["phase"] == "bench" and driver.is_started()
    events.write("end", code=code, free_device_share=free, is_spent=is_spent)
    events.close()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv))
