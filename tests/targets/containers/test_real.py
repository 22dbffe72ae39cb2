"""Container targets for real: the same results as from wheels, and bad luck of every kind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat.conductor.phases import SUITE
from compat.conductor.places import mounts
from compat.suite.driver import probe
from compat.targets import Environment, Image, Mounts, TargetSpec, Unavailable, catalogue, command
from compat.targets import examine as look
from compat.targets import provide as make
from compat.targets.containers import engine as engines
from compat.targets.containers import images, owner, provider
from tests.chain import Chain
from tests.suite import test_trtexec
from tests.targets.containers import pictures
from tests.targets.containers.pictures import ORT_130, ORT_131, ORT_OLD, RTX_16, RTX_17, podman

pytestmark = [pytest.mark.container, pytest.mark.network]

_REST = """
[models.text]
source = "builtin:clip-vit-b32-text"
axes = { batch = [1, 2, 4] }
[limits.accuracy]
fp32 = { cosine = 0.9999 }
fp16 = { cosine = 0.99 }
[gate]
inconclusive = "allow"
not-run = "allow"
"""
STRANGER = 12345


def _target(name: str, flavour: str, version: str, image: str = "", **more: str) -> str:
    keys = {"flavour": flavour, "version": version, **more}
    if image:
        keys |= {"provider": "container", "image": image}
    return f'[targets."{name}"]\n' + "".join(f'{k} = "{v}"\n' for k, v in keys.items())


def _matrix(*targets: str) -> str:
    return 'schema = 1\nprecisions = ["fp32", "fp16"]\n' + "".join(targets) + _REST


@pytest.fixture(scope="module")
def ran(store: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Chain, int, str]:
    """Wheels and images of the same releases in one matrix, run once to its end."""
    home = tmp_path_factory.mktemp("häuser, mit leerzeichen")
    targets = [
        _target("rtx", "tensorrt_rtx", "1.7.1.116"),
        _target("rtx-box", "tensorrt_rtx", "1.7.1.116", RTX_17.make()),
        _target("rtx-1.6", "tensorrt_rtx", "1.6.1.120"),
        _target("rtx-1.6-box", "tensorrt_rtx", "1.6.1.120", RTX_16.make()),
        _target("ort", "onnxruntime", "1.31.1", role="candidate"),
        _target("ort-box", "onnxruntime", "1.31.1", ORT_131.make()),
        _target("ort-1.30-box", "onnxruntime", "1.30.0", ORT_130.make(), role="current"),
    ]
    if pictures.interpreter("3.8") is not None:
        python = {"python": "/opt/python/bin/python3.8"}
        targets.append(_target("old-box", "onnxruntime", "1.19.2", ORT_OLD.make(), **python))
    config = home / "compat.toml"
    config.write_text(_matrix(*targets), encoding="utf-8")
    chain = Chain(home, home / "work", home / "out", config, env=store)
    code, text = chain.run()
    return chain, code, text


@pytest.fixture
def chain(ran: tuple[Chain, int, str], tmp_path: Path) -> Iterator[Chain]:
    """The same work folder with no records; they come back afterwards."""
    first = ran[0]
    kept = first.work / "records.jsonl"
    shutil.copy(kept, tmp_path / "kept")
    kept.unlink()
    yield Chain(tmp_path, first.work, tmp_path / "out", first.config, env=first.env)
    shutil.copy(tmp_path / "kept", kept)


def _ours() -> list[str]:
    return podman("ps", "--all", "--quiet", "--filter", f"label={owner.CONDUCTOR}").split()


def _wait(
    what: str,
    ready: Callable[[], bool],
    timeout_s: float = 60,
    process: subprocess.Popen[str] | None = None,
) -> None:
    end = time.monotonic() + timeout_s
    while not ready():
        if process is not None and process.poll() is not None:
            pytest.fail(f"{what}: the command has ended: {process.communicate()[0]}")
        assert time.monotonic() < end, f"{what}: not within {timeout_s} s"
        time.sleep(0.01)


TWINS = {"rtx": "rtx-box", "rtx-1.6": "rtx-1.6-box", "ort": "ort-box"}


def _mine(chain: Chain, target: str) -> dict[tuple[Any, ...], dict[str, Any]]:
    """What a target did with its own engines, by what it was."""
    cell = ("check", "model", "precision", "variant", "point", "damage", "round")
    return {
        tuple(record[name] for name in cell): record
        for record in chain.records()
        if record["runtime"] == record["builder"] == target
    }


class TestChain:
    """The whole quick chain."""

    def test_it_ends_with_a_verdict(self, ran: tuple[Chain, int, str]) -> None:
        chain, code, text = ran

        assert code == 0, text
        assert chain.verdict()["gate"] == "pass"
        assert {one["runtime"] for one in chain.records()} >= {*TWINS, *TWINS.values()}
        assert _ours() == []

    @pytest.mark.parametrize("target", TWINS)
    def test_an_image_gives_what_wheels_give(
        self, ran: tuple[Chain, int, str], target: str
    ) -> None:
        chain = ran[0]
        wheels, image = _mine(chain, target), _mine(chain, TWINS[target])

        assert wheels.keys() == image.keys()
        assert {k: (r["status"], r["reason"]) for k, r in wheels.items()} == {
            k: (r["status"], r["reason"]) for k, r in image.items()
        }
        for key, one in wheels.items():
            other = image[key]
            if one["check"] == "build" and target.startswith("rtx"):  # ORT's vary by some bytes
                assert one["facts"]["engine_sha256"] == other["facts"]["engine_sha256"]
            if "outputs" in one["files"]:
                first, second = (
                    np.load(chain.work / record["files"]["outputs"]) for record in (one, other)
                )
                assert sorted(first) == sorted(second)
                for name in first:
                    np.testing.assert_array_equal(first[name], second[name])

    def test_an_engine_of_one_loads_in_the_other(self, ran: tuple[Chain, int, str]) -> None:
        loads = {
            (one["builder"], one["runtime"]): one["status"]
            for one in ran[0].records()
            if one["check"] == "load"
        }

        assert loads["ort", "ort-box"] == loads["ort-box", "ort"] == "ok"

    def test_python_3_8_runs_the_suite(self, ran: tuple[Chain, int, str]) -> None:
        if pictures.interpreter("3.8") is None:
            pytest.skip("containers: no Python 3.8 here to put into an image")
        mine = _mine(ran[0], "old-box")

        assert {one["status"] for key, one in mine.items() if key[0] == "accuracy"} == {"ok"}
        assert {one["target"]["python"][:4] for one in mine.values()} == {"3.8."}

    def test_records_say_where_they_come_from(self, ran: tuple[Chain, int, str]) -> None:
        facts = next(iter(_mine(ran[0], "ort-box").values()))["target"]

        assert facts["image"] == ORT_131.reference
        assert facts["digest"].startswith("sha256:")
        assert facts["os"] == "Debian GNU/Linux 12 (bookworm)"
        assert facts["engine"].startswith("podman")
        assert facts["digest"] in facts["pinned"]  # with the line to write

    def test_a_start_takes_two_seconds_at_most(self, ran: tuple[Chain, int, str]) -> None:
        """From the job file, written just before the engine is called, to the first item."""
        chain, took = ran[0], {}
        for path in (chain.work / "jobs").glob("*box.*.json"):
            job = json.loads(path.read_text(encoding="utf-8"))
            ids = {(item["id"], item["round"]) for item in job["items"]}
            begun = min(
                datetime.fromisoformat(one["started"]).timestamp()
                for one in chain.records()
                if (one["item"], one["round"]) in ids
            )
            took[path.stem] = round(begun - path.stat().st_mtime, 2)

        print("start of container and suite in seconds:", took)
        assert len(took) >= 12
        # The median: a machine that does other things as well makes one of them late.
        assert statistics.median(took.values()) <= 2.0, took

    def test_a_second_run_starts_nothing(self, ran: tuple[Chain, int, str]) -> None:
        chain = ran[0]
        before = (chain.work / "records.jsonl").read_bytes()

        code, text = chain.run()

        assert code == 0, text
        assert (chain.work / "records.jsonl").read_bytes() == before


class TestBadLuck:
    """What happens to a container in the middle of its work."""

    @pytest.mark.parametrize("way", ["podman kill", "abort"])
    def test_killed_in_a_build(self, chain: Chain, way: str) -> None:
        """It costs the item it hit; the rest is done in a new container."""
        events = chain.work / "jobs" / "rtx-box.build.events.jsonl"
        with chain.start("--targets", "rtx-box") as process:
            _wait("a build", lambda: _is_busy(events), process=process)
            suite = next(_suite_processes(events))
            os.kill(suite, signal.SIGSTOP)  # so that it is still at it when the end comes
            if way == "abort":
                os.kill(suite, signal.SIGABRT)
                os.kill(suite, signal.SIGCONT)
            else:
                podman("kill", *_ours())
            text, _ = process.communicate(timeout=200)

        builds = [one for one in chain.records() if one["check"] in ("build", "rebuild")]
        statuses = [(one["status"], one["reason"]) for one in builds]
        signalled = "signal-SIGABRT" if way == "abort" else "signal-SIGKILL"
        assert statuses.count(("crashed", signalled)) == 1, text
        assert len(builds) == 4
        assert [s for s in statuses if s[0] == "ok"], text
        assert _ours() == []

    def test_ctrl_c(self, chain: Chain) -> None:
        events = chain.work / "jobs" / "rtx-box.build.events.jsonl"
        with chain.start("--targets", "rtx-box") as process:
            _wait("a build", lambda: _is_busy(events), process=process)
            assert len(_ours()) == 1
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=60)

        assert process.returncode == 130, text
        assert "Traceback" not in text
        assert _ours() == []

    def test_kill_9_of_the_conductor(self, chain: Chain) -> None:
        """The engine's client is told, and ends the container."""
        with chain.start("--targets", "rtx-box") as process:
            events = chain.work / "jobs" / "rtx-box.build.events.jsonl"
            _wait("a build", lambda: _is_busy(events), process=process)
            process.kill()

        _wait("the container's end", lambda: not _ours(), 15)

    def test_the_next_run_takes_away_what_is_left(self, here: Here) -> None:
        place = owner.conductor().rsplit("/", 2)[0]
        label = f"{owner.CONDUCTOR}={place}/{2**22 + 1}/1"
        podman("run", "--detach", "--label", label, "--network=none", ORT_131.make(), "sleep", "99")
        assert len(_ours()) == 1
        provider._swept.cache_clear()

        assert isinstance(here.provide(ORT_131), Environment)

        assert _ours() == []


