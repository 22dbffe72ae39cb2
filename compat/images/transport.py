"""HTTP towards registries: bounded, patient for a while, and careful with credentials.

Python's urllib does the protocol, proxies and TLS. Every answer comes back whatever its status;
redirects are followed here, because ``Authorization`` must never go to another origin.
"""

from __future__ import annotations

import email.utils
import http.client
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from compat.images.errors import ImagesError, RegistryError, UnreachableError
from compat.images.reference import loopback

_CONNECT_S = 15.0  # of silence on the socket
_ANSWER_S = 60.0  # for one whole answer, against one byte at a time
_WAIT_S = 30.0  # longest wait that a registry may ask for
_TRIES = 3
_REDIRECTS = 5
_MOVED = (301, 302, 303, 307, 308)
_BUSY = (429, 502, 503, 504)
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `url` is where it came from after redirects."""

    url: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `headers` may hold a secret and are never shown."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    limit: int = 1 << 22  # bytes of the answer: what the OCI specification asks of manifests


class Transport:
    """Sends requests; safe to share between threads."""

    def __init__(self, ca: Path | None = None) -> None:
        """Trust the system's authorities (or SSL_CERT_FILE's), and those in `ca`."""
        self.stopped = threading.Event()
        context = ssl.create_default_context()
        if ca is not None:
            try:
                context.load_verify_locations(cafile=ca)
            except (OSError, ssl.SSLError) as error:
                raise ImagesError(
                    f"{ca}: no certificates in PEM form can be read from it ({error}); name the "
                    "file of the authority that signed the registry's certificate"
                ) from None
        self._opener = _opener(context, urllib.request.ProxyHandler())
        self._direct = _opener(context, urllib.request.ProxyHandler({}))

    def send(self, request: Request) -> Answer:
        """Send a request, follow its redirects, and return the last answer.

        Raises:
            UnreachableError: no connection, or the registry stays busy.
            RegistryError: the answer is too large, too slow, or redirects where it must not.
        """
        for _ in range(_REDIRECTS):
            answer = self._patient(request)
            location = answer.headers.get("Location")
            if answer.status not in _MOVED or not location:
                return answer
            request = _redirected(request, location)
        raise RegistryError(f"{origin(request.url)}: more than {_REDIRECTS} redirects")

    def _patient(self, request: Request) -> Answer:
        """Try again where the registry is busy or the connection broke."""
        where = origin(request.url)
        for attempt in range(1, _TRIES + 1):
            try:
                answer = self._once(request)
            except (OSError, http.client.HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                if attempt == _TRIES or isinstance(reason, ssl.SSLError | ConnectionRefusedError):
                    raise UnreachableError(f"{where}: cannot be reached ({_why(reason)})") from None
                wait = 0.3 * 2**attempt
            else:
                if answer.status not in _BUSY:
                    return answer
                wait = _retry_after(answer.headers.get("Retry-After"), 2.0**attempt)
                if attempt == _TRIES or wait > _WAIT_S:
                    raise UnreachableError(
                        f"{where}: answers {answer.status} and asks to wait {wait:.0f} s; try "
                        "again then, or log in: registries allow more to those they know"
                    )
            if self.stopped.wait(wait):
                break
        raise UnreachableError(f"{where}: interrupted")

    def _once(self, request: Request) -> Answer:
        parts = urllib.parse.urlsplit(request.url)
        opener = self._direct if loopback(parts.netloc) else self._opener
        sent = urllib.request.Request(  # noqa: S310 - _redirected and Place allow http(s) alone
            request.url,
            data=request.body,
            method=request.method,
            headers={"User-Agent": "trt-compat", "Accept-Encoding": "identity", **request.headers},
        )
        end = time.monotonic() + _ANSWER_S
        with opener.open(sent, timeout=_CONNECT_S) as got:
            body = b"" if request.method == "HEAD" else self._read(got, request, end)
            return Answer(request.url, got.status, got.headers, body)

    def _read(self, got: http.client.HTTPResponse, request: Request, end: float) -> bytes:
        body = bytearray()
        while piece := got.read1(_PIECE):
            body += piece
            if len(body) > request.limit:
                raise RegistryError(
                    f"{origin(request.url)}: an answer is larger than {request.limit:,} bytes"
                )
            if time.monotonic() > end:
                raise RegistryError(
                    f"{origin(request.url)}: an answer took longer than {_ANSWER_S:.0f} s"
                )
            if self.stopped.is_set():
                raise UnreachableError(f"{origin(request.url)}: interrupted")
        return bytes(body)


def origin(url: str) -> str:
    """Return scheme and host of a URL: its path and query may hold a signature."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _opener(
    context: ssl.SSLContext, proxies: urllib.request.ProxyHandler
) -> urllib.request.OpenerDirector:
    """An opener that raises for no status and follows no redirect by itself."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        proxies,
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=context),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _redirected(request: Request, location: str) -> Request:
    try:
        url = urllib.parse.urljoin(request.url, location)
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        raise RegistryError(f"{origin(request.url)}: redirects to a broken address") from None
    if request.method not in ("GET", "HEAD"):
        raise RegistryError(f"{origin(request.url)}: redirects a request that holds a login")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise RegistryError(f"{origin(request.url)}: redirects to something that is not the web")
    if request.url.startswith("https:") and parts.scheme != "https":
        raise RegistryError(f"{origin(request.url)}: redirects from HTTPS to plain HTTP")
    headers = dict(request.headers)
    if origin(url) != origin(request.url):
        headers.pop("Authorization", None)
    return Request(request.method, url, headers, None, request.limit)


def _retry_after(text: str | None, default: float) -> float:
    """Read Retry-After: seconds, or a date (RFC 9110, 10.2.3)."""
    if text is None:
        return default
    if text.strip().isdecimal():
        return float(min(int(text.strip()[:9]), 86400 * 365))
    try:
        until = email.utils.parsedate_to_datetime(text)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return default


def _why(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {reason.verify_message}; name the authority by --ca"
        )
    if isinstance(reason, ssl.SSLError) and "WRONG_VERSION" in str(reason):
        return "it has no TLS; write http:// before its name if that is meant"
    if isinstance(reason, TimeoutError):
        return f"no answer within {_CONNECT_S:.0f} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror
    return type(reason).__name__
