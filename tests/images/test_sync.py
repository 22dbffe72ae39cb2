"""``trt-compat images sync`` with skopeo between real registries."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compat.cli import main
from compat.images.copying import Tool, command, find_tool
from compat.images.errors import ImagesError
from compat.images.plan import Copy
from compat.images.reference import parse_repository
from tests.images.shelf import OCI_INDEX, OCI_MANIFEST, PASSWORD, SKOPEO, USER, Shelf, sha256
from tests.images.test_status import ask

Matrix = Callable[..., Path]
copying = pytest.mark.skipif(SKOPEO is None, reason="skopeo is not installed (package skopeo)")


def between(upstream: Shelf, mirror: Shelf, repository: str) -> list[str]:
    places = ["--upstream", upstream.host, "--mirror", f"{mirror.host}/ngc"]
    return [*places, "--repository", repository]


def impostor(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a skopeo of our own first on PATH; it may call the real one by $REAL."""
    folder.mkdir()
    program = folder / "skopeo"
    program.write_text(f"#!/bin/sh\nREAL={SKOPEO}\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_plan_alone_copies_nothing(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    digest = upstream.image(repository, "1")
    call = between(upstream, mirror, repository)

    assert main(["images", "sync", *call, "--plan", str(tmp_path / "plan.json")]) == 0

    out = capsys.readouterr().out
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert f"copy {upstream.host}/{repository}@{digest}" in out
    assert "nothing was copied: give --run" in out
    assert [one["digest"] for one in plan["copies"]] == [digest]
    assert plan["copies"][0]["command"][:4] == ["skopeo", "copy", "--all", "--preserve-digests"]
    assert plan["copies"][0]["size"] > 0
    assert mirror.send("GET", f"/v2/ngc/{repository}/tags/list").status == 404


@copying
def test_after_a_copy_both_sides_are_equal(
    upstream: Shelf, mirror: Shelf, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An index with all its platforms, and an image alone; then nothing is left to do."""
    index, platforms = upstream.index(repository, "multi")
    upstream.image(repository, "single", "alone")
    call = between(upstream, mirror, repository)

    assert main(["images", "sync", *call, "--run"]) == 0
    assert capsys.readouterr().out.count("✓ same digest in the mirror") == 2

    code, said = ask(capsys, *call)
    assert code == 0
    assert [one["level"] for one in said["images"]] == ["ok", "ok"]
    for digest, kind in ((index, OCI_INDEX), (platforms["linux/arm64"], OCI_MANIFEST)):
        body = mirror.get(f"/v2/ngc/{repository}/manifests/{digest}", kind)
        assert sha256(body) == digest
    assert main(["images", "sync", *call, "--run"]) == 0
    assert capsys.readouterr().out.startswith("0 to copy")


@copying
def test_an_older_state_is_replaced(
    upstream: Shelf, mirror: Shelf, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.image(f"ngc/{repository}", "1", "old")
    new = upstream.image(repository, "1", "new")
    call = between(upstream, mirror, repository)

    assert main(["images", "sync", *call, "--run", "--json"]) == 0

    assert json.loads(capsys.readouterr().out)["outcomes"][0]["problem"] is None
    _, said = ask(capsys, *call)
    assert said["images"][0]["mirror"]["digest"] == new


@copying
def test_the_mirrors_tag_keeps_what_is_pinned(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    matrix: Matrix,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Upstream's tag moved; targets run the pinned digest until somebody changes the pin."""
    pinned = upstream.image(repository, "1", "old")
    upstream.image(repository, "1", "new")
    places = f'upstream = "{upstream.host}"\nmirror = "{mirror.host}/ngc"'
    matrix({"box": (f"{mirror.host}/ngc/{repository}:1", pinned)}, places)
    assert main(["images", "status"]) == 1

    assert main(["images", "sync", "--run"]) == 0

    capsys.readouterr()
    code, said = ask(capsys)
    assert code == 0
    assert said["images"][0]["mirror"]["digest"] == pinned
    assert [finding["code"] for finding in said["images"][0]["findings"]] == ["moved"]


@copying
def test_two_pins_of_one_tag(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    matrix: Matrix,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The newer one takes the tag; the older one lies in the mirror by its digest."""
    old = upstream.image(repository, "1", "old")
    new = upstream.image(repository, "1", "new")
    name = f"{upstream.host}/{repository}:1"
    matrix({"a": (name, old), "b": (name, new)}, f'mirror = "{mirror.host}/ngc"')

    assert main(["images", "sync", "--run", "--json"]) == 0

    copied = json.loads(capsys.readouterr().out)["outcomes"]
    assert {one["digest"]: one["to"].partition("/")[2] for one in copied} == {
        new: f"ngc/{repository}:1",
        old: f"ngc/{repository}@{old}",
    }
    assert len(copied) == 2
    code, said = ask(capsys)
    assert code == 0
    assert said["images"][0]["mirror"]["digest"] == new
    assert all(
        pin["there"] == {"upstream": True, "mirror": True} for pin in said["images"][0]["pins"]
    )


def test_a_pin_that_is_nowhere_cannot_be_copied(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    matrix: Matrix,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upstream.image(repository, "1")
    digest = "sha256:" + "a" * 64
    matrix({"box": (f"{upstream.host}/{repository}:1", digest)}, f'mirror = "{mirror.host}"')

    assert main(["images", "sync"]) == 1
    assert f"pinned {digest} (box) is neither upstream nor" in capsys.readouterr().out


@copying
def test_a_copy_that_was_killed_goes_on(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The second of three is killed: the other two are there, and one is left for the next call."""
    for tag in ("a", "b", "c"):
        upstream.image(repository, tag, tag)
    call = between(upstream, mirror, repository)
    script = 'case "$*" in *:b) kill -9 $$;; esac\nexec $REAL "$@"'
    impostor(tmp_path / "bin", script, monkeypatch)

    assert main(["images", "sync", *call, "--run"]) == 1
    assert "✗ skopeo ended with signal 9" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "bin")

    assert main(["images", "sync", *call, "--run", "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert [one["to"].rpartition(":")[2] for one in again["outcomes"]] == ["b"]
    assert main(["images", "status", *call]) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_copy(
    how: signal.Signals,
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By Ctrl-C, or by a cancelled job: exit code 130, no program left behind, and no logins."""
    upstream.image(repository, "1")
    script = f'echo "$$ $*" > {tmp_path}/started; exec sleep 600'
    impostor(tmp_path / "bin", script, monkeypatch)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    call = between(upstream, mirror, repository)
    words = [sys.executable, "-m", "compat", "images", "sync", *call, "--run"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    started = tmp_path / "started"
    while not started.is_file() or not started.read_text().strip():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    pid = int(started.read_text().split()[0])

    process.send_signal(how)

    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list(tmp_path.glob("trt-compat-*")) == []


def test_a_tool_that_changes_the_digest_is_found_out(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upstream.image(repository, "1", "right")
    mirror.image(f"ngc/{repository}", "1", "wrong")
    impostor(tmp_path / "bin", "exit 0", monkeypatch)

    assert main(["images", "sync", *between(upstream, mirror, repository), "--run"]) == 1
    assert "after copying, not sha256:" in capsys.readouterr().out


@copying
def test_logins_go_by_a_private_file(
    upstream: Shelf,
    guarded: Shelf,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The argument list is for every user of the machine to read."""
    upstream.image(repository, "1")
    monkeypatch.setenv("TRT_COMPAT_MIRROR_USER", USER)
    monkeypatch.setenv("TRT_COMPAT_MIRROR_PASSWORD", PASSWORD)
    script = f'echo "$@" > {tmp_path}/argv\nfor f in "$@"; do case $f in *dest.json)'
    script += f' stat -c %a "$f" > {tmp_path}/mode;; esac; done\nexec $REAL "$@"'
    impostor(tmp_path / "bin", script, monkeypatch)

    assert main(["images", "sync", *between(upstream, guarded, repository), "--run"]) == 0

    assert PASSWORD not in (tmp_path / "argv").read_text() + "".join(capsys.readouterr())
    assert (tmp_path / "mode").read_text() == "600\n"


@copying
def test_a_mirror_that_refuses_is_told_in_one_line(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upstream.image(repository, "1")
    impostor(tmp_path / "bin", "echo one; printf 'the \\033[31mreason\\n' >&2; exit 1", monkeypatch)

    assert main(["images", "sync", *between(upstream, mirror, repository), "--run"]) == 1

    line = next(line for line in capsys.readouterr().out.splitlines() if "✗" in line)
    assert line.endswith("skopeo ended with code 1: one | the [31mreason")


def test_without_skopeo_the_way_out_is_told(
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    upstream.image(repository, "1")
    monkeypatch.setenv("PATH", str(tmp_path))
    call = between(upstream, mirror, repository)

    assert main(["images", "sync", *call]) == 0  # a plan needs no skopeo
    assert main(["images", "sync", *call, "--run"]) == 2
    assert "--skopeo-image" in capsys.readouterr().err


def test_without_a_mirror_there_is_nothing_to_copy(
    upstream: Shelf, repository: str, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.image(repository, "1")
    call = ["--upstream", upstream.host, "--repository", repository]

    assert main(["images", "sync", *call]) == 2
    assert "name a mirror by --mirror" in capsys.readouterr().err


def test_an_engine_runs_skopeo_from_an_image() -> None:
    copy = Copy(
        parse_repository("nvcr.io/nvidia/tensorrt"),
        parse_repository("localhost:5000/nvidia/tensorrt"),
        "25.01-py3",
        "sha256:" + "a" * 64,
        0,
        "missing",
    )

    argv = command(copy, Tool("podman", "example.org/skopeo:1"), Path("/tmp/x y"), Path("ca.pem"))

    assert argv[:5] == ["podman", "run", "--rm", "--network", "host"]
    assert argv[argv.index("--volume") + 1] == "/tmp/x y:/trt-compat:ro"
    assert argv[argv.index("--entrypoint") + 1 :][:3] == ["skopeo", "example.org/skopeo:1", "copy"]
    assert "--dest-tls-verify=false" in argv
    assert "--src-tls-verify=false" not in argv
    assert argv[argv.index("--src-authfile") + 1] == "/trt-compat/src.json"
    assert argv[-1] == "docker://localhost:5000/nvidia/tensorrt:25.01-py3"


def test_an_engine_without_skopeos_image_is_told_so() -> None:
    with pytest.raises(ImagesError, match="--engine podman runs skopeo out of an image; name"):
        find_tool("podman", None)
