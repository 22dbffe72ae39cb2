"""Names of registries, repositories and images, and which of two registries a name belongs to.

The grammar is the OCI distribution specification's (name, tag, digest) with Docker's way to write
it: the first word is a registry if it holds a dot or a colon or is ``localhost``, else the image
is Docker Hub's.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from compat.images.errors import ImagesError

_HUB = "docker.io"
_HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:\d{1,5})?")
_WORD = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_WORD}(?:/{_WORD})*")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class Place:
    """A registry, or a part of one under a prefix, where repositories lie."""

    scheme: str
    host: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.host}/{self.prefix}" if self.prefix else self.host

    def repository(self, name: str) -> Repository:
        """Return the repository of this name below the place."""
        return Repository(self.scheme, self.host, f"{self.prefix}/{name}" if self.prefix else name)

    def within(self, repository: Repository) -> str | None:
        """Return the name of a repository below this place, None where it lies elsewhere."""
        if repository.host != self.host:
            return None
        if not self.prefix:
            return repository.name
        inside = repository.name.startswith(f"{self.prefix}/")
        return repository.name[len(self.prefix) + 1 :] if inside else None


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of one registry."""

    scheme: str
    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


@dataclass(frozen=True, slots=True)
class Image:
    """A repository with a tag, a digest or both."""

    repository: Repository
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


def loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine itself."""
    bare = re.sub(r":\d+$", "", host).strip("[]")
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def parse_place(text: str) -> Place:
    """Read ``[http[s]://]HOST[:PORT][/PREFIX]``; plain HTTP only if written so, or on loopback."""
    scheme, _, rest = text.rpartition("://")
    host, _, prefix = rest.strip("/").partition("/")
    if scheme not in ("", "http", "https") or not _is_registry(host):
        raise ImagesError(
            f"{text!r} is no registry: write HOST[:PORT][/PREFIX], such as nvcr.io or "
            "registry.example.com/ngc, with http:// before it where it has no TLS"
        )
    if prefix and not _NAME.fullmatch(prefix):
        raise ImagesError(f"{text!r}: {prefix!r} is no name of repositories (lower case only)")
    return Place(scheme or _scheme(host), host.lower(), prefix)


def parse_repository(text: str) -> Repository:
    """Read ``HOST[:PORT]/NAME``, or ``NAME`` of Docker Hub."""
    host, slash, name = text.partition("/")
    if not slash or not _is_registry(host):
        host, name = _HUB, text
    if host.lower() == _HUB and "/" not in name:
        name = f"library/{name}"
    if not _NAME.fullmatch(name):
        raise ImagesError(
            f"{text!r} is no repository: write REGISTRY/NAME in lower case, such as "
            "nvcr.io/nvidia/tensorrt"
        )
    return Repository(_scheme(host), host.lower(), name)


def parse_image(text: str) -> Image:
    """Read ``REPOSITORY[:TAG][@DIGEST]``."""
    rest, at, digest = text.strip().partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise ImagesError(f"{text!r}: {digest!r} is no digest; it is sha256: and 64 hex digits")
    before, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        before, tag = rest, ""
    elif not TAG.fullmatch(tag):
        raise ImagesError(f"{text!r}: {tag!r} is no tag")
    return Image(parse_repository(before), tag or None, digest or None)


def is_qualified(text: str) -> bool:
    """Whether a repository is written with its registry."""
    return _is_registry(text.partition("/")[0]) and "/" in text


def _is_registry(host: str) -> bool:
    named = "." in host or ":" in host or host.lower() == "localhost"
    return named and _HOST.fullmatch(host) is not None


def _scheme(host: str) -> str:
    return "http" if loopback(host) else "https"
