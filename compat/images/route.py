"""Where an image lies upstream and in the mirror, and which images the targets pin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from compat.images.errors import ImagesError
from compat.images.reference import (
    DIGEST,
    Image,
    Place,
    Repository,
    is_qualified,
    parse_image,
    parse_repository,
)

Side = Literal["upstream", "mirror"]


@dataclass(frozen=True, slots=True)
class Pin:
    """The image of one target; `home` is the side that it is pulled from."""

    target: str
    image: Image
    home: Side


@dataclass(frozen=True, slots=True)
class Pair:
    """One repository on both sides."""

    name: str
    upstream: Repository | None
    mirror: Repository | None

    def on(self, side: Side) -> Repository | None:
        """Return the repository of one side."""
        return self.upstream if side == "upstream" else self.mirror


@dataclass(frozen=True, slots=True)
class Route:
    """The two places."""

    upstream: Place | None = None
    mirror: Place | None = None

    def __post_init__(self) -> None:
        """Refuse a mirror of itself: it would lack nothing, ever."""
        if self.upstream is not None and str(self.upstream) == str(self.mirror):
            raise ImagesError(f"{self.upstream}: upstream and mirror are the same; name two places")

    def pair(self, repository: Repository) -> tuple[Pair, Side]:
        """Return both sides of a repository, and on which of them it stands as written.

        A name below the mirror is the upstream's below its place, and the other way round. Without
        an upstream every image's own registry is the upstream. An image that lies below neither of
        two named places has no mirror.
        """
        if self.mirror and (name := self.mirror.within(repository)):
            upstream = self.upstream.repository(name) if self.upstream else None
            return Pair(name, upstream, self.mirror.repository(name)), "mirror"
        if self.upstream is None:
            mirror = self.mirror.repository(repository.name) if self.mirror else None
            return Pair(repository.name, repository, mirror), "upstream"
        if name := self.upstream.within(repository):
            mirror = self.mirror.repository(name) if self.mirror else None
            return Pair(name, self.upstream.repository(name), mirror), "upstream"
        return Pair(str(repository), repository, None), "upstream"

    def named(self, text: str) -> Pair:
        """Return both sides of a repository given by its full name, or below the upstream."""
        if is_qualified(text) or self.upstream is None:
            return self.pair(parse_repository(text))[0]
        name = parse_repository(f"{self.upstream.host}/{text}").name
        return self.pair(self.upstream.repository(name))[0]


def pins(targets: Mapping[str, object], route: Route) -> list[tuple[Pair, Pin]]:
    """Return the images that targets name by their keys `image` and `digest`, each with its pair.

    Images of ``localhost/`` were made on a machine and lie in no registry: they are left out.

    Raises:
        ImagesError: an image or a digest is written wrongly; the text names target and key.
    """
    found = []
    for target, settings in targets.items():
        written: str | None = getattr(settings, "image", None)
        if not written or written.startswith("localhost/"):
            continue
        digest: str | None = getattr(settings, "digest", None)
        try:
            image = parse_image(written)
        except ImagesError as error:
            raise ImagesError(f"targets.{target}.image: {error}") from None
        if digest and not DIGEST.fullmatch(digest):
            raise ImagesError(
                f"targets.{target}.digest: {digest!r} is no digest; it is sha256: and 64 hex digits"
            )
        if digest and image.digest and digest != image.digest:
            raise ImagesError(f"targets.{target}: image and digest name two different digests")
        image = replace(image, digest=digest or image.digest)
        if image.tag is None and image.digest is None:
            image = replace(image, tag="latest")
        pair, home = route.pair(image.repository)
        found.append((pair, Pin(target, image, home)))
    return found
