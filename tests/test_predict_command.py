"""``trt-compat predict``: what a person at the terminal, and a script, see."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compat.cli import main
from compat.cli.predict import VARIANTS as OFFERED
from compat.engine.prediction import VARIANTS
from tests.engine.conftest import DATA, enterprise, hollow

ROOT = Path(__file__).parents[1]
RTX = DATA / "rtx-1.6.1.120.engine"


def test_an_engine_of_the_same_release_must_load(capsys: pytest.CaptureFixture[str]) -> None:
    """With the rule, its source, and exit code 0."""
    assert main(["predict", str(RTX), "--runtime", "tensorrt-rtx-cu12==1.6.1.120"]) == 0

    out = capsys.readouterr().out
    assert "must-load" in out
    assert "rtx-same-release: " in out
    assert "source  https://docs.nvidia.com/" in out


def test_several_runtimes_and_gpus_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One that must be refused makes it exit 1, with what to do."""
    runtimes = ["--runtime", "tensorrt_rtx==1.6.1.120", "--runtime", "tensorrt_rtx==1.7.1.116"]
    assert main(["predict", str(RTX), *runtimes, "--gpu", "RTX4090,H200"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == [
        "must-load",
        "must-refuse",
        "must-refuse",
        "must-refuse",
    ]
    assert any(line.startswith("    do      rebuild with this release") for line in lines)
    assert any("UNSUPPORTED_CC" in line for line in lines)


def test_host_code_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A version-compatible plan loads in a newer lean runtime that is told to trust it."""
    engine = hollow("8.6.0.12", "vc", tmp_path / "a.engine")
    call = ["predict", str(engine), "--runtime", "tensorrt_lean==10.16.1.11"]

    assert main(call) == 1
    out = capsys.readouterr().out
    assert " vc sm_90 " in out  # by the lean runtime inside; there is no manifest
    assert "engine_host_code_allowed" in out
    assert main([*call, "--host-code"]) == 0
    assert "The support matrices of 10.0.1 to 11.3.0 promise" in capsys.readouterr().out


def test_what_the_file_does_not_say_leaves_the_answer_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 4 and what it depends on; --variant says it."""
    path = enterprise("plain", tmp_path / "a.engine")
    call = ["predict", str(path), "--runtime", "tensorrt==8.6.0"]

    assert main(call) == 4
    out = capsys.readouterr().out
    assert "depends on whether it was built with version compatibility" in out
    assert "plain: must-load" in out
    assert main([*call, "--variant", "plain", "--gpu", "H200"]) == 0


def test_where_it_was_built_is_taken_from_the_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan without a lean runtime inside does not name its platform."""
    engine = hollow("8.6.0.12", "base", tmp_path / "a.engine")
    call = ["predict", str(engine), "--runtime", "tensorrt==8.6.0.12", "--variant", "plain"]
    call += ["--platform", "windows-x86_64"]

    assert main(call) == 4
    assert "platform-not-stated" in capsys.readouterr().out
    assert main([*call, "--built-on", "linux-x86_64"]) == 1
    assert "trt-one-platform" in capsys.readouterr().out


def test_json_has_every_statement(capsys: pytest.CaptureFixture[str]) -> None:
    """For a deployment that decides by it."""
    main(["predict", str(RTX), "--runtime", "tensorrt_rtx==1.7.1.116", "--json"])

    (found,) = json.loads(capsys.readouterr().out)
    assert found["answer"] == "must-refuse"
    assert found["engine"]["version"] == "1.6.1.120"
    assert found["statements"][0]["rule"] == "rtx-no-promise-across-releases"
    assert found["statements"][0]["remedy"]


def test_a_broken_file_is_told_and_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1: it will not load either."""
    (tmp_path / "cut.engine").write_bytes(RTX.read_bytes()[:1000])
    shutil.copy(RTX, tmp_path / "whole.engine")
    assert main(["predict", str(tmp_path), "--runtime", "tensorrt_rtx==1.6.1.120"]) == 1

    out = capsys.readouterr().out
    assert "is cut: it declares 6396 bytes and 1000 are there" in out
    assert "1 must-load, 1 broken" in out


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["x.engine"], "--runtime"),
        (["--runtime", "tensorrt==10.16.1.11"], "FILE"),
        ([str(RTX), "--runtime", "tensorrt"], "tensorrt_lean==10.16.1.11"),
        ([str(RTX), "--runtime", "trtllm==1.0"], "tensorrt_lean==10.16.1.11"),
        ([str(RTX), "--runtime", "tensorrt==10.16.1.11", "--gpu", "T44"], "T4"),
        ([str(RTX), "--runtime", "tensorrt==10.16.1.11", "--built-for", "T44"], "--built-for T44"),
        (["nowhere.engine", "--runtime", "tensorrt==10.16.1.11"], "nowhere.engine"),
        (["--driver", "535"], "--environment"),
        (["--environment", "--gpu", "T4"], "two or more"),
        (["--environment", "--gpu", "T4", "--python", "three"], "3.10"),
        (["--environment", "--gpu", "T4", "--tensorrt", "foo==1"], "tensorrt_lean"),
        (["--environment", str(RTX)], "FILE"),
    ],
)
def test_a_wrong_call_is_one_line(
    call: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2, with the way out."""
    assert main(["predict", *call]) == 2

    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1


def test_an_environment_that_cannot_import_is_said_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1, and which step fails."""
    call = ["predict", "--environment", "--tensorrt", "8.6.0", "--cudnn", "9", "--python", "3.10"]
    assert main(call) == 1

    out = capsys.readouterr().out
    assert out.startswith("no      tensorrt x cudnn: ")
    assert "no: it will not import (tensorrt x cudnn)" in out


def test_an_environment_as_json_and_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 4 where no text says it."""
    assert (
        main(["predict", "--environment", "--tensorrt", "9.1", "--python", "3.10", "--json"]) == 4
    )

    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "unknown"
    assert found["environment"] == {"tensorrt": "9.1", "python": "3.10", "flavour": "tensorrt"}


def test_the_command_line_offers_every_variant() -> None:
    """Its own list spares the start of the program an import."""
    assert OFFERED == VARIANTS


def test_a_name_that_the_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    """No stack trace for it."""
    shutil.copy(RTX, tmp_path / "é—.engine")
    done = subprocess.run(
        [sys.executable, "-m", "compat", "predict", str(tmp_path), "--runtime", "torch==2.11.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )

    assert done.returncode == 4, done.stderr
    assert "\\xe9\\u2014.engine" in done.stdout


def test_a_thousand_engines_are_answered_at_once(tmp_path: Path) -> None:
    """A second in the terminal; a slow shared machine gets five."""
    for number in range(1000):
        (tmp_path / f"{number}.engine").symlink_to(RTX)
    call = ["predict", str(tmp_path), "--runtime", "tensorrt_rtx==1.6.1.120", "--gpu", "sm_89"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "compat", *call],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("1000 asked: 1000 must-load")
    assert time.perf_counter() - start < 5