def _is_busy(events: Path) -> bool:
    """Whether an item has begun and not ended."""
    if not events.exists():
        return False
    kinds = [json.loads(line)["event"] for line in events.read_bytes().splitlines()]
    return kinds.count("started") > kinds.count("result")


def _suite_processes(events: Path) -> Iterator[int]:
    """Yield the processes that do a job in a container, less its process 1."""
    job = str(events).replace(".events.jsonl", ".json").encode()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            inside = (path / "status").read_text().partition("NSpid:")[2].splitlines()[0].split()
        except (OSError, IndexError):
            continue
        if job in words and words[0] == b"python3" and inside[-1] != "1":
            yield int(path.name)


class Here:
    """A work folder, and targets made in this process."""

    def __init__(self, work: Path) -> None:
        self.work, self.told = work, list[str]()

    def spec(self, picture: pictures.Picture, **more: Any) -> TargetSpec:
        """A target of an image, by default one of ONNX Runtime 1.31.1."""
        reference = more.pop("reference", "") or picture.make()
        fields = {name: more.pop(name) for name in ("digest", "engine", "memory") if name in more}
        values = {"flavour": "onnxruntime", "version": "1.31.1", **more}
        image = Image(reference, **fields)
        return TargetSpec("box", provider="container", role="other", image=image, **values)

    def provide(self, picture: pictures.Picture, **more: Any) -> Environment | Unavailable:
        return make(self.spec(picture, **more), self.work, progress=self.told.append)

    def refused(self, picture: pictures.Picture, **more: Any) -> Unavailable:
        got = self.provide(picture, **more)
        assert isinstance(got, Unavailable), got
        assert "\n" not in got.message
        return got


