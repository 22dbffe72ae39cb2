"""A bundle for real: made here, run by another Python without network, home or environment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from compat.bundle import interpreter
from compat.targets import TargetSpec
from compat.targets import uv as uvs
from tests.chain import MATRIX, heed_ctrl_c

pytestmark = [pytest.mark.engine, pytest.mark.network]

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def _far_python() -> tuple[str, Path]:
    """Return another Python than this one, where the machine has it."""
    found = sorted((Path.home() / ".pyenv" / "versions").glob("3.12.*/bin/python3.12"))
    return ("3.12", found[0]) if found else (HERE, Path(getattr(sys, "_base_executable", "")))


def _no_network() -> list[str]:
    """Return how to start a program that sees no network, where that is allowed."""
    probe = ["unshare", "--net", "true"]
    allowed = shutil.which("unshare") and subprocess.run(probe, check=False).returncode == 0
    return ["unshare", "--net"] if allowed else []


@dataclass
class Far:
    """The far machine: parts in two folders, an empty environment, its own Python."""

    home: Path
    python: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start run.py."""
        command = [*_no_network(), "env", "-i", str(self.python), str(self.home / "run.py")]
        return subprocess.Popen(
            [*command, "--work", str(self.home / "work"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=heed_ctrl_c,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run run.py to its end."""
        with self.start(*arguments) as process:
            text, _ = process.communicate(timeout=120)
            return process.returncode, text

    def records(self) -> list[dict[str, Any]]:
        """Return every record, in the order of writing."""
        path = self.home / "work" / "records.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def wait_for_records(self, process: subprocess.Popen[str], count: int) -> None:
        """Wait until that many records are written."""
        while len(self.records()) < count:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.02)


def _command(home: Path, *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "compat", *arguments],
        cwd=home,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bundle is made and the results come back to."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "compat.toml").write_text(MATRIX, encoding="utf-8")
    return folder


def _bundle(home: Path, there: Path, *options: str) -> Far:
    """Create a bundle and let it arrive in two deliveries."""
    version, python = _far_python()
    code, text = _command(
        home,
        *("bundle", "create", "--quick", "--to", there.name, "--work", "work"),
        *("--part-size", "30MB", "--python-version", version, *options),
    )
    assert code == 0, text
    made = home / there.name
    for number, part in enumerate(sorted(made.glob("bundle.part*"))):
        (there / str(number % 2)).mkdir(exist_ok=True)
        shutil.move(part, there / str(number % 2))
    for name in ("run.py", "manifest.json"):
        shutil.copy(made / name, there)
    return Far(there, python)


@pytest.fixture(scope="module")
def far(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Far:
    """A machine where a bundle with its models arrived."""
    return _bundle(home, tmp_path_factory.mktemp("weit weg"), "--precisions", "fp32")


def test_only_files_that_a_build_reads_travel(far: Far) -> None:
    """The matrix has fp16, too, and this bundle was made for fp32: every megabyte is carried."""
    members = json.loads((far.home / "manifest.json").read_text())["members"]
    networks = [m["name"] for m in members if m["name"].endswith(".onnx")]

    assert networks
    assert [name for name in networks if "fp32" not in Path(name).name] == []


def test_a_bundle_is_killed_goes_on_and_comes_home(far: Far, home: Path) -> None:
    """kill -9 in the middle, Ctrl-C later; nothing is run twice, and the merge has a verdict."""
    with far.start("--phase", "build") as process:
        far.wait_for_records(process, 2)
        os.killpg(process.pid, signal.SIGKILL)
    with far.start() as process:
        far.wait_for_records(process, 12)
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=30)[0]
    assert process.returncode == 130, text
    assert "the same command goes on" in text
    assert "Traceback" not in text
    with tarfile.open(far.home / "work" / "results.tar.gz") as archive:  # by then the builds are in
        (content,) = (archive.extractfile(one) for one in archive if one.name == "records.jsonl")
        assert content is not None
        packed = [json.loads(line) for line in content]
    assert {(r["check"], r["status"]) for r in packed} >= {("build", "ok")}

    code, text = far.run("--results", str(home / "result.tar.gz"), "--limit", "15MB")

    keys = Counter((r["item"], r["round"], r["key"]) for r in far.records())
    assert code == 0, text
    assert "unpacking" not in text
    assert max(keys.values()) == 1
    statuses = Counter((r["runtime"], r["check"], r["status"]) for r in far.records())
    assert statuses["ort-1.31", "accuracy", "ok"] == 6
    assert statuses["rtx-1.7", "build", "ok"] == 1

    code, text = _command(home, "merge", "result.tar.gz", "--out", "out")
    verdict = json.loads((home / "out" / "verdict.json").read_text())
    assert code == 0, text
    assert [(u["from"], u["to"]) for u in verdict["upgrades"]] == [("ort-1.30", "ort-1.31")]
    assert "failed" not in verdict["counts"]
    records = (home / "out" / "records.jsonl").read_text().splitlines()
    assert all(json.loads(line)["machine"] for line in records)
    accuracy = [
        r for r in map(json.loads, records) if (r["check"], r["status"]) == ("accuracy", "ok")
    ]
    assert all(record["numbers"]["golden_cosine"] > 0.99 for record in accuracy)


def test_a_bundle_without_models_makes_them_there(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Interrupted in between; what comes out is what would have been packed here.

    This bundle is not compressed; all the others are.
    """
    chosen = ("--targets", "ort-1.31", "--precisions", "fp16")
    plain = ("--compress", "none", *chosen)
    far = _bundle(home, tmp_path_factory.mktemp("bare"), "--make-models", *plain)
    members = json.loads((far.home / "manifest.json").read_text())["members"]
    assert not [m["name"] for m in members if m["name"].startswith(("models/", "golden/"))]

    with far.start("--phase", "build") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "writing the fp32 ONNX" in line:
                break
        process.send_signal(signal.SIGINT)
        text = process.communicate(timeout=30)[0]
    assert process.returncode == 130, text
    assert "Traceback" not in text
    code, text = far.run("--phase", "build")
    assert code == 0, text
    assert "prepared 1 of 1 models anew" in text
    code, text = far.run("--results", str(home / "made.tar.gz"))
    assert code == 0, text
    assert "prepared 0 of 1 models anew" in text

    config = home / "compat.toml"
    options = ("--quick", "--work", "here", "--out", "here-out")
    code, text = _command(home, "run", "--config", str(config), *options, *chosen)
    assert code in (0, 4), text
    for kind in ("models/*/*.onnx", "golden/*/golden-*.npz"):
        there = {p.name: p.read_bytes() for p in (far.home / "work").glob(kind)}
        here = {p.name: p.read_bytes() for p in (home / "here").glob(kind)}
        assert there
        assert there == here
    code, text = _command(home, "merge", "made.tar.gz", "here-out", "--out", "together")
    assert code in (0, 4), text
    assert "another model" not in text


@pytest.mark.skipif(_far_python()[0] == HERE, reason="needs a Python that is not the system's own")
def test_an_interpreter_that_came_along_runs_from_another_place(tmp_path: Path) -> None:
    """Its own libraries are found beside it, with ctypes, ssl and compression."""
    spec = TargetSpec("python", "python", "3.12", "wheel", "other")
    uv = uvs.Uv(spec, uvs.find(), tmp_path / "log", time.monotonic() + 60, lambda _: None)
    packed = interpreter.pack(uv, "3.12", tmp_path)
    place = tmp_path / "place"
    subprocess.run(["mkdir", str(place)], check=True)
    subprocess.run(["tar", "-xzf", packed.archive, "-C", place], check=True)

    said = subprocess.run(
        [
            place / packed.python,
            "-c",
            "import ctypes, ssl, lzma, sqlite3, zlib, sys; print(sys.prefix)",
        ],
        env={"LD_LIBRARY_PATH": f"{place}/lib:{place}/shared"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.strip() == str(place)
