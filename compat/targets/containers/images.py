"""What an image's name stands for on this machine, and fetching it where that is allowed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compat.targets import process
from compat.targets.containers.engine import Engine, Trouble, last_line
from compat.targets.spec import Image, Progress

# An NGC image is 3 to 9 GB compressed.
_PULL_LIMIT_S = 3 * 3600.0
# NVIDIA's entrypoint puts the driver's forward compatibility libraries in place and then runs its
# arguments; any other one may do what it likes with them.
_NVIDIA = "/opt/nvidia/"


@dataclass(frozen=True, slots=True)
class Found:
    """An image on this machine.

    id: the digest of its configuration, which is what runs. digests: all that it may be pinned by,
    the one to write down first. entrypoint: kept in front of what is run.
    """

    id: str
    digests: tuple[str, ...]
    entrypoint: bool

    @property
    def digest(self) -> str:
        """The digest to write into the configuration."""
        return self.digests[0]


def find(engines: Sequence[Engine], image: Image) -> tuple[Engine, Found] | Trouble:
    """Return the engine that has an image, and the image; or why it cannot be used."""
    moved: Trouble | None = None
    for engine in engines:
        if (found := _inspect(engine, image)) is not None:
            trouble = _moved(engine, image, found)
            if trouble is None:
                return engine, found
            moved = moved or trouble
    if moved is not None:
        return moved
    others = f" (nor has {', '.join(e.kind for e in engines[1:])})" if engines[1:] else ""
    message = (
        f"{engines[0].kind} has no image {image.name}{others}: run "
        f"`{engines[0].kind} pull {reference(image)}`, or write pull = true into [containers]"
    )
    return Trouble("image-missing", message)


def reference(image: Image) -> str:
    """Return the name to pull: by digest where one is pinned, since the tag may have moved."""
    name = image.name.partition("@")[0]
    if image.digest is None:
        return image.name
    head, _, last = name.rpartition("/")
    bare = last.partition(":")[0]
    return f"{f'{head}/' if head else ''}{bare}@{image.digest}"


def pull(
    engine: Engine, image: Image, *, target: str, log: Path, progress: Progress
) -> Trouble | None:
    """Fetch an image, telling every 20 s that it goes on; all that the engine says is in the log.

    A digest is fetched by digest and then given the tag's name: the tag itself may stand for
    another image by now.
    """
    progress(f"{target}: pulling {reference(image)} with {engine.kind}")
    deadline = time.monotonic() + _PULL_LIMIT_S

    def run(*arguments: str) -> process.Outcome:
        return process.run(
            [str(engine.program), *arguments],
            log=log,
            deadline=deadline,
            env=os.environ,
            beat=lambda seconds: progress(f"{target}: still pulling ({seconds:.0f} s)"),
        )

    outcome = run("pull", reference(image))
    if outcome.code == 0 and image.digest is not None and "@" not in image.name:
        outcome = run("tag", reference(image), image.name)
    if outcome.code == 0 and not outcome.timed_out:
        return None
    words = "no end in 3 hours" if outcome.timed_out else last_line(outcome.output)
    text = f"{engine.kind} cannot pull {reference(image)} ({words}); all of it: {log}"
    return Trouble("image-missing", text)


def _inspect(engine: Engine, image: Image) -> Found | None:
    found = engine.inspect("image", image.name)
    if not found:
        return None
    row = found[0]
    identity = "sha256:" + str(row["Id"]).removeprefix("sha256:")
    named = [str(one) for one in row.get("RepoDigests") or ()]
    # Of several repositories that hold this image, the one it is asked for by comes first.
    repository = reference(Image(image.name, "sha256:")).partition("@")[0]
    named.sort(key=lambda one: not f"/{one.partition('@')[0]}".endswith(f"/{repository}"))
    digests = [one.partition("@")[2] for one in named] + [str(row.get("Digest") or ""), identity]
    entrypoint: list[str] = (row.get("Config") or {}).get("Entrypoint") or []
    is_nvidias = bool(entrypoint) and entrypoint[0].startswith(_NVIDIA)
    return Found(identity, tuple(dict.fromkeys(d for d in digests if d)), is_nvidias)


def _moved(engine: Engine, image: Image, found: Found) -> Trouble | None:
    if image.digest is None or image.digest in found.digests:
        return None
    message = (
        f"{image.name} is pinned to {image.digest} and stands for {found.digest} now: fetch the "
        f"pinned one (`{engine.kind} pull {reference(image)}`) and tag it, or accept the new one "
        f'with digest = "{found.digest}"'
    )
    return Trouble("digest-moved", message)