@pytest.fixture
def here(store: dict[str, str], tmp_path: Path) -> Here:
    return Here(tmp_path / "work")


@pytest.mark.parametrize("does_live", [True, False])
def test_a_container_ends_with_its_conductor(here: Here, tmp_path: Path, does_live: bool) -> None:
    """Its end can come as the container starts, or as that waits for another job."""
    environment = here.provide(ORT_131)
    assert isinstance(environment, Environment), environment
    path, events = tmp_path / "job.json", tmp_path / "events.jsonl"
    job = {
        "target": {"flavour": "onnxruntime", "version": "1.31.1"},
        "phase": "build",
        "work": str(tmp_path),
        "deps": str(environment.deps),
        "events": str(events),
        "items": [],
        "settings": {},
    }
    path.write_text(json.dumps(job))
    seen = Mounts((SUITE.parent, environment.deps), (tmp_path,))
    start = command(environment, [str(SUITE), str(path), "--stay"], {}, seen)
    assert start.container is not None
    theirs, ours = os.pipe()
    if not does_live:
        os.close(ours)

    with subprocess.Popen(
        start.container.prefixed(start.argv), stdin=theirs, stdout=subprocess.DEVNULL
    ) as process:
        os.close(theirs)
        if does_live:
            _wait("its job", lambda: events.exists() and '"end"' in events.read_text(), 30)
            assert process.poll() is None
            os.close(ours)
        code = process.wait(30)

    assert (code, events.exists()) == ((5, True) if does_live else (1, False))  # 5: no tests
    assert _ours() == []


