"""Manifests and indexes, in the two families that registries hold: OCI and Docker schema 2."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from compat.images.errors import RegistryError
from compat.images.reference import DIGEST

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_IMAGES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ACCEPT = ", ".join((*_INDEXES, *_IMAGES))
# Reproducible builds write the epoch or the year 1: that is no date.
_FIRST_DATE = datetime(2013, 3, 1, tzinfo=UTC)  # Docker's first release
_Digest = Annotated[str, StringConstraints(pattern=f"^(?:{DIGEST.pattern})$")]
_Size = Annotated[int, Field(ge=0, le=1 << 50)]


class _Platform(BaseModel):
    os: str = ""
    architecture: str = ""
    variant: str = ""


class _Descriptor(BaseModel):
    digest: _Digest
    size: _Size = 0
    platform: _Platform | None = None


class _Body(BaseModel):
    """Both families and both kinds: an index has `manifests`, an image `config` and `layers`."""

    schema_version: int = Field(alias="schemaVersion")
    manifests: list[_Descriptor] | None = Field(default=None, max_length=1000)
    config: _Descriptor | None = None
    layers: list[_Descriptor] = Field(default=[], max_length=1000)


class _Config(BaseModel):
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class Platform:
    """One image of an index; `name` is such as ``linux/amd64``."""

    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says; `size` is in bytes, of an image's layers and configuration."""

    digest: str
    platforms: tuple[Platform, ...] = ()
    config: str | None = None
    size: int = 0


def parse_manifest(content: bytes, where: str) -> Manifest:
    """Read a manifest or an index; `where` names it in errors.

    Raises:
        RegistryError: it is neither.
    """
    try:
        body = _Body.model_validate_json(content)
    except ValidationError:
        raise RegistryError(f"{where}: the answer is no manifest") from None
    digest = digest_of(content)
    if body.manifests is not None:
        # BuildKit's attestations stand in the index as images of the platform unknown/unknown.
        named = [(_platform(one.platform), one.digest) for one in body.manifests]
        platforms = (Platform(*one) for one in named if not one[0].startswith("unknown"))
        return Manifest(digest, tuple(platforms))
    if body.schema_version != 2 or body.config is None:
        raise RegistryError(
            f"{where}: is a manifest of Docker's schema 1, whose digest no copy keeps"
        )
    size = body.config.size + sum(layer.size for layer in body.layers)
    return Manifest(digest, config=body.config.digest, size=size)


def parse_created(content: bytes) -> datetime | None:
    """Return when an image was made, by its configuration; None where that holds no real date."""
    try:
        created = _Config.model_validate_json(content).created
    except ValidationError:
        return None
    if created is None:
        return None
    created = created if created.tzinfo else created.replace(tzinfo=UTC)
    return created if created >= _FIRST_DATE else None


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of these bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def check_digest(content: bytes, digest: str, where: str) -> None:
    """Raise RegistryError where these bytes are not what the digest says."""
    found = digest_of(content, digest.partition(":")[0])
    if found != digest:
        raise RegistryError(
            f"{where}: the registry answers {found} where {digest} was asked for; something "
            "changed it on the way, or the registry is broken"
        )


def _platform(given: _Platform | None) -> str:
    if given is None:
        return "any"
    words = [word for word in (given.os, given.architecture, given.variant) if word]
    # A stranger's text: only what a platform's name may hold gets through.
    return re.sub(r"[^A-Za-z0-9._/-]", "?", "/".join(words))[:64] or "any"
