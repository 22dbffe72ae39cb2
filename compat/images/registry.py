"""The read half of the OCI distribution API: tags, digests, manifests, configurations."""

from __future__ import annotations

import re
import threading
import urllib.parse
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from compat.images.authority import Authority
from compat.images.errors import RegistryError, UnreachableError
from compat.images.manifest import (
    ACCEPT,
    Manifest,
    check_digest,
    parse_created,
    parse_manifest,
)
from compat.images.reference import DIGEST, TAG, Repository
from compat.images.transport import Answer, Request, Transport, origin

_PAGE = 100
_MOST_PAGES = 1000
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')
_HUB_API = "registry-1.docker.io"
_CONFIG_LIMIT = 1 << 23
_MOST_PLATFORMS = 16


class _Tags(BaseModel):
    tags: Annotated[list[str] | None, Field(max_length=100_000)] = None


class Registry:
    """One registry, asked about its repositories; safe to share between threads."""

    def __init__(self, transport: Transport, authority: Authority) -> None:
        self._transport = transport
        self._authority = authority
        self._lock = threading.Lock()
        self._down: UnreachableError | None = None
        self._known = False

    def tags(self, repository: Repository) -> list[str]:
        """Return all tags, in the registry's order; none where it has no such repository.

        Raises:
            RegistryError: it cannot be asked, or answers nonsense.
        """
        url: str | None = f"{_base(repository)}/tags/list?n={_PAGE}"
        found: dict[str, None] = {}
        seen: set[str] = set()
        while url is not None:
            if url in seen or len(seen) >= _MOST_PAGES:
                raise RegistryError(f"{repository}: its list of tags goes in circles")
            seen.add(url)
            answer = self._ask(repository, "GET", url, "application/json")
            if answer.status == 404:
                return list(found)
            for tag in _tags(answer, repository):
                found[tag] = None
            url = _next(answer, url, repository)
        return list(found)

    def digest(self, repository: Repository, tag: str) -> str | None:
        """Return the digest that a tag points at, None where there is no such tag."""
        answer = self._ask(repository, "HEAD", _manifest_url(repository, tag), ACCEPT)
        if answer.status == 404:
            return None
        said = answer.headers.get("Docker-Content-Digest", "")
        if DIGEST.fullmatch(said):
            return str(said)
        found = self.manifest(repository, tag)  # without that header: count it ourselves
        return found.digest if found else None

    def manifest(self, repository: Repository, reference: str) -> Manifest | None:
        """Return the manifest of a tag or digest, checked; None where there is none."""
        where = f"{repository}@{reference}" if ":" in reference else f"{repository}:{reference}"
        answer = self._ask(repository, "GET", _manifest_url(repository, reference), ACCEPT)
        if answer.status == 404:
            return None
        said = answer.headers.get("Docker-Content-Digest", "")
        for wanted in {said, reference}:
            if DIGEST.fullmatch(wanted):
                check_digest(answer.body, wanted, where)
        return parse_manifest(answer.body, where)

    def details(self, repository: Repository, manifest: Manifest) -> tuple[datetime | None, int]:
        """Return when an image was made (of an index: its newest), and its size in bytes."""
        images = [manifest]
        if manifest.config is None:
            children = [
                self.manifest(repository, platform.digest)
                for platform in manifest.platforms[:_MOST_PLATFORMS]
            ]
            images = [child for child in children if child is not None and child.config]
        dates = [self._created(repository, image.config) for image in images if image.config]
        known = [date for date in dates if date is not None]
        return max(known, default=None), sum(image.size for image in images)

    def _created(self, repository: Repository, digest: str) -> datetime | None:
        url = f"{_base(repository)}/blobs/{digest}"
        answer = self._ask(repository, "GET", url, "*/*", limit=_CONFIG_LIMIT)
        if answer.status == 404:
            return None
        check_digest(answer.body, digest, f"{repository}@{digest}")
        return parse_created(answer.body)

    def _ask(
        self, repository: Repository, method: str, url: str, accept: str, limit: int = 1 << 22
    ) -> Answer:
        """Send one request, let in where that is asked for; it is a 200, a 404, or HEAD's 405."""
        if self._down is not None:
            raise self._down
        try:
            answer = self._let_in(repository, method, url, accept, limit)
        except UnreachableError as error:
            self._down = error
            raise
        if answer.status == 404 and not self._known:
            self._look_for_api(repository)
        if answer.status not in (200, 404) and (method, answer.status) != ("HEAD", 405):
            raise RegistryError(f"{repository}: the registry answers {answer.status}")
        self._known = True
        return answer

    def _let_in(
        self, repository: Repository, method: str, url: str, accept: str, limit: int
    ) -> Answer:
        for _ in range(3):
            used = self._authority.header(repository)
            headers = {"Accept": accept} | ({"Authorization": used} if used else {})
            answer = self._transport.send(Request(method, url, headers, limit=limit))
            if answer.status != 401 or origin(answer.url) != origin(url):
                break
            challenges = answer.headers.get_all("WWW-Authenticate") or []
            self._authority.answer(repository, challenges, used)
        if answer.status in (401, 403):
            raise self._authority.refused(repository)
        return answer

    def _look_for_api(self, repository: Repository) -> None:
        """A 404 counts only where a registry speaks: any web server has one for every path."""
        with self._lock:
            if self._known:
                return
            answer = self._transport.send(Request("GET", f"{_root(repository)}/v2/"))
            if answer.status not in (200, 401, 403):
                raise RegistryError(
                    f"{repository.host}: answers {answer.status} at /v2/, so it is no registry"
                )
            self._known = True


def _root(repository: Repository) -> str:
    host = _HUB_API if repository.host == "docker.io" else repository.host
    return f"{repository.scheme}://{host}"


def _base(repository: Repository) -> str:
    return f"{_root(repository)}/v2/{repository.name}"


def _manifest_url(repository: Repository, reference: str) -> str:
    return f"{_base(repository)}/manifests/{reference}"


def _tags(answer: Answer, repository: Repository) -> list[str]:
    try:
        tags = _Tags.model_validate_json(answer.body).tags or []
    except ValidationError:
        raise RegistryError(f"{repository}: the answer is no list of tags") from None
    if any(not TAG.fullmatch(tag) for tag in tags):
        raise RegistryError(f"{repository}: its list of tags holds what can be no tag")
    return tags


def _next(answer: Answer, url: str, repository: Repository) -> str | None:
    """Return the next page's address: of the same registry, since the login goes there."""
    following: str
    for header in answer.headers.get_all("Link") or []:
        if match := _NEXT.search(header):
            try:
                following = urllib.parse.urljoin(url, match[1])
                same = origin(following) == origin(url)
            except ValueError:
                same = False
            if not same:
                raise RegistryError(f"{repository}: its list of tags goes on at another host")
            return following
    return None