class TestRefusals:
    """An image that is not what was asked for, in one line."""

    def test_not_there(self, here: Here) -> None:
        refusal = here.refused(ORT_131, reference="localhost/trt-compat-tests/none:1")

        assert refusal.reason == "image-missing"
        assert "pull localhost/trt-compat-tests/none:1" in refusal.message

    def test_a_tag_that_moved(self, here: Here) -> None:
        tag = "localhost/trt-compat-tests/moving:latest"
        podman("tag", ORT_130.make(), tag)
        first = here.provide(ORT_130, reference=tag, version="1.30.0")
        assert isinstance(first, Environment)
        digest = first.facts["digest"]
        pinned = here.provide(ORT_130, reference=tag, version="1.30.0", digest=digest)
        assert isinstance(pinned, Environment), pinned

        podman("tag", ORT_131.make(), tag)
        refusal = here.refused(ORT_130, reference=tag, version="1.30.0", digest=digest)

        assert refusal.reason == "digest-moved"
        assert digest in refusal.message
        second = here.provide(ORT_131, reference=tag)
        assert isinstance(second, Environment)
        assert second.facts["digest"] in refusal.message
        assert second.fingerprint != first.fingerprint

    def test_another_version(self, here: Here) -> None:
        refusal = here.refused(ORT_130)

        assert refusal.reason == "version-differs"
        assert "the image has onnxruntime 1.30.0, and the target says 1.31.1" in refusal.message

    def test_without_the_runtime(self, here: Here) -> None:
        refusal = here.refused(ORT_130, flavour="tensorrt", version="10.3.0.26")

        assert refusal.reason == "version-not-found"
        assert "no module tensorrt_bindings or tensorrt for its python3" in refusal.message

    def test_without_python(self, here: Here, tmp_path: Path) -> None:
        (tmp_path / "hello").write_text("nothing to run")
        with _made("localhost/trt-compat-tests/empty:1") as name:
            _import(tmp_path, name)

            refusal = here.refused(ORT_131, reference=name)

        assert refusal.reason == "interpreter-missing"
        assert "the image has no python3 or python" in refusal.message

    def test_with_less_memory_than_a_start_takes(self, here: Here) -> None:
        """Podman ends as if the image had no Python."""
        refusal = here.refused(ORT_131, memory=2**20)

        assert refusal.reason == "install-failed"
        assert "the engine could not start it" in refusal.message
        assert "memory limit" in refusal.message

    def test_with_a_python_that_is_too_old(self, here: Here) -> None:
        if pictures.interpreter("3.6") is None:
            pytest.skip("containers: no Python 3.6 here to put into an image")

        python = "/opt/python/bin/python3.6"
        refusal = here.refused(pictures.TOO_OLD, python=python)

        assert refusal.reason == "interpreter-missing"
        assert "Python 3.6 is not one that the suite runs on" in refusal.message

    def test_the_doctor_asks_the_image(self, here: Here) -> None:
        spec = here.spec(ORT_131)

        found = look(spec, here.work, probe(), catalogue(), here.told.append)

        assert [one.level for one in found if one.level == "missing"] == []
        said = next(one.text for one in found if one.about == "module")
        assert said.startswith("onnxruntime 1.31.1, Python 3.11.2, Debian GNU/Linux 12")


