"""Carrying a plan out with skopeo, which alone of the three tools keeps digests.

``podman push`` and ``docker push`` write an image's layers anew and so give it another digest
(seen with Podman 4.3.1: another digest for every image). Where skopeo is not installed, an engine
runs it from an image that the user names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from compat.images.credentials import Login
from compat.images.errors import ImagesError, RegistryError
from compat.images.plan import Copy
from compat.images.reference import Repository
from compat.images.route import Side
from compat.images.survey import Surveyor

_TELL_EVERY_S = 10.0
_STOP_S = 10.0
_LAST_LINES = 3
_INSIDE = "/trt-compat"  # where the logins lie in the engine's container


@dataclass(frozen=True, slots=True)
class Tool:
    """How skopeo is started; `engine` and `image` where it runs in a container."""

    engine: str | None = None
    image: str | None = None

    @property
    def program(self) -> str:
        """The program on this machine."""
        return self.engine or "skopeo"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one copy; a `problem` is one line."""

    copy: Copy
    problem: str | None = None


def find_tool(engine: str | None, image: str | None) -> Tool:
    """Return how skopeo can be run here.

    Raises:
        ImagesError: it cannot.
    """
    if engine is None and image is None and shutil.which("skopeo"):
        return Tool()
    if image is None:
        why = (
            f"--engine {engine} runs skopeo out of an image" if engine else "skopeo is not on PATH"
        )
        raise ImagesError(
            f"{why}; name an image that has it by --skopeo-image, or install skopeo "
            "(podman push and docker push cannot stand in: they change digests)"
        )
    names = [engine] if engine else ["podman", "docker"]
    for name in names:
        if shutil.which(name):
            return Tool(name, image)
    raise ImagesError(f"{' and '.join(names)}: not on PATH; skopeo's image cannot be run")


def command(
    copy: Copy, tool: Tool, folder: Path | None = None, ca: Path | None = None
) -> list[str]:
    """Return the argument list of one copy; `folder` holds its logins and certificates."""
    where = str(folder) if folder is not None else None
    argv = ["skopeo"]
    if tool.engine is not None:
        where = _INSIDE if folder is not None else None
        # The registries may be this machine's; SELinux would hide the folder.
        argv = [tool.engine, "run", "--rm", "--network", "host", "--security-opt", "label=disable"]
        argv += ["--volume", f"{folder}:{_INSIDE}:ro"] if folder is not None else []
        argv += ["--entrypoint", "skopeo", str(tool.image)]
    argv += ["copy", "--all", "--preserve-digests"]
    for option, repository in (("src", copy.source), ("dest", copy.destination)):
        if repository.scheme == "http":
            argv.append(f"--{option}-tls-verify=false")
        if where is not None:
            argv += [f"--{option}-authfile", f"{where}/{option}.json"]
        if where is not None and ca is not None:
            argv += [f"--{option}-cert-dir", f"{where}/certs"]
    return [*argv, f"docker://{copy.origin}", f"docker://{copy.goal}"]


def carry_out(
    copies: Sequence[Copy],
    tool: Tool,
    surveyor: Surveyor,
    ca: Path | None,
    say: Callable[[str], None],
) -> Iterator[Outcome]:
    """Copy one after the other and look afterwards, yielding each outcome as it comes.

    A copy that is interrupted leaves no tag: registries take the manifest last. The same call goes
    on there, and skopeo skips layers that the mirror has.
    """
    for number, copy in enumerate(copies, 1):
        said = f"{number}/{len(copies)} {copy.goal}"
        say(f"copying {said}")
        with _folder(copy, surveyor, ca) as folder:
            problem = _run(command(copy, tool, folder, ca), partial(_say_of, say, said))
        yield Outcome(copy, problem or _look(copy, surveyor))


def _say_of(say: Callable[[str], None], what: str, text: str) -> None:
    say(f"{what}: {text}")


def _look(copy: Copy, surveyor: Surveyor) -> str | None:
    """Return what is wrong with the copy in the mirror, None where it is the same."""
    try:
        if copy.tag is None:
            there = surveyor.has("mirror", copy.destination, copy.digest)
            return None if there else f"{copy.goal} is not in the mirror after copying"
        found = surveyor.points_at("mirror", copy.destination, copy.tag)
    except RegistryError as error:
        return f"copied, but it could not be looked at: {error}"
    if found != copy.digest:
        return f"{copy.goal} has {found or 'no digest'} after copying, not {copy.digest}"
    return None


def _run(argv: Sequence[str], say: Callable[[str], None]) -> str | None:
    """Run a program, telling that it lives; return its last words if it fails."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            return f"{argv[0]} cannot be started: {error.strerror}"
        try:
            while True:
                try:
                    code = process.wait(_TELL_EVERY_S)
                    break
                except subprocess.TimeoutExpired:
                    say(f"still copying after {time.monotonic() - started:.0f} s")
        finally:
            _end(process)
        if code == 0:
            return None
        output.seek(0)
        text = output.read()[-4000:].decode("utf-8", "replace")
    lines = ["".join(c for c in line if c.isprintable()).strip() for line in text.splitlines()]
    last = " | ".join([line for line in lines if line][-_LAST_LINES:])[-600:]
    how = f"code {code}" if code > 0 else f"signal {-code}"
    return f"{argv[0]} ended with {how}: {last or 'no message'}"


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def _folder(copy: Copy, surveyor: Surveyor, ca: Path | None) -> Iterator[Path]:
    """Write the logins where skopeo reads them, for its owner alone; they go when it is done.

    On the command line every user of the machine could read them.
    """
    sides: tuple[tuple[str, Side, Repository], ...] = (
        ("src", "upstream", copy.source),
        ("dest", "mirror", copy.destination),
    )
    with tempfile.TemporaryDirectory(prefix="trt-compat-") as name:
        folder = Path(name)
        for option, side, repository in sides:
            entry = _entry(surveyor.login(side, repository))
            content = {"auths": {repository.host: entry} if entry else {}}
            _write_private(folder / f"{option}.json", json.dumps(content))
        if ca is not None:
            (folder / "certs").mkdir()
            shutil.copyfile(ca, folder / "certs" / "ca.crt")
        yield folder


def _entry(login: Login | None) -> dict[str, str] | None:
    if login is None:
        return None
    if login.identity:
        return {"auth": "", "identitytoken": login.secret}
    return {"auth": login.basic.removeprefix("Basic ")}


def _write_private(path: Path, content: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(content)
