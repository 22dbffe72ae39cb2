"""One container as an argument list: what it sees, who it is, what it may use, and its end."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from compat.targets.containers import owner
from compat.targets.containers.engine import Engine
from compat.targets.spec import Image

# Of the caller's variables, those that a process beside it would have heeded too.
_PASSED_ON = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "OMP_NUM_THREADS")
# No home folder goes with a borrowed user id. Paths may hold any letter.
_ALWAYS = {"HOME": "/tmp", "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1"}  # noqa: S108 - inside
_COUNT = itertools.count(1)
# A container that a signal has ended leaves with 128 and its number, as a shell would say it.
_FIRST_SIGNAL, _LAST_SIGNAL = 129, 192


@dataclass(frozen=True, slots=True)
class Mounts:
    """Folders that a container sees under the very path that they have here.

    writes: folders inside of `reads` are writable in spite of it.
    """

    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Launcher:
    """How the containers of one target are started.

    image: the id, so that a tag that moves meanwhile changes nothing. entrypoint: the image's own
    stays in front. gpus: the options that pass them in. python: inside the image.
    """

    engine: Engine
    target: str
    image: str
    settings: Image
    gpus: tuple[str, ...]
    entrypoint: bool
    python: str

    def container(self, mounts: Mounts, env: Mapping[str, str]) -> Container:
        """Return a container that is not started yet."""
        return Container(self, mounts, env)


@dataclass(slots=True)
class Container:
    """A container for one command at a time.

    Each start has a name of its own: the engine may still be busy with taking the last one away.
    """

    launcher: Launcher
    mounts: Mounts
    env: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def prefixed(self, argv: Sequence[str]) -> list[str]:
        """Return the argument list that runs a command in a new container of this kind."""
        launcher = self.launcher
        self.name = f"trt-compat-{owner.run_id()}-{launcher.target}-{next(_COUNT)}"
        program, *rest = argv
        entrypoint = [] if launcher.entrypoint else ["--entrypoint", program]
        return [
            *_dying_with_us(),
            str(launcher.engine.program),
            "run",
            "--interactive",  # a suite waits on its standard input for its next job
            *("--rm", "--pull", "never", "--network", "none", "--log-driver", "none"),
            # SELinux would hide the folders, and relabelling them would change the caller's files.
            *("--security-opt", "label=disable", "--security-opt", "no-new-privileges"),
            *("--name", self.name, *owner.labels(launcher.target)),
            *_user(launcher.engine),
            *_limits(launcher.settings),
            *launcher.gpus,
            *_mounts(self.mounts),
            *_variables({**_ALWAYS, **_passed_on(), **self.env}),
            *entrypoint,
            launcher.image,
            *([program] if launcher.entrypoint else []),
            *rest,
        ]

    def end(self) -> None:
        """Kill and remove it; one that is gone already is no error."""
        if self.name:
            owner.end(self.launcher.engine, self.name)

    @staticmethod
    def signal_of(code: int) -> int:
        """Return the number of the signal that ended the command, from its exit code; else 0."""
        return code - 128 if _FIRST_SIGNAL <= code <= _LAST_SIGNAL else 0


def cannot_mount(paths: Sequence[Path]) -> str:
    """Return why one of these paths cannot be mounted; empty where all can."""
    bad = next((path for path in paths if "," in str(path) and ":" in str(path)), None)
    return f"{bad}: a path with both ',' and ':' cannot be mounted; rename it" if bad else ""


def _dying_with_us() -> list[str]:
    """Have the engine's client told when this process dies; it hands the signal on."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _user(engine: Engine) -> list[str]:
    """Return the options under which what is written belongs to the caller."""
    caller = f"{os.getuid()}:{os.getgid()}"
    if engine.alone or (engine.rootless and engine.kind == "docker"):
        return ["--user", "0:0"]
    if engine.rootless:
        return ["--userns", "keep-id", "--user", caller]
    return ["--user", caller, *(["--userns", "host"] if engine.remapped else [])]


def _limits(settings: Image) -> list[str]:
    return [
        *(["--memory", str(settings.memory)] if settings.memory is not None else []),
        *(["--shm-size", str(settings.shm_size)] if settings.shm_size is not None else []),
    ]


def _mounts(mounts: Mounts) -> list[str]:
    options = []
    for path in dict.fromkeys(mounts.reads):
        options += _mount(path, read_only=True)
    for path in dict.fromkeys(mounts.writes):
        options += _mount(path, read_only=False)
    return options


def _mount(path: Path, *, read_only: bool) -> list[str]:
    """Return the option for one folder: `--mount` parts its words at commas, `--volume` at colons.

    Both make the folders above it where the image has none.
    """
    if "," in str(path):
        return ["--volume", f"{path}:{path}:{'ro' if read_only else 'rw'}"]
    words = f"type=bind,source={path},target={path}"
    return ["--mount", f"{words},readonly" if read_only else words]


def _passed_on() -> dict[str, str]:
    return {key: os.environ[key] for key in _PASSED_ON if key in os.environ}


def _variables(values: Mapping[str, str]) -> list[str]:
    return [word for key, value in values.items() for word in ("--env", f"{key}={value}")]