_ENTRY = """#!/bin/sh
echo "== TensorRT =="
[ $# -gt 0 ] || exec sh
exec "$@"
"""


def test_an_image_that_greets(here: Here, tmp_path: Path) -> None:
    """NVIDIA's images print a banner and then run what they were given."""
    (tmp_path / "entry.sh").write_text(_ENTRY)
    (tmp_path / "entry.sh").chmod(0o755)
    start = "/opt/nvidia/nvidia_entrypoint.sh"
    lines = [f"COPY entry.sh {start}", f'ENTRYPOINT ["{start}"]']
    with _made("localhost/trt-compat-tests/greeting:1") as name:
        pictures.build(name, tmp_path, lines, parent=ORT_131.make())

        environment = here.provide(ORT_131, reference=name)

        assert isinstance(environment, Environment), environment
        start_it = command(environment, ["-c", "print('done')"], {}, Mounts())
        assert start_it.container is not None
        argv = start_it.container.prefixed(start_it.argv)
        said = subprocess.run(argv, check=True, timeout=60, capture_output=True, text=True).stdout
    assert said.splitlines() == ["== TensorRT ==", "done"]


def test_an_images_own_trtexec_writes_where_it_may(here: Here, tmp_path: Path) -> None:
    """A stand-in: of the work folder only what the phase fills can be written in there."""
    program = tmp_path / "trtexec"
    program.write_text(test_trtexec.STAND_IN.format(python="/usr/bin/python3", fails=False))
    program.chmod(0o755)
    name = "localhost/trt-compat-tests/trtexec:1"
    place = "/usr/src/tensorrt/bin/trtexec"
    pictures.build(name, tmp_path, [f"COPY trtexec {place}"], parent=ORT_131.make())
    environment = here.provide(ORT_131, reference=name)
    assert isinstance(environment, Environment), environment
    work = tmp_path / "work"
    (work / "models").mkdir(parents=True)
    (work / "models" / "net.onnx").touch()
    np.savez(work / "models" / "opt.npz", x=np.ones((2, 4), np.float32))
    item = {"id": "trtexec_build/net", "check": "trtexec_build", "key": "k", "batch": 2}
    item |= {"cell": {"point": "opt"}, "log": "logs/net.log", "samples": "samples/net.npy"}
    item |= {"onnx": str(work / "models" / "net.onnx"), **test_trtexec.BUILT}
    item |= {"feeds": str(work / "models" / "opt.npz")}
    seen = mounts(work, "check", [item], environment.deps)
    events, job = work / "jobs" / "events.jsonl", work / "jobs" / "job.json"
    target = {"flavour": "onnxruntime", "version": "1.31.1"}
    document = {"target": target, "phase": "check", "work": str(work), "events": str(events)}
    document |= {"deps": str(environment.deps), "settings": {}, "items": [item]}
    job.write_text(json.dumps(document))

    start = command(environment, [str(SUITE), str(job)], {}, seen)
    assert start.container is not None
    subprocess.run(start.container.prefixed(start.argv), check=False, timeout=120)

    said = [json.loads(line) for line in events.read_text().splitlines()]
    (result,) = [one for one in said if one["event"] == "result"]
    assert result["status"] == "ok", result
    assert result["numbers"]["build_s"] == 12.5
    assert np.load(work / "samples" / "net.npy").tolist() == [0.002, 0.004]


def test_too_little_memory(here: Here, tmp_path: Path) -> None:
    """The limit holds, and the end reads as the kill that it is."""
    environment = here.provide(ORT_131, memory=64 * 2**20)
    assert isinstance(environment, Environment)
    start = command(environment, ["-c", "b = bytearray(300_000_000)"], {}, Mounts())
    assert start.container is not None

    argv = start.container.prefixed(start.argv)
    done = subprocess.run(argv, check=False, timeout=60, cwd=tmp_path)

    assert start.container.signal_of(done.returncode) == signal.SIGKILL


@contextmanager
def _made(name: str) -> Iterator[str]:
    """The name of an image that is made anew every time, and goes again."""
    try:
        yield name
    finally:
        podman("image", "rm", "--force", name, check=False)


