"""Two runs never write into one folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compat.conductor.lock import FolderBusyError, FolderError, locked

HOLD = """
import sys, time
from pathlib import Path
from compat.conductor.lock import locked
with locked(Path(sys.argv[1]), "--work"):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_second_run_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """It names the process and the option that chooses another folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()

        with (
            pytest.raises(FolderBusyError, match=rf"process {holder.pid}.*--work"),
            locked(tmp_path, "--work"),
        ):
            pass

        holder.kill()


def test_a_killed_run_leaves_no_lock(tmp_path: Path) -> None:
    """The kernel releases it; there is no stale file to remove by hand."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.kill()
        holder.wait()

    with locked(tmp_path, "--work"):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    """The message holds the path and the way out. A file in the way stops root as well."""
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(FolderError, match="--out"),
        locked(tmp_path / "file" / "out", "--out"),
    ):
        pass
