"""Asking both sides: which tags, which digests, and since when. Facts only, no judgement."""

from __future__ import annotations

import fnmatch
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from compat.images.authority import Authority
from compat.images.credentials import Login, find_login
from compat.images.errors import ImagesError, RegistryError
from compat.images.manifest import Manifest, Platform
from compat.images.reference import Repository
from compat.images.registry import Registry
from compat.images.route import Pair, Pin, Side
from compat.images.transport import Transport

_WORKERS = 4
_TELL_EVERY_S = 2.0
# cosign's signatures, attestations and SBOMs lie beside the images as tags.
_SIGNATURES = "sha256-*"
_S = TypeVar("_S")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked about one repository: tags by pattern, and what targets pin."""

    pair: Pair
    patterns: tuple[str, ...] = ()
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """One tag on one side; without a digest the tag is not there, with an error nobody knows."""

    digest: str | None = None
    error: str | None = None
    platforms: tuple[Platform, ...] = ()
    created: datetime | None = None
    size: int = 0

    def holds(self, digest: str) -> bool:
        """Whether this is the tag's digest, or that of one of its platforms."""
        return digest == self.digest or any(digest == one.digest for one in self.platforms)


@dataclass(frozen=True, slots=True)
class Row:
    """One tag (none: pinned by digest alone) of one repository on both sides.

    `digests` says of every pinned digest whether each side has it; None where nobody knows, and
    `errors` why.
    """

    pair: Pair
    tag: str | None
    upstream: Seen | None
    mirror: Seen | None
    pins: tuple[Pin, ...] = ()
    digests: dict[str, dict[Side, bool | None]] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    def on(self, side: Side) -> Seen | None:
        """Return what was seen on one side."""
        return self.upstream if side == "upstream" else self.mirror

    @property
    def name(self) -> str:
        """The image as a person writes it, without a registry."""
        return f"{self.pair.name}:{self.tag}" if self.tag else self.pair.name


@dataclass(frozen=True, slots=True)
class Survey:
    """All that was seen; `unasked` are the lists of tags that could not be had."""

    rows: tuple[Row, ...]
    unasked: tuple[str, ...] = ()


