"""Real containers where an engine can run, and a word in the summary where none can."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.targets.containers import pictures


@pytest.fixture(scope="session")
def store() -> Iterator[dict[str, str]]:
    """Podman with our own store, in this process too; the test is skipped where it cannot run."""
    if why := pictures.problem():
        pytest.skip(why)
    with pytest.MonkeyPatch.context() as patch:
        variables = pictures.variables()
        for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"):
            patch.setenv(name, variables[name])
        yield {name: variables[name] for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF")}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say plainly whether containers were really started."""
    reports = terminalreporter.stats
    if any("container" in getattr(one, "keywords", ()) for one in reports.get("skipped", ())):
        why = pictures.problem() or "see the reasons of the skips"
        terminalreporter.write_line(f"CONTAINER TESTS WERE SKIPPED, some or all: {why}")
    ran = sum("container" in one.keywords for one in reports.get("passed", ()))
    if ran:
        terminalreporter.write_line(f"container tests: {ran} ran with podman")
