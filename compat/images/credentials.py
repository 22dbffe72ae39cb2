"""Logins: from the environment, from Podman's and Docker's files, from Docker's helpers.

Files as containers-auth.json(5) and Docker's config.json describe them; the more exact key wins
(``host/namespace`` before ``host``). A secret is never part of a message or of a repr.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compat.images.errors import ImagesError
from compat.images.reference import Repository

_HELPER_S = 30.0
_HUB_KEY = "https://index.docker.io/v1/"
# A helper says so by this user name (docker/docker-credential-helpers).
_IDENTITY = "<token>"


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a secret; with `identity` the secret is an OAuth refresh token."""

    user: str
    secret: str = field(repr=False)
    source: str
    identity: bool = False

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        pair = f"{self.user}:{self.secret}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


def find_login(
    repository: Repository, side: str, environment: Mapping[str, str] = os.environ
) -> Login | None:
    """Return the login for a repository, None where nobody stored one.

    Args:
        repository: what is to be read.
        side: ``upstream`` or ``mirror``: TRT_COMPAT_{SIDE}_USER and _PASSWORD come first.
        environment: the variables.

    Raises:
        ImagesError: a file or a helper cannot be used.
    """
    prefix = f"TRT_COMPAT_{side.upper()}"
    user = environment.get(f"{prefix}_USER")
    secret = environment.get(f"{prefix}_PASSWORD")
    if user and secret:
        return Login(user, secret, f"{prefix}_USER")
    if user or secret:
        raise ImagesError(f"set both {prefix}_USER and {prefix}_PASSWORD, or neither")
    if repository.host == "nvcr.io" and environment.get("NGC_API_KEY"):
        return Login("$oauthtoken", environment["NGC_API_KEY"], "NGC_API_KEY")
    for path in _files(environment):
        if _is_there(path) and (found := _from_file(path, repository, environment)):
            return found
    return None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files in the order in which Podman and skopeo look."""
    home = Path(environment.get("HOME") or Path.home())
    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"])
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    yield config / "containers" / "auth.json"
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"


def _is_there(path: Path) -> bool:
    """A home that this user may not enter (`sudo -u` keeps HOME) has no login for it."""
    try:
        return path.is_file()
    except OSError:
        return False


def _from_file(path: Path, repository: Repository, environment: Mapping[str, str]) -> Login | None:
    try:
        content = json.loads(path.read_bytes())
        entries = {_plain(key): value for key, value in (content.get("auths") or {}).items()}
        helpers = {_plain(key): str(v) for key, v in (content.get("credHelpers") or {}).items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        # The parser's own words may quote a secret.
        raise ImagesError(
            f"{path}: cannot be read as a file of logins; log in again with podman or docker"
        ) from None
    for key in _keys(repository):
        entry = entries.get(key)
        if entry and (found := _from_entry(path, key, entry)) is not None:
            return found
    helper = helpers.get(repository.host) or content.get("credsStore")
    return _ask_helper(path, str(helper), repository, environment) if helper else None


def _keys(repository: Repository) -> Iterator[str]:
    words = repository.name.split("/")
    for count in range(len(words), 0, -1):
        yield "/".join([repository.host, *words[:count]])
    yield repository.host


def _plain(key: str) -> str:
    """Return a key without the scheme and API version that Docker once wrote into it."""
    bare = re.sub(r"/v[12]/?$", "", re.sub(r"^https?://", "", key)).rstrip("/")
    return {"index.docker.io": "docker.io"}.get(bare, bare)


def _from_entry(path: Path, key: str, entry: Any) -> Login | None:
    if not isinstance(entry, dict):
        raise ImagesError(f"{path}: the entry {key} is no table; log in again")
    user, secret = str(entry.get("username") or ""), str(entry.get("password") or "")
    if entry.get("auth"):
        try:
            pair = base64.b64decode(str(entry["auth"]), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise ImagesError(f"{path}: the entry {key} is broken; log in again") from None
        user, _, secret = pair.strip("\x00").partition(":")
    if entry.get("identitytoken"):
        return Login(user, str(entry["identitytoken"]), str(path), identity=True)
    return Login(user, secret, str(path)) if user and secret else None


def _ask_helper(
    path: Path, helper: str, repository: Repository, environment: Mapping[str, str]
) -> Login | None:
    """Ask a credential helper, as Docker does: the registry on its input, JSON on its output."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", helper):
        raise ImagesError(f"{path}: {helper!r} is no name of a credential helper")
    program = f"docker-credential-{helper}"
    server = _HUB_KEY if repository.host == "docker.io" else repository.host
    try:
        done = subprocess.run(
            [program, "get"],
            input=server.encode(),
            capture_output=True,
            timeout=_HELPER_S,
            check=False,
            env=dict(environment),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImagesError(
            f"{path}: names the helper {program}, which cannot be asked ({type(error).__name__}); "
            "install it, or set TRT_COMPAT_UPSTREAM_USER and _PASSWORD (or ..._MIRROR_...)"
        ) from None
    if done.returncode:
        if b"credentials not found" in done.stdout + done.stderr:
            return None
        raise ImagesError(f"{path}: the helper {program} fails with code {done.returncode}")
    try:
        said = json.loads(done.stdout)
        user, secret = str(said["Username"]), str(said["Secret"])
    except (ValueError, KeyError, TypeError):
        raise ImagesError(f"{path}: the helper {program} answers with no login") from None
    return Login("" if user == _IDENTITY else user, secret, program, identity=user == _IDENTITY)