class Surveyor:
    """Asks registries, each through a client of its own for each side."""

    def __init__(self, ca: Path | None, say: Callable[[str], None]) -> None:
        self._transport = Transport(ca)
        self._registries: dict[tuple[Side, str], Registry] = {}
        self._logins: dict[tuple[Side, Repository], Login | None] = {}
        self._lock = threading.Lock()
        self._say = say

    def registry(self, side: Side, repository: Repository) -> Registry:
        """Return the client for a side's registry."""
        with self._lock:
            key = (side, repository.host)
            if key not in self._registries:
                authority = Authority(self._transport, lambda asked: self.login(side, asked))
                self._registries[key] = Registry(self._transport, authority)
            return self._registries[key]

    def login(self, side: Side, repository: Repository) -> Login | None:
        """Return the login for a repository, looked up once."""
        key = (side, repository)
        if key not in self._logins:
            self._logins[key] = find_login(repository, side)
        return self._logins[key]

    def survey(self, wishes: Sequence[Wish]) -> Survey:
        """Ask everything that is wished, a few questions at a time.

        Raises:
            ImagesError: a file with logins cannot be read, or a pattern matches no tag at all.
        """
        lists = [(wish, side) for wish in wishes for side in _sides(wish.pair) if wish.patterns]
        listed = self._each(lists, lambda one: self._tags(*one), "lists of tags")
        unasked = tuple(tags for tags in listed if isinstance(tags, str))
        tags: dict[Pair, set[str]] = {}
        for (wish, _), found in zip(lists, listed, strict=True):
            if not isinstance(found, str):
                tags.setdefault(wish.pair, set()).update(_matching(found, wish.patterns))
        if lists and not unasked and not any(tags.values()):
            raise _nothing_there(lists, any(listed))
        questions = [
            question for wish in wishes for question in _questions(wish, tags.get(wish.pair, ()))
        ]
        rows = self._each(questions, lambda one: self._row(*one), "images")
        return Survey(tuple(rows), unasked)

    def has(self, side: Side, repository: Repository, digest: str) -> bool:
        """Whether a digest is there now; raises RegistryError where nobody knows."""
        return self.registry(side, repository).manifest(repository, digest) is not None

    def points_at(self, side: Side, repository: Repository, tag: str) -> str | None:
        """Return a tag's digest, counted from the manifest's bytes."""
        found = self.registry(side, repository).manifest(repository, tag)
        return found.digest if found else None

    def _each(self, things: Sequence[_S], ask: Callable[[_S], _T], what: str) -> list[_T]:
        """Ask about each thing, in order of `things`; tell how far it is every two seconds.

        The threads are daemons: one that waits for a silent registry does not hold up Ctrl-C.
        """
        answers: list[Future[_T]] = [Future() for _ in things]
        todo = iter(zip(things, answers, strict=True))
        taking = threading.Lock()

        def work() -> None:
            while not self._transport.stopped.is_set():
                with taking:
                    thing, answer = next(todo, (None, None))
                if thing is None or answer is None:
                    return
                try:
                    answer.set_result(ask(thing))
                except BaseException as error:
                    answer.set_exception(error)

        for _ in range(min(_WORKERS, len(things))):
            threading.Thread(target=work, daemon=True).start()
        waiting, told = set(answers), time.monotonic()
        try:
            while waiting:
                done, waiting = wait(waiting, _TELL_EVERY_S, FIRST_COMPLETED)
                for one in done:
                    one.result()
                if waiting and time.monotonic() - told >= _TELL_EVERY_S:
                    told = time.monotonic()
                    self._say(f"asked {len(answers) - len(waiting)} of {len(answers)} {what}")
        except BaseException:
            self._transport.stopped.set()
            raise
        return [one.result() for one in answers]

    def _tags(self, wish: Wish, side: Side) -> list[str] | str:
        repository = _there(wish.pair, side)
        try:
            return self.registry(side, repository).tags(repository)
        except RegistryError as error:
            return str(error)

    def _row(self, pair: Pair, tag: str | None, pinned: tuple[Pin, ...]) -> Row:
        """Ask for a tag's digests; for its manifests only where something is pinned or differs."""
        errors: dict[str, None] = {}
        digests = {
            digest: {side: self._holds(side, pair, digest, errors) for side in _sides(pair)}
            for digest in sorted({pin.image.digest for pin in pinned if pin.image.digest})
        }
        seen: dict[Side, Seen] = {}
        if tag is not None:
            seen = {side: self._digest(side, _there(pair, side), tag) for side in _sides(pair)}
            found = {one.digest for one in seen.values()} | set(digests)
            differs = len(found) > 1
            for side, one in seen.items():
                if one.digest and (pinned or differs):
                    seen[side] = self._detail(side, _there(pair, side), one.digest, dates=differs)
        errors |= {one.error: None for one in seen.values() if one.error}
        up, mirror = seen.get("upstream"), seen.get("mirror")
        return Row(pair, tag, up, mirror, pinned, digests, tuple(errors))

    def _holds(self, side: Side, pair: Pair, digest: str, errors: dict[str, None]) -> bool | None:
        try:
            return self.has(side, _there(pair, side), digest)
        except RegistryError as error:
            errors[str(error)] = None
            return None

    def _digest(self, side: Side, repository: Repository, tag: str) -> Seen:
        try:
            return Seen(self.registry(side, repository).digest(repository, tag))
        except RegistryError as error:
            return Seen(error=str(error))

    def _detail(self, side: Side, repository: Repository, digest: str, *, dates: bool) -> Seen:
        registry = self.registry(side, repository)
        try:
            manifest = registry.manifest(repository, digest) or Manifest(digest)
        except RegistryError as error:
            return Seen(error=str(error))
        try:
            created, size = registry.details(repository, manifest) if dates else (None, 0)
        except RegistryError:
            created, size = None, 0  # the digest stands; only its age stays unknown
        return Seen(digest, None, manifest.platforms, created, size)


def _nothing_there(lists: Sequence[tuple[Wish, Side]], has_tags: bool) -> ImagesError:
    """Tell a pattern that fits no tag from a repository that is not there."""
    if not has_tags:
        places = sorted({str(_there(wish.pair, side)) for wish, side in lists})
        return ImagesError(f"{' and '.join(places)}: there is no such repository, or it is empty")
    names = sorted({wish.pair.name for wish, _ in lists})
    return ImagesError(
        f"{' and '.join(names)}: no tag matches {' or '.join(lists[0][0].patterns)}; "
        "patterns are those of a shell, such as '25.*-py3'"
    )


def _sides(pair: Pair) -> Iterator[Side]:
    if pair.upstream is not None:
        yield "upstream"
    if pair.mirror is not None:
        yield "mirror"


def _there(pair: Pair, side: Side) -> Repository:
    repository = pair.on(side)
    assert repository is not None
    return repository


def _matching(tags: Iterable[str], patterns: Sequence[str]) -> Iterator[str]:
    for tag in tags:
        hits = [pattern for pattern in patterns if fnmatch.fnmatchcase(tag, pattern)]
        if hits and (hits != ["*"] or not fnmatch.fnmatchcase(tag, _SIGNATURES)):
            yield tag


def _questions(
    wish: Wish, tags: Iterable[str]
) -> Iterator[tuple[Pair, str | None, tuple[Pin, ...]]]:
    """Yield the rows to ask for: the pinned images first, then the other tags, newest name last."""
    pinned: dict[str | None, list[Pin]] = {}
    for pin in wish.pins:
        pinned.setdefault(pin.image.tag, []).append(pin)
    for tag, those in pinned.items():
        yield wish.pair, tag, tuple(those)
    for tag in sorted(set(tags) - pinned.keys()):
        yield wish.pair, tag, ()
