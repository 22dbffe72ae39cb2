"""An engine that is a script: it notes every argument list and answers as it was told to."""

from __future__ import annotations

import json
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.targets.containers.question import MARK

_SCRIPT = """#!{python}
import json, os, sys
home = {home!r}
with open(home + "/calls.jsonl", "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
with open(home + "/answers.json") as stream:
    answers = json.load(stream)
words = sys.argv[1:]
key = words[0] if words[0] not in ("image", "container") else words[0] + " " + words[1]
answer = answers.get(key, dict(code=0, out="", err=""))
if isinstance(answer, list):
    path = home + "/turn-" + key.replace(" ", "-")
    turn = int(open(path).read()) if os.path.exists(path) else 0
    open(path, "w").write(str(turn + 1))
    answer = answer[min(turn, len(answer) - 1)]
sys.stdout.write(answer["out"])
sys.stderr.write(answer["err"])
sys.exit(answer["code"])
"""

IMAGE = "nvcr.io/nvidia/tensorrt:23.08-py3"
ID = "sha256:" + "1" * 64
DIGEST = "sha256:" + "2" * 64

PODMAN = {"host": {"security": {"rootless": False}}, "version": {"Version": "4.3.1"}}
ROOTLESS = {"host": {"security": {"rootless": True}}, "version": {"Version": "4.3.1"}}
ALONE = {
    **ROOTLESS,
    "host": {"security": {"rootless": True}, "idMappings": {"uidmap": [{"size": 1}]}},
}
DOCKER = {"ServerVersion": "28.2.2", "SecurityOptions": ["name=seccomp,profile=builtin"]}

#: What the image of TensorRT 8.6.1.6 would say.
INSIDE: dict[str, Any] = {
    "python": "3.10.12",
    "implementation": "CPython",
    "platform": "linux-x86_64",
    "machine": "x86_64",
    "os": "Ubuntu 22.04.2 LTS",
    "libc": "glibc 2.35",
    "distributions": ["tensorrt==8.6.1"],
    "trtexec": "/usr/src/tensorrt/bin/trtexec",
    "numpy": None,
    "driver": {"gpus": 0, "code": None},
    "module": "tensorrt",
    "version": "8.6.1",
    "error": None,
    "tensorrt": {"library": None, "packages": "8.6.1.6", "header": None, "variable": "8.6.1.6"},
    "cuda": {"version.json": "12.2.1", "packages": None, "variable": "12.2.1"},
    "cudnn": {"library": None, "packages": "8.9.4.25", "variable": None},
}


def said(out: object = "", err: str = "", code: int = 0) -> dict[str, Any]:
    text = out if isinstance(out, str) else json.dumps(out)
    return {"code": code, "out": text, "err": err}


def inside(**changes: object) -> dict[str, Any]:
    """The answer of a run of the question."""
    return said(f"a banner\n{MARK}{json.dumps({**INSIDE, **changes})}\n")


def image(identity: str = ID, digest: str | None = DIGEST, entrypoint: object = None) -> object:
    named = [f"nvcr.io/nvidia/tensorrt@{digest}"] if digest else []
    return [{"Id": identity, "RepoDigests": named, "Config": {"Entrypoint": entrypoint}}]


@dataclass
class Fake:
    """One fake engine on PATH."""

    home: Path
    answers: dict[str, Any] = field(default_factory=dict)

    def answer(self, **answers: Any) -> None:
        """Say what commands answer from now on; `image_inspect` stands for `image inspect`."""
        self.answers |= {key.replace("_", " "): value for key, value in answers.items()}
        (self.home / "answers.json").write_text(json.dumps(self.answers))

    def calls(self, command: str = "") -> list[list[str]]:
        """The argument lists of this command, in their order."""
        path = self.home / "calls.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call for line in lines if (call := json.loads(line))[0].startswith(command)]


def put(folder: Path, kind: str, speaks: object, **answers: Any) -> Fake:
    """Put a fake engine into a folder that is on PATH, with one image."""
    home = folder / f"{kind}-home"
    home.mkdir(parents=True)
    program = folder / kind
    program.write_text(_SCRIPT.format(python=sys.executable, home=str(home)))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    fake = Fake(home)
    fake.answer(info=said(speaks), image_inspect=said(image()), run=inside())
    fake.answer(**answers)
    return fake


def only(folder: Path) -> str:
    """A PATH with this folder and the system's tools, but no container engine."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("env", "sh", "setpriv"):
        program = Path("/usr/bin") / name
        if program.exists():
            (tools / name).symlink_to(program)
    return f"{folder}:{tools}"
