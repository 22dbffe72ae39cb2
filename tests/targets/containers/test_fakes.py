"""What is asked of Docker and Podman, and what a user is told, on engines that only take notes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from compat.cli import main
from compat.suite.driver import Driver, Gpu
from compat.targets import (
    Environment,
    Image,
    Mounts,
    TargetSpec,
    Unavailable,
    catalogue,
    command,
    devices,
)
from compat.targets import examine as look
from compat.targets import provide as make
from compat.targets.containers import engine as engines
from compat.targets.containers import launch, owner, provider
from tests.targets.containers import fakes
from tests.targets.containers.fakes import DIGEST, DOCKER, ID, IMAGE, PODMAN, ROOTLESS, put, said

OTHER = "sha256:" + "3" * 64
H200 = Driver("13.0", (Gpu("NVIDIA H200", "sm_90"),), "")
NONE = Driver(None, (), "no CUDA driver")


@dataclass
class Yard:
    """A PATH with fake engines, and a target to provide."""

    bin: Path
    work: Path
    told: list[str]

    def put(self, kind: str, speaks: object, **answers: Any) -> fakes.Fake:
        return put(self.bin, kind, speaks, **answers)

    def spec(self, **more: Any) -> TargetSpec:
        fields = {"digest", "engine", "gpus", "memory", "shm_size", "pull"} & set(more)
        image = Image(IMAGE, **{name: more.pop(name) for name in fields})
        spec = TargetSpec("ngc", "tensorrt", "8.6.1.6", "container", "current", image=image)
        return replace(spec, **more)

    def provide(self, **more: Any) -> Environment | Unavailable:
        return make(self.spec(**more), self.work, progress=self.told.append)

    def ready(self, **more: Any) -> Environment:
        got = self.provide(**more)
        assert isinstance(got, Environment), got
        return got

    def refused(self, **more: Any) -> Unavailable:
        got = self.provide(**more)
        assert isinstance(got, Unavailable), got
        assert "\n" not in got.message
        return got

    def argv(self, mounts: Mounts | None = None, **more: Any) -> list[str]:
        """What would run the suite."""
        start = command(self.ready(**more), ["run.py", "job"], {"A": "b c"}, mounts or Mounts())
        assert start.container is not None
        assert start.env == {}
        return start.container.prefixed(start.argv)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    """No engine yet, no GPU, and the suite's packages laid out already."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", fakes.only(folder))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(provider, "probe", lambda: NONE)
    laid = tmp_path / "deps"
    monkeypatch.setattr("compat.targets.deps._laid", lambda *_: laid)
    monkeypatch.setattr("compat.targets.deps.stand", lambda *_: True)
    return Yard(folder, tmp_path / "work", [])


def _value(argv: list[str], option: str) -> list[str]:
    return [argv[at + 1] for at, word in enumerate(argv) if word == option]