def _import(folder: Path, name: str, env: dict[str, str] | None = None) -> None:
    pack = f"tar -C '{folder}' -c hello | podman import - {name}"
    subprocess.run(
        ["bash", "-ec", pack], env=env or pictures.variables(), check=True, capture_output=True
    )


@pytest.fixture
def tiny_store(
    store: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A store on a disk of 8 MB, with one image that holds next to nothing."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mounting, check=False).returncode != 0:
        pytest.skip("containers: no small disk can be mounted here")
    try:
        conf = tmp_path / "storage.conf"
        run = tmp_path / "run"
        conf.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{disk}/store"\nrunroot = "{run}"\n'
        )
        monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(conf))
        (tmp_path / "hello").write_bytes(bytes(3_000_000))
        _import(tmp_path, "localhost/tiny:1", dict(os.environ))
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_the_disk_for_layers_is_full(here: Here, tiny_store: Path) -> None:
    room = shutil.disk_usage(tiny_store).free
    (tiny_store / "filler").write_bytes(bytes(max(room - 8192, 0)))

    refusal = here.refused(ORT_131, reference="localhost/tiny:1")

    assert refusal.reason == "disk-full", refusal.message
    assert "no space left on device" in refusal.message


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of somebody who is not root, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="trt-compat-tests-") as name:
        os.chown(name, STRANGER, STRANGER)
        yield Path(name)
        # The process that rootless podman keeps for the user's next command.
        held = Path(name) / "run" / "libpod" / "tmp" / "pause.pid"
        if held.exists():
            os.kill(int(held.read_text()), signal.SIGKILL)


