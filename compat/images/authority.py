"""Being let in: Basic and Bearer challenges, as the distribution project's token specification.

https://distribution.github.io/distribution/spec/auth/token/ and .../oauth/
"""

from __future__ import annotations

import re
import threading
import urllib.parse
from collections.abc import Callable

from pydantic import BaseModel, ValidationError

from compat.images.credentials import Login
from compat.images.errors import DeniedError, RegistryError
from compat.images.reference import Repository, loopback
from compat.images.transport import Request, Transport, origin

_SCHEMES = re.compile(r"\b(Basic|Bearer)\b", re.IGNORECASE)
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))')
_TOKEN = re.compile(r"[\x21-\x7e]{1,65536}")
_TOKEN_LIMIT = 1 << 18


class _Answer(BaseModel):
    token: str | None = None
    access_token: str | None = None


class Authority:
    """What one registry was told about us; one header per repository, kept for the next request."""

    def __init__(self, transport: Transport, login: Callable[[Repository], Login | None]) -> None:
        self._transport = transport
        self._login = login
        self._headers: dict[Repository, str] = {}
        self._challenges: dict[Repository, tuple[str, dict[str, str]]] = {}
        self._lock = threading.Lock()

    def header(self, repository: Repository) -> str | None:
        """Return the Authorization to send now, None before the first challenge."""
        return self._headers.get(repository)

    def answer(self, repository: Repository, challenges: list[str], used: str | None) -> None:
        """Meet a challenge, so that `header` is a new one.

        Args:
            repository: what is to be read.
            challenges: the WWW-Authenticate headers of a 401.
            used: the header that was refused.

        Raises:
            DeniedError: there is no other way to be let in.
            RegistryError: the token server cannot be used.
        """
        with self._lock:
            if self._headers.get(repository) != used:
                return  # another thread has just done it
            # nvcr.io names another token server once a token has expired, which lets nobody in
            # who has no login (github.com/NVIDIA/nvidia-container-toolkit/issues/1945).
            scheme, parameters = self._challenges.setdefault(repository, _challenge(challenges))
            login = self._login(repository)
            if scheme == "bearer":
                header = "Bearer " + self._token(repository, parameters, login)
            elif scheme == "basic" and login is not None and not login.identity:
                header = login.basic
            else:
                header = ""
            if not header or (header == used and scheme == "basic"):
                raise refusal(repository, login)
            self._headers[repository] = header

    def refused(self, repository: Repository) -> DeniedError:
        """The error of an answer that lets nobody in."""
        return refusal(repository, self._login(repository))

    def _token(
        self, repository: Repository, parameters: dict[str, str], login: Login | None
    ) -> str:
        realm = parameters.get("realm", "")
        _check_realm(repository, realm)
        # Never more than reading, whatever scope the registry proposes; nvcr.io has no service.
        fields = {"scope": f"repository:{repository.name}:pull"}
        if parameters.get("service"):
            fields["service"] = parameters["service"]
        request = _token_request(realm, fields, login)
        answer = self._transport.send(request)
        if answer.status in (400, 401, 403):
            raise refusal(repository, login)
        if answer.status != 200:
            raise RegistryError(f"{origin(realm)}: the token server answers {answer.status}")
        try:
            said = _Answer.model_validate_json(answer.body)
        except ValidationError:
            said = _Answer()
        token = said.token or said.access_token or ""
        if not _TOKEN.fullmatch(token):
            raise RegistryError(f"{origin(realm)}: the token server's answer holds no token")
        return token


def refusal(repository: Repository, login: Login | None) -> DeniedError:
    """What to say where a registry lets us not in; also its way to say that nothing is there."""
    if login is None:
        way = (
            f"there is no login for {repository.host}: use podman login or docker login, or set "
            "TRT_COMPAT_UPSTREAM_USER and TRT_COMPAT_UPSTREAM_PASSWORD (MIRROR likewise)"
        )
    else:
        way = f"it refuses the login of {login.source}"
    return DeniedError(f"{repository}: the registry lets nobody in, or has no such name; {way}")


def _challenge(headers: list[str]) -> tuple[str, dict[str, str]]:
    """Return the best challenge: Bearer before Basic."""
    found: dict[str, dict[str, str]] = {}
    for header in headers:
        marks = [*_SCHEMES.finditer(_without_strings(header))]
        for mark, after in zip(marks, [*marks[1:], None], strict=True):
            part = header[mark.end() : after.start() if after else len(header)]
            pairs = {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PAIR.finditer(part)}
            found.setdefault(mark[1].lower(), pairs)
    for scheme in ("bearer", "basic"):
        if scheme in found:
            return scheme, found[scheme]
    return "", {}


def _without_strings(header: str) -> str:
    """Blank what stands in quotes, at the same length: a realm may be called "Basic"."""
    return re.sub(r'"(?:[^"\\]|\\.)*"', lambda match: " " * len(match[0]), header)


def _check_realm(repository: Repository, realm: str) -> None:
    """The realm gets the login: never over plain HTTP that the user did not choose."""
    try:
        parts = urllib.parse.urlsplit(realm)
    except ValueError:
        parts = urllib.parse.urlsplit("")
    plain = parts.scheme == "http" and (repository.scheme == "http" or loopback(parts.netloc))
    if not parts.netloc or not (parts.scheme == "https" or plain):
        raise RegistryError(
            f"{repository}: its token server is no HTTPS address; no login was sent there"
        )


def _token_request(realm: str, fields: dict[str, str], login: Login | None) -> Request:
    if login is not None and login.identity:
        form = fields | {
            "grant_type": "refresh_token",
            "client_id": "trt-compat",
            "refresh_token": login.secret,
        }
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode(form).encode()
        return Request("POST", realm, kind, body, limit=_TOKEN_LIMIT)
    query = urllib.parse.urlencode(fields)
    url = realm + ("&" if "?" in realm else "?") + query
    headers = {"Authorization": login.basic} if login is not None else {}
    return Request("GET", url, headers, limit=_TOKEN_LIMIT)
