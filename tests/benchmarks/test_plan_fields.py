"""The table that says which field of a plan follows which change, out of real plans."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

from compat.engine.inspection import inspect_file
from tests.engine.conftest import hollow, whole

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "engine" / "data"


def _run(script: str, *given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / script), *given]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_a_change_moves_is_named_and_what_is_not_known_is_shown(tmp_path: Path) -> None:
    """CUDA of the wheel is a known field; the byte at 40 is not."""
    shutil.copy(DATA / "rtx-1.6.1.120.engine", tmp_path / "base.engine")
    shutil.copy(DATA / "rtx-1.6.1.120-cu13.engine", tmp_path / "cu13.engine")
    data = bytearray((tmp_path / "base.engine").read_bytes())
    data[40] = 7
    (tmp_path / "odd.engine").write_bytes(data)

    done = _run("plan_fields.py", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "| cu13 | 6,396 | cuda 12.9 → 13.4 | none |" in done.stdout
    assert "| odd | 6,396 | none | 40: 00000000 → 07000000 |" in done.stdout


def test_what_followed_in_real_plans_of_tensorrt_is_named(tmp_path: Path) -> None:
    """8.5 has no header of a plan, only that of its archive; its length is no unknown byte."""
    for name in ("base", "refit", "profile-two", "again"):
        hollow("8.5.3.1", name, tmp_path / f"{name}.engine")

    done = _run("plan_fields.py", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "| again | 70,894 | none | none |" in done.stdout
    two = "declared_bytes 70894 → 79168, profiles 1 → 2"
    assert f"| profile-two | 79,168 | {two} | none |" in done.stdout
    assert "refittable False → True | none |" in done.stdout


def test_a_hollow_plan_tells_what_the_whole_one_does(tmp_path: Path) -> None:
    """It keeps the bytes that are read, at their places."""
    plan, packed = tmp_path / "tiny.engine", tmp_path / "x.json.gz"
    plan.write_bytes(whole("trt-8.6.0.12-tiny"))
    claims = {"variation": {"width": 8}}
    Path(f"{plan}.json").write_text(json.dumps(claims), encoding="utf-8")

    done = _run("plan_hollow.py", str(tmp_path), "--into", str(packed))

    assert done.returncode == 0, done.stderr
    found = json.loads(gzip.decompress(packed.read_bytes()))["8.6.0.12"]["tiny"]
    assert (found["asked"], found["bytes"]) == ({"width": 8}, plan.stat().st_size)
    told = inspect_file(plan).as_dict()["plan"]
    pieces = [(at, base64.b64decode(piece)) for at, piece in found["pieces"]]
    assert sum(len(piece) for _, piece in pieces) < 6000
    plan.write_bytes(bytes(found["bytes"]))
    with plan.open("r+b") as stream:
        for at, piece in pieces:
            stream.seek(at)
            stream.write(piece)
    assert inspect_file(plan).as_dict()["plan"] == told


def test_a_folder_without_a_base_says_what_to_run(tmp_path: Path) -> None:
    """There is nothing to compare with."""
    done = _run("plan_fields.py", str(tmp_path))

    assert done.returncode == 1
    assert "run plan_variations.py" in done.stderr


def test_the_speed_is_measured_on_whole_engines(tmp_path: Path) -> None:
    """Every sparse file passes for a plan of 100 MB; so few of them do not outweigh the start."""
    done = _run("inspect_speed.py", "--files", "10", "--folder", str(tmp_path))

    assert done.stdout.startswith("10 engines of 100 MB"), done.stderr
    assert "wrong: []" in done.stdout
    assert list(tmp_path.iterdir()) == []