@pytest.fixture
def docker(store: dict[str, str], theirs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Docker's own command, on podman's socket."""
    if shutil.which("docker") is None:
        pytest.skip("containers: no docker command here")
    socket = theirs / "s"
    service = subprocess.Popen(["podman", "system", "service", "--time=0", f"unix://{socket}"])
    try:
        _wait("podman's socket", socket.exists, 20)
        socket.chmod(0o666)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
        monkeypatch.setenv("DOCKER_CONFIG", str(theirs))
        engines._ask.cache_clear()
        yield "docker"
    finally:
        engines._ask.cache_clear()
        service.terminate()
        service.wait()


_WRITE = "import os,sys; open(sys.argv[1], 'w').write('%d' % os.getuid())"


def _write(environment: Environment, folder: Path) -> str:
    """Have the target's Python write a file, and return the user that it is in there."""
    start = command(environment, ["-c", _WRITE, str(folder / "file")], {}, Mounts((), (folder,)))
    assert start.container is not None
    subprocess.run(start.container.prefixed(start.argv), check=True, timeout=60)
    return (folder / "file").read_text()


def test_dockers_command_runs_the_same_arguments(here: Here, docker: str, tmp_path: Path) -> None:
    environment = here.provide(ORT_131, engine="docker")
    assert isinstance(environment, Environment), environment
    (folder := tmp_path / "ä b").mkdir()

    _write(environment, folder)

    assert (folder / "file").read_text() == str(os.getuid())
    assert environment.facts["engine"].startswith("docker")


def test_dockers_daemon_is_down(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("docker") is None:
        pytest.skip("containers: no docker command here")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{here.work}/nobody")
    engines._ask.cache_clear()

    refusal = here.refused(ORT_131, engine="docker")

    assert refusal.reason == "engine-not-ready"
    assert "its daemon does not answer" in refusal.message


class TestStranger:
    """Somebody who is not root: what a container writes is theirs."""

    @pytest.mark.usefixtures("docker")
    def test_with_a_daemon_of_root(self, here: Here, theirs: Path) -> None:
        environment = here.provide(ORT_131, engine="docker")
        assert isinstance(environment, Environment), environment

        _as_stranger(lambda: _write(environment, theirs))

        assert (theirs / "file").read_text() == str(STRANGER)
        assert (theirs / "file").stat().st_uid == STRANGER

    def test_with_rootless_podman(self, here: Here, theirs: Path) -> None:
        """Without user ids in /etc/subuid, root inside is the caller."""
        spec = here.spec(ORT_131, engine="podman")
        assert spec.image is not None
        variables, log = _rootless(theirs, spec.image.name), theirs / "log"

        def run() -> str:
            os.environ.update(variables)
            engines._ask.cache_clear()
            found = engines.find("podman")
            if isinstance(found, engines.Trouble):
                return found.message
            load = ["podman", "load", "--quiet", "--input", str(theirs / "image.tar")]
            done = subprocess.run(load, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                return f"podman: it cannot load an image: {engines.last_line(done.stderr)}"
            picture = images.find(found, spec.image)  # type: ignore[arg-type]
            assert not isinstance(picture, engines.Trouble), picture
            asked = provider.look_inside(spec, *picture, catalogue(), log)
            assert not isinstance(asked, engines.Trouble), asked
            launcher, said = asked
            environment = Environment(
                spec, Path(launcher.python), theirs, {}, "", cached=True, launcher=launcher
            )
            return f"{found[0]}: {said.version} as {_write(environment, theirs)}"

        said = _as_stranger(run)

        assert "\n" not in said
        if said.startswith("podman:"):
            pytest.skip(f"containers: rootless {said}")
        assert "(rootless): 1.31.1" in said
        assert (theirs / "file").stat().st_uid == STRANGER

    def test_a_whole_run_with_rootless_podman(self, here: Here, theirs: Path) -> None:
        """The command itself is theirs too, with all that it makes."""
        root = Path(__file__).parents[3]
        packages = Path(np.__file__).parents[1]
        # An interpreter below root's home is closed to them; the system's of the same version fits.
        python = f"/usr/bin/python3.{sys.version_info.minor}"
        env = {**os.environ, **_rootless(theirs, ORT_131.make())}
        env |= {"PYTHONPATH": f"{root}:{packages}", "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        env["PATH"] = f"{Path(_uv()).parent}:{env['PATH']}"

        def call(*words: str) -> subprocess.CompletedProcess[str]:
            ids = ["--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups"]
            argv = ["setpriv", *ids, *words]
            return subprocess.run(
                argv, env=env, cwd=theirs, check=False, capture_output=True, text=True, timeout=200
            )

        if call(python, "-c", "import pandas, onnxruntime, compat").returncode != 0:
            pytest.skip("containers: the packages lie where only root may read them")
        load = call("podman", "load", "--quiet", "--input", str(theirs / "image.tar"))
        if load.returncode != 0:
            pytest.skip(f"containers: rootless podman: {engines.last_line(load.stderr)}")
        target = _target("box", "onnxruntime", "1.31.1", ORT_131.reference)
        (theirs / "compat.toml").write_text(_matrix(target), encoding="utf-8")

        done = call(python, "-m", "compat", "run", "--quick")

        assert done.returncode == 0, done.stdout + done.stderr
        records = theirs / ".trt-compat" / "records.jsonl"
        said = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
        assert {one["status"] for one in said if one["check"] != "damaged"} == {"ok"}
        assert "(rootless)" in said[0]["target"]["engine"]
        made = [records.parent, *records.parent.rglob("*")]
        assert {path.lstat().st_uid for path in made} == {STRANGER}


def _uv() -> str:
    import uv

    return uv.find_uv_bin()


def _rootless(theirs: Path, image: str) -> dict[str, str]:
    """Return the variables of a rootless podman with a store of its own; put the image there."""
    podman("save", "--output", str(theirs / "image.tar"), image)
    for name in ("run", "home"):
        (theirs / name).mkdir(mode=0o700)
        os.chown(theirs / name, STRANGER, STRANGER)
    shutil.copy(os.environ["CONTAINERS_CONF"], theirs / "containers.conf")
    (theirs / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{theirs}/store"\n'
        f'runroot = "{theirs}/run/containers"\n'
        '[storage.options.overlay]\nignore_chown_errors = "true"\n'
    )
    for path in theirs.iterdir():
        os.chown(path, STRANGER, STRANGER)
    return {
        "HOME": str(theirs / "home"),
        "XDG_RUNTIME_DIR": str(theirs / "run"),
        "CONTAINERS_CONF": str(theirs / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(theirs / "storage.conf"),
    }


def _as_stranger(do: Callable[[], str]) -> str:
    """Call in a child that is not root, and return what it returned."""
    sys.stdout.flush()
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads; the child does little
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(STRANGER)
            os.setuid(STRANGER)
            os.chdir("/")
            os.write(writer, do().encode())
            code = 0
        except BaseException as error:
            os.write(writer, repr(error).encode())
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        said = stream.read().decode()
    assert os.waitpid(child, 0)[1] == 0, said
    return said
