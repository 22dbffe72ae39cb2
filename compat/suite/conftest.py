"""Turn a job's items into tests and every test's end into one line of the event file."""

import os
import platform
import sys
import time
import traceback
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest

from .adapters import Adapter, import_for, open_adapter
from .apart import FORKED_AT, Apart
from .events import EventLog, utc_now
from .job import Job, read_job
from .memory import peak_rss_bytes, reset_peak
from .outcome import Failed, NotRun, Outcome, Unsupported

JOB = pytest.StashKey[Job]()
EVENTS = pytest.StashKey[EventLog]()
SESSION = pytest.StashKey[Dict[str, Any]]()
APART = "compat-apart"


class Recorder:
    """Collects what one item found; the fixture writes it down whatever happens."""

    def __init__(self, item: Dict[str, Any], log_path: str, events: EventLog) -> None:
        self.item = item
        self.numbers: Dict[str, Optional[float]] = {}
        self.facts: Dict[str, Any] = {}
        self.files: Dict[str, str] = {}
        self._log_path = log_path
        self._events = events
        self._log: Optional[Any] = None

    def log(self, line: str) -> None:
        """Append a line to the item's log, which is made with the first line."""
        if self._log is None:
            self._log = open(self._log_path, "w", encoding="utf-8")  # noqa: SIM115
            self.files["log"] = self.item["log"]
        self._log.write(line + "\n")
        self._log.flush()

    def settle(self, **facts: Any) -> None:
        """Add facts that hold even if the process dies before the item's end."""
        self.facts.update(facts)
        self._events.write("progress", item=self.item["id"], facts=facts)

    def close(self) -> None:
        """Close the log."""
        if self._log is not None:
            self._log.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the job file."""
    parser.addoption("--job", required=True, help="the job file written by trt-compat")


def pytest_configure(config: pytest.Config) -> None:
    """Read the job and open its event file."""
    job = read_job(config.getoption("--job"))
    config.stash[JOB] = job
    config.stash[EVENTS] = EventLog(job.events)
    if job.phase == "bench":
        config.pluginmanager.register(Apart(lambda: _prepare(job)), APART)


def _prepare(job: Job) -> None:
    """Import what the job's items will need, so that each one's process finds it there."""
    engines = sorted({job.path(item["engine"]) for item in job.items})
    try:
        import_for(job.target["flavour"], engines)
    except Exception:  # each item's process meets it again, and answers
        traceback.print_exc()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the event file."""
    if EVENTS in config.stash:
        config.stash[EVENTS].close()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the job's items of its check, named by their ids."""
    if "item" not in metafunc.fixturenames:
        return
    check = metafunc.function.__name__[len("test_") :]
    items = [item for item in metafunc.config.stash[JOB].items if item["check"] == check]
    metafunc.parametrize("item", items, ids=[item["id"] for item in items])


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Keep the job's own order: the host put an engine's checks side by side.

    A check of which the job has no item leaves one test without an item; it is taken out.
    """
    order = {item["id"]: index for index, item in enumerate(config.stash[JOB].items)}

    def place(test: pytest.Item) -> int:
        item = test.callspec.params["item"]  # type: ignore[attr-defined]
        return order[item["id"]] if isinstance(item, dict) else -1

    items[:] = sorted((test for test in items if place(test) >= 0), key=place)


@pytest.fixture(scope="session")
def job(pytestconfig: pytest.Config) -> Job:
    """The job of this process."""
    return pytestconfig.stash[JOB]


@pytest.fixture(scope="session")
def adapter(pytestconfig: pytest.Config, job: Job) -> Adapter:
    """The runtime, imported once; what it says of itself goes into every record."""
    opened = open_adapter(job.target["flavour"])
    pinned = job.target["version"].split(".post")[0]
    around = dict(job.target.get("facts", {}))  # what the host found out about the environment
    # The module of an image may state three parts of the four that the host read off its library.
    if opened.version() != around.pop("module_version", pinned):
        raise RuntimeError("this target holds version %s, not %s" % (opened.version(), pinned))
    session = {
        "version": pinned,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "arch": opened.arch(),
    }
    session.update(around)
    session.update(opened.facts())
    pytestconfig.stash[SESSION] = session
    pytestconfig.stash[EVENTS].write("session", target=session)
    return opened


def _guarded(recorder: Recorder, call: Callable[[], None]) -> Dict[str, Any]:
    """Run one item and return its record's status, reason and message."""
    try:
        call()
    except Outcome as outcome:
        return {"status": outcome.status, "reason": outcome.reason, "message": outcome.message}
    except MemoryError:
        return {"status": "not-run", "reason": "out-of-memory", "message": "memory ran out"}
    except OSError as error:
        # The machine's trouble, not the engine's: the conductor tries these again.
        return {"status": "not-run", "reason": _os_reason(error), "message": str(error)}
    except Exception as error:
        recorder.log("%s: %s" % (type(error).__name__, error))
        message = "%s: %s" % (type(error).__name__, error)
        return {"status": "failed", "reason": "unexpected-error", "message": message}
    return {"status": "ok", "reason": "", "message": ""}


def _os_reason(error: OSError) -> str:
    import errno

    return {errno.ENOSPC: "disk-full", errno.EDQUOT: "disk-full", errno.EROFS: "read-only"}.get(
        error.errno or 0, "os-error"
    )


@pytest.fixture
def recorder(pytestconfig: pytest.Config, job: Job, item: Dict[str, Any]) -> Iterator[Recorder]:
    """What the test fills; its log file stands beside the item."""
    made = Recorder(item, job.path(item["log"]), pytestconfig.stash[EVENTS])
    yield made
    made.close()


@pytest.fixture
def observe(
    pytestconfig: pytest.Config, recorder: Recorder
) -> Callable[[Callable[[], None]], None]:
    """Return ``observe(call)``: run `call` as the item, write one result line, end the test."""
    events = pytestconfig.stash[EVENTS]

    def run(call: Callable[[], None]) -> None:
        item = recorder.item
        events.write("started", item=item["id"], round=item.get("round"))
        started, begin = utc_now(), time.perf_counter()
        if FORKED_AT in pytestconfig.stash:
            recorder.facts["fork_s"] = round(begin - pytestconfig.stash[FORKED_AT], 3)
        reset_peak()
        end = _guarded(recorder, call)
        recorder.numbers.setdefault("peak_rss_bytes", peak_rss_bytes())
        recorder.close()
        events.write(
            "result",
            item=item["id"],
            round=item.get("round"),
            key=item["key"],
            cell=item["cell"],
            numbers=recorder.numbers,
            facts=recorder.facts,
            files=recorder.files,
            started=started,
            seconds=round(time.perf_counter() - begin, 4),
            **end,
        )
        _end_test(end)

    return run


def _end_test(end: Dict[str, Any]) -> None:
    """Give pytest the word that fits, for whoever runs the suite by hand."""
    text = "%s: %s" % (end["reason"], end["message"])
    if end["status"] in (NotRun.status, Unsupported.status):
        pytest.skip(text)
    if end["status"] == Failed.status:
        pytest.fail(text, pytrace=False)


def pytest_report_header(config: pytest.Config) -> str:
    """Say what runs where."""
    job = config.stash[JOB]
    name = "%s %s" % (job.target["flavour"], job.target["version"])
    return "trt-compat suite: %s, phase %s, %d items, Python %s, %s" % (
        name,
        job.phase,
        len(job.items),
        sys.version.split()[0],
        os.uname().machine,
    )