class TestArguments:
    """One container, as an argument list."""

    def test_what_every_container_gets(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)

        argv = yard.argv(memory=2**30, shm_size=2**28)

        assert _value(argv, "--network") == ["none"]
        assert _value(argv, "--pull") == ["never"]
        assert "--rm" in argv
        assert "--privileged" not in argv
        assert _value(argv, "--memory") == [str(2**30)]
        assert _value(argv, "--shm-size") == [str(2**28)]
        assert "A=b c" in _value(argv, "--env")
        assert f"{owner.TARGET}=ngc" in _value(argv, "--label")
        # By its id: a tag that moves in the middle of a run changes nothing.
        assert argv[argv.index(ID) :] == [ID, "run.py", "job"]
        assert _value(argv, "--entrypoint") == ["python3"]

    def test_folders_are_seen_where_they_are(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)
        folder = yard.work / "mit leerzeichen und ä"

        argv = yard.argv(Mounts((yard.work,), (folder,)))

        assert _value(argv, "--mount") == [
            f"type=bind,source={yard.work},target={yard.work},readonly",
            f"type=bind,source={folder},target={folder}",
        ]

    def test_a_comma_in_a_path(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)

        argv = yard.argv(Mounts((Path("/a,b"),), (Path("/c,d"),)))

        assert _value(argv, "--volume") == ["/a,b:/a,b:ro", "/c,d:/c,d:rw"]

    def test_two_starts_have_two_names(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)
        start = command(yard.ready(), ["x"], {}, Mounts())
        assert start.container is not None

        names = [_value(start.container.prefixed(start.argv), "--name")[0] for _ in range(2)]

        assert len(set(names)) == 2

    @pytest.mark.parametrize(
        ("kind", "info", "wanted"),
        [
            ("podman", PODMAN, ["--user", "1234:1234"]),
            ("podman", ROOTLESS, ["--userns", "keep-id", "--user", "1234:1234"]),
            ("podman", fakes.ALONE, ["--user", "0:0"]),
            ("docker", DOCKER, ["--user", "1234:1234"]),
            ("docker", {**DOCKER, "SecurityOptions": ["name=rootless"]}, ["--user", "0:0"]),
            (
                "docker",
                {**DOCKER, "SecurityOptions": ["name=userns"]},
                ["--user", "1234:1234", "--userns", "host"],
            ),
        ],
        ids=[
            "podman",
            "podman-rootless",
            "podman-without-subuid",
            "docker",
            "docker-rootless",
            "docker-remapped",
        ],
    )
    def test_results_belong_to_the_caller(
        self,
        yard: Yard,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        info: object,
        wanted: list[str],
    ) -> None:
        yard.put(kind, info)
        monkeypatch.setattr(os, "getuid", lambda: 1234)
        monkeypatch.setattr(os, "getgid", lambda: 1234)

        argv = yard.argv()

        at = argv.index(wanted[0])
        assert argv[at : at + len(wanted)] == wanted
        assert argv.count("--userns") == wanted.count("--userns")

    @pytest.mark.parametrize(
        ("kind", "info", "way", "wanted"),
        [
            ("podman", PODMAN, "auto", ["--device", "nvidia.com/gpu=all"]),
            ("docker", DOCKER, "auto", ["--gpus", "all"]),
            ("docker", DOCKER, "cdi", ["--device", "nvidia.com/gpu=all"]),
            ("podman", PODMAN, "flag", ["--gpus", "all"]),
            ("docker", DOCKER, "none", []),
        ],
    )
    def test_gpus(
        self,
        yard: Yard,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        info: object,
        way: str,
        wanted: list[str],
    ) -> None:
        yard.put(kind, info, run=fakes.inside(driver={"gpus": 1, "code": 0}))
        monkeypatch.setattr(provider, "probe", lambda: H200)

        argv = yard.argv(gpus=way)

        given = [w for w in argv if w in ("--device", "--gpus")]
        assert given == wanted[:1]
        assert _value(argv, given[0]) == wanted[1:] if given else not wanted

    def test_no_gpu_is_asked_for_where_there_is_none(self, yard: Yard) -> None:
        yard.put("docker", DOCKER)

        assert "--gpus" not in yard.argv()

    def test_the_callers_choice_of_gpus_goes_in(
        self, yard: Yard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        yard.put("docker", DOCKER)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")

        assert "CUDA_VISIBLE_DEVICES=2" in _value(yard.argv(), "--env")

    def test_nvidias_entrypoint_stays(self, yard: Yard) -> None:
        """It puts forward compatibility libraries in place; any other may do what it likes."""
        start = ["/opt/nvidia/nvidia_entrypoint.sh"]
        yard.put("docker", DOCKER, image_inspect=said(fakes.image(entrypoint=start)))

        argv = yard.argv()

        assert "--entrypoint" not in argv
        assert argv[argv.index(ID) :] == [ID, "python3", "run.py", "job"]


class TestEngines:
    """Which engine, and why none."""

    def test_none(self, yard: Yard) -> None:
        refusal = yard.refused()

        assert refusal.reason == "engine-missing"
        assert refusal.message.startswith("neither podman nor docker is on PATH: install it")

    def test_the_chosen_one_is_missing(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)

        refusal = yard.refused(engine="docker")

        assert refusal.reason == "engine-missing"
        assert 'engine = "auto"' in refusal.message

    def test_dockers_daemon_is_down(self, yard: Yard) -> None:
        words = "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"
        yard.put("docker", {"ServerVersion": ""}, info=said({"ServerVersion": ""}, words, 1))

        refusal = yard.refused()

        assert refusal.reason == "engine-not-ready"
        assert refusal.message == (
            "docker: its daemon does not answer: start it (systemctl start docker), or use "
            f"podman ({words})"
        )

    def test_docker_refuses_this_user(self, yard: Yard) -> None:
        words = "permission denied while trying to connect to the Docker daemon socket"
        yard.put("docker", {}, info=said({}, words, 1))

        assert "group docker" in yard.refused().message

    def test_podman_cannot_run(self, yard: Yard) -> None:
        yard.put("podman", {}, info=said("", "cannot clone: Operation not permitted", 125))

        refusal = yard.refused()

        assert refusal.reason == "engine-not-ready"
        assert "podman info" in refusal.message

    def test_the_one_that_answers_is_taken(self, yard: Yard) -> None:
        yard.put("podman", {}, info=said("", "cannot clone", 125))
        yard.put("docker", DOCKER)

        assert yard.ready().facts["engine"] == "docker 28.2.2"

    def test_the_one_that_has_the_image_is_taken(self, yard: Yard) -> None:
        yard.put("podman", PODMAN, image_inspect=said([], "no such image", 125))
        yard.put("docker", DOCKER)

        assert yard.ready().facts["engine"] == "docker 28.2.2"

    def test_one_that_hangs(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        program = yard.bin / "podman"
        program.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
        program.chmod(0o755)
        monkeypatch.setattr(engines, "_LIMIT_S", 0.2)

        assert "no answer in" in yard.refused().message


class TestImages:
    """What an image's name stands for."""

    def test_missing(self, yard: Yard) -> None:
        fake = yard.put("podman", PODMAN, image_inspect=said([], "no such image", 125))

        refusal = yard.refused()

        assert refusal.reason == "image-missing"
        assert f"`podman pull {IMAGE}`" in refusal.message
        assert fake.calls("pull") == []

    def test_pulled_when_allowed(self, yard: Yard) -> None:
        missing = said([], "no such image", 125)
        fake = yard.put("podman", PODMAN, image_inspect=[missing, said(fakes.image())])

        yard.ready(pull=True, digest=DIGEST)

        # By digest, since the tag may have moved; then the tag stands for it here.
        pinned = f"nvcr.io/nvidia/tensorrt@{DIGEST}"
        assert fake.calls("pull") == [["pull", pinned]]
        assert fake.calls("tag") == [["tag", pinned, IMAGE]]
        assert any("pulling" in text for text in yard.told)

    def test_not_pulled_offline(self, yard: Yard) -> None:
        fake = yard.put("podman", PODMAN, image_inspect=said([], "no such image", 125))

        assert "offline" in yard.refused(pull=True, offline=True).message
        assert fake.calls("pull") == []

    def test_a_pull_that_fails(self, yard: Yard) -> None:
        missing = said([], "no such image", 125)
        pull = said("", "Error: unauthorized: authentication required\n", 125)
        yard.put("podman", PODMAN, image_inspect=missing, pull=pull)

        refusal = yard.refused(pull=True)

        assert refusal.reason == "image-missing"
        assert "unauthorized: authentication required" in refusal.message

    def test_moved(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)

        refusal = yard.refused(digest=OTHER)

        assert refusal.reason == "digest-moved"
        assert OTHER in refusal.message
        assert f'digest = "{DIGEST}"' in refusal.message

    def test_moved_in_one_engine_and_not_in_the_other(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)
        yard.put("docker", DOCKER, image_inspect=said(fakes.image(digest=OTHER)))

        assert yard.ready(digest=OTHER).facts["engine"].startswith("docker")

    @pytest.mark.parametrize("digest", [DIGEST, ID], ids=["registry", "id"])
    def test_pinned(self, yard: Yard, digest: str) -> None:
        yard.put("podman", PODMAN)

        environment = yard.ready(digest=digest)

        assert environment.facts["pinned"] == "yes"
        assert not any("not pinned" in text for text in yard.told)

    def test_not_pinned_runs_and_says_what_to_write(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)

        environment = yard.ready()

        line = f'digest = "{DIGEST}"'
        assert line in environment.facts["pinned"]
        assert [text for text in yard.told if "not pinned" in text and line in text]

    def test_another_image_is_another_environment(self, yard: Yard) -> None:
        fake = yard.put("podman", PODMAN)
        first = yard.ready()

        fake.answer(image_inspect=said(fakes.image(identity=OTHER)))

        assert yard.ready().fingerprint != first.fingerprint


class TestInside:
    """What the image says of itself, against what is claimed."""

    def test_all_parts_and_what_records_carry(self, yard: Yard) -> None:
        """The module says 8.6.1; the package list knows the fourth part."""
        yard.put("docker", DOCKER)

        facts = yard.ready().facts

        assert facts["module_version"] == "8.6.1"
        assert (facts["cuda_toolkit"], facts["cudnn"]) == ("12.2.1", "8.9.4.25")
        assert facts["digest"] == DIGEST
        assert facts["trtexec"] == "/usr/src/tensorrt/bin/trtexec"

    def test_asked_once_per_image(self, yard: Yard) -> None:
        fake = yard.put("docker", DOCKER)
        first = yard.ready()

        assert yard.ready() == first
        assert len(fake.calls("run")) == 1

    @pytest.mark.parametrize(
        ("answer", "reason", "words"),
        [
            ({"version": "10.3.0"}, "version-differs", "has tensorrt 10.3.0, and the target says"),
            (
                {"tensorrt": {"library": None, "packages": "8.6.1.2"}},
                "version-differs",
                "tensorrt 8.6.1.2, and the target says 8.6.1.6",
            ),
            ({"module": None, "version": None}, "version-not-found", "no module"),
            ({"error": "tensorrt: ImportError: libnvinfer.so.8"}, "install-failed", "libnvinfer"),
            ({"python": "3.6.9"}, "interpreter-missing", "Python 3.6 is not one"),
            ({"libc": "musl"}, "platform", "C library is musl"),
            ({"libc": "glibc 2.12"}, "platform", "glibc 2.12"),
        ],
    )
    def test_not_what_is_claimed(
        self, yard: Yard, answer: dict[str, Any], reason: str, words: str
    ) -> None:
        yard.put("docker", DOCKER, run=fakes.inside(**answer))

        refusal = yard.refused()

        assert refusal.reason == reason
        assert words in refusal.message
        assert IMAGE in refusal.message

    def test_another_cuda_than_claimed(self, yard: Yard) -> None:
        yard.put("docker", DOCKER)

        refusal = yard.refused(cuda="13")

        assert refusal.reason == "version-differs"
        assert "CUDA 12.2.1" in refusal.message

    def test_no_python(self, yard: Yard) -> None:
        missing = said("", 'exec: "python3": executable file not found in $PATH', 127)
        fake = yard.put("docker", DOCKER, run=missing)

        refusal = yard.refused()

        assert refusal.reason == "interpreter-missing"
        assert "no python3 or python" in refusal.message
        assert len(fake.calls("run")) == 2

    def test_only_the_old_name_of_python(self, yard: Yard) -> None:
        missing = said("", "executable file `python3` not found in $PATH", 127)
        yard.put("docker", DOCKER, run=[missing, fakes.inside()])

        assert str(yard.ready().python) == "python"

    def test_the_disk_is_full(self, yard: Yard) -> None:
        full = said("", "Error: creating container storage: no space left on device", 125)
        yard.put("podman", PODMAN, run=full)

        refusal = yard.refused()

        assert refusal.reason == "disk-full"
        assert "no space left on device" in refusal.message

    def test_no_gpu_gets_in(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        yard.put("podman", PODMAN)
        monkeypatch.setattr(provider, "probe", lambda: H200)

        refusal = yard.refused()

        assert refusal.reason == "gpu-not-passed"
        assert "nvidia-ctk cdi generate" in refusal.message

    @pytest.mark.parametrize(
        ("kind", "info", "code", "words", "remedy"),
        [
            (
                "podman",
                PODMAN,
                126,
                "setting up CDI devices: unresolvable CDI devices nvidia.com/gpu=all",
                "cdi generate",
            ),
            (
                "docker",
                DOCKER,
                125,
                'could not select device driver "" with capabilities: [[gpu]]',
                "--runtime=docker",
            ),
            (
                "docker",
                DOCKER,
                127,
                "nvidia-container-cli: initialization error: load library failed: "
                "libnvidia-ml.so.1: cannot open shared object file: no such file or directory",
                "--runtime=docker",
            ),
        ],
    )
    def test_the_engine_knows_no_gpu(
        self,
        yard: Yard,
        monkeypatch: pytest.MonkeyPatch,
        kind: str,
        info: object,
        code: int,
        words: str,
        remedy: str,
    ) -> None:
        yard.put(kind, info, run=said("", f"Error: {words}", code))
        monkeypatch.setattr(provider, "probe", lambda: H200)

        refusal = yard.refused()

        assert refusal.reason == "gpu-not-passed"
        assert remedy in refusal.message
        assert words in refusal.message
        assert "python" not in refusal.message


class TestDoctor:
    """`targets doctor` says the same beforehand."""

    def _missing(self, yard: Yard, driver: Driver = NONE, **more: Any) -> list[str]:
        found = look(yard.spec(**more), yard.work, driver, catalogue(), yard.told.append)
        return [f"{one.about}: {one.text}" for one in found if one.level == "missing"]

    def test_no_engine(self, yard: Yard) -> None:
        assert self._missing(yard)[0].startswith("engine: neither podman nor docker")

    def test_no_image(self, yard: Yard) -> None:
        yard.put("podman", PODMAN, image_inspect=said([], "no such image", 125))

        assert self._missing(yard)[0].startswith("image: podman has no image")
        assert self._missing(yard, pull=True) == []

    def test_a_digest_that_moved(self, yard: Yard) -> None:
        yard.put("podman", PODMAN)

        assert "is pinned to" in self._missing(yard, digest=OTHER)[0]

    def test_no_way_in_for_a_gpu(self, yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
        yard.put("podman", PODMAN)
        monkeypatch.setattr(provider, "probe", lambda: H200)

        assert "no GPU is seen inside" in self._missing(yard, H200)[0]

    def test_nothing(self, yard: Yard) -> None:
        yard.put("docker", DOCKER, run=fakes.inside(driver={"gpus": 1, "code": 0}))

        found = self._missing(yard, H200)

        assert found == []

    def test_the_suites_packages_are_nowhere(
        self, yard: Yard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A run would end with that, so the doctor asks before."""
        yard.put("docker", DOCKER)
        monkeypatch.setattr("compat.targets.deps.stand", lambda *_: False)
        monkeypatch.setenv("UV_CACHE_DIR", str(yard.work / "empty"))

        found = self._missing(yard, offline=True)

        assert found[0].startswith("wheels: Not all wheels are at hand, and this target is offline")

    @pytest.mark.parametrize(
        ("name", "arch", "is_missing"),
        [("NVIDIA GeForce RTX 4090", "sm_89", True), ("Tesla T4", "sm_75", False)],
    )
    def test_a_driver_of_an_earlier_cuda(
        self, yard: Yard, monkeypatch: pytest.MonkeyPatch, name: str, arch: str, is_missing: bool
    ) -> None:
        """As `targets check` says it: for servers an image may bring what the driver lacks."""
        monkeypatch.setattr(devices, "_DRIVER_FILE", yard.work)
        yard.put("docker", DOCKER, run=fakes.inside(driver={"gpus": 1, "code": 0}))

        found = self._missing(yard, Driver("11.8", [Gpu(name, arch)], ""))

        assert ["not a driver with CUDA 11.8" in one for one in found] == [True] * is_missing


class TestOwners:
    """Whose a container is, when it may be taken away."""

    def test_ours_is_in_use(self) -> None:
        assert not owner.is_left_behind(owner.conductor(), runs=True)

    def test_a_dead_conductors_is_not(self) -> None:
        place = owner.conductor().rsplit("/", 2)[0]

        assert owner.is_left_behind(f"{place}/{2**22 + 1}/123", runs=True)
        # The number is in use again, by a process that started at another time.
        assert owner.is_left_behind(f"{place}/{os.getpid()}/1", runs=True)

    def test_of_an_earlier_boot(self) -> None:
        assert owner.is_left_behind("boot/pid:[1]/2/3", runs=False)
        assert not owner.is_left_behind("boot/pid:[1]/2/3", runs=True)

    def test_a_process_that_we_cannot_see_is_left_alone(self) -> None:
        boot = owner.conductor().split("/")[0]

        assert not owner.is_left_behind(f"{boot}/pid:[1]/999999/3", runs=True)

    def test_somebody_elses_label(self) -> None:
        assert not owner.is_left_behind("whatever", runs=False)
        assert not owner.is_left_behind(f"{owner.conductor().rsplit('/', 2)[0]}/x/3", runs=True)

    def test_the_next_run_takes_them_away(self, yard: Yard) -> None:
        place = owner.conductor().rsplit("/", 2)[0]
        rows = [
            {"Id": name, "State": {"Running": True}, "Config": {"Labels": {owner.CONDUCTOR: label}}}
            for name, label in (("dead", f"{place}/{2**22 + 1}/1"), ("ours", owner.conductor()))
        ]
        fake = yard.put("podman", PODMAN, ps=said("dead\nours\n"), container_inspect=said(rows))

        yard.ready()

        assert fake.calls("kill") == [["kill", "--signal", "KILL", "dead"]]
        assert fake.calls("rm") == [["rm", "--force", "dead"]]


def test_a_path_that_no_option_can_say(yard: Yard) -> None:
    yard.put("podman", PODMAN)
    yard.work = yard.work / "a,b:c"

    assert "cannot be mounted" in yard.refused().message
    (found,) = look(yard.spec(), yard.work, NONE, catalogue(), yard.told.append)
    assert (found.level, "cannot be mounted" in found.text) == ("missing", True)


_MATRIX = f"""
schema = 1
[targets.ngc]
flavour = "tensorrt"
version = "8.6.1.6"
provider = "container"
image = "{IMAGE}"
[models.net]
source = "not-here.onnx"
axes = {{ batch = [1, 2, 4] }}
"""


def test_the_deep_doctor_names_the_image(
    yard: Yard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    yard.put("podman", PODMAN)
    (tmp_path / "compat.toml").write_text(_MATRIX)
    monkeypatch.chdir(tmp_path)

    main(["targets", "doctor", "--deep"])

    assert f"environment: its containers are ready to start: {IMAGE}" in capsys.readouterr().out


def test_a_signal_is_told_from_an_exit_code() -> None:
    signals = [launch.Container.signal_of(code) for code in (0, 1, 125, 127, 137, 139)]

    assert signals == [0, 0, 0, 0, 9, 11]
