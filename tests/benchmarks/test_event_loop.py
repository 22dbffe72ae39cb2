"""The independent loop, as far as it goes without a GPU."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import event_loop

SCRIPTS = Path(__file__).parents[2] / "benchmarks"


class FakeRuntime:
    """Notes what it is told; a launch takes 2 ms, whatever the host does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._events = 0

    def event(self) -> str:
        self._events += 1
        return f"event{self._events}"

    def record(self, event: str) -> None:
        self.said.append(f"record {event}")

    def launch(self) -> None:
        self.said.append("launch")

    def wait(self) -> None:
        self.said.append("wait")

    def between(self, begin: str, end: str) -> float:
        self.said.append(f"await {end}")
        return 2.0


def test_a_launch_is_enqueued_before_the_one_ahead_of_it_is_awaited() -> None:
    """Else the GPU would idle while the host gets ready, and that time would count."""
    runtime: Any = FakeRuntime()

    samples = event_loop.time_launches(runtime, runtime.launch, 0.0, 0.0)

    one, two = ["record event1", "launch", "record event2"], ["record event3", "launch"]
    assert runtime.said[:7] == [*one, *two, "record event4", "await event2"]
    assert runtime.said[7:10] == one
    assert runtime.said[10] == "await event4"
    assert runtime.said[-1] == "wait"
    assert samples == [2.0]  # the first had nothing ahead of it


def test_the_summary_counts_as_the_suite_does() -> None:
    said = event_loop.summary([float(n) for n in range(1, 201)])

    assert said["median_ms"] == 100.5
    assert said["p99_ms"] == 198.0  # the sample at n-1-floor(0.01*n)
    assert said["n"] == 200
    assert said["cv"] == pytest.approx(57.879 / 100.5, rel=1e-4)


@pytest.mark.parametrize("place", ["cuda_runtime", "cu13"])
def test_the_runtime_library_of_the_wheels_is_found_first(tmp_path: Path, place: str) -> None:
    library = tmp_path / "site-packages" / "nvidia" / place / "lib" / "libcudart.so.12"
    library.parent.mkdir(parents=True)
    library.touch()

    found = event_loop.find_cudart([str(tmp_path), str(tmp_path / "site-packages")])

    assert found == str(library)


def test_no_runtime_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_loop.ctypes.util, "find_library", lambda _: None)
    monkeypatch.setattr(event_loop, "KNOWN", ("libnowhere.so.1",))

    with pytest.raises(RuntimeError, match="no libcudart"):
        event_loop.find_cudart(["/nowhere"])


def test_it_shares_no_code_with_what_it_checks() -> None:
    tree = ast.parse((SCRIPTS / "event_loop.py").read_text(encoding="utf-8"))

    froms = [n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    plain = [a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names]
    assert not [name for name in (*froms, *plain) if name and name.split(".")[0] == "compat"]


@pytest.mark.parametrize("script", ["event_loop.py", "binding_api.py"])
def test_the_command_line_works_with_nothing_installed(script: str) -> None:
    """Isolated and without site-packages, as in a target that holds TensorRT alone."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(SCRIPTS / script), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "feeds" in done.stdout


def test_where_there_is_no_tensorrt_it_says_so(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "event_loop.py"), "a", "b", "--module", "no_such_trt"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "No module named 'no_such_trt'" in done.stderr
