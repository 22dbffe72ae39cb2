"""HTTP as the hub speaks it: HEAD with linked headers, ranges, redirects to storage."""

from __future__ import annotations

import hashlib
import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from compat.models.errors import ModelError

__all__ = ["Remote", "download", "stat_remote"]

_CHUNK = 1 << 20
_TIMEOUT_S = 30.0
_ATTEMPTS = 4
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Remote:
    """What the hub says of a file; `size` is -1 where it does not say."""

    url: str
    token: str
    size: int
    etag: str
    commit: str


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Let 3xx answers through: the linked headers are on the first answer only."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


class _SafeRedirect(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never carry the token to another host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: object,
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        new = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if new is not None and _host(newurl) != _host(req.full_url):
            new.remove_header("Authorization")
        return new


def stat_remote(url: str, token: str) -> Remote:
    """HEAD; redirects within the hub (a renamed repository) are followed, to storage not."""
    opener = urllib.request.build_opener(_NoRedirect)
    for _ in range(5):
        headers = _head(opener, url, token)
        location = headers.get("Location", "")
        linked = headers.get("X-Linked-Etag") or headers.get("X-Linked-Size")
        if not location or linked or urllib.parse.urlsplit(location).netloc not in {"", _host(url)}:
            break
        url = urllib.parse.urljoin(url, location)
    size = headers.get("X-Linked-Size") or headers.get("Content-Length") or "-1"
    if headers.get("Location") and not headers.get("X-Linked-Size"):
        size = "-1"  # the length of the redirect, not of the file
    etag = (headers.get("X-Linked-Etag") or headers.get("ETag") or "").removeprefix("W/").strip('"')
    commit = headers.get("X-Repo-Commit") or ""
    return Remote(url, token, int(size) if size.isdigit() else -1, etag, commit)


def download(remote: Remote, target: Path, expected: str, progress: Callable[[str], None]) -> str:
    """Fetch to `target` (resuming a part of the same etag), verify, and return the SHA-256."""
    part = target.with_name(f"{target.name}.{_part_name(remote)}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_all(remote, part, progress)
        found = _verified(remote, part, expected)
        part.replace(target)
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(
            "cannot-write", f"{target}: cannot be written ({error.strerror or error})."
        ) from error
    return found


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc


def _part_name(remote: Remote) -> str:
    return hashlib.sha256(f"{remote.url} {remote.etag}".encode()).hexdigest()[:12]


def _request(url: str, token: str, method: str, start: int = 0) -> urllib.request.Request:
    headers = {"User-Agent": "trt-compat", "Accept-Encoding": "identity"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if start:
        headers["Range"] = f"bytes={start}-"
    return urllib.request.Request(url, headers=headers, method=method)  # noqa: S310


def _head(opener: urllib.request.OpenerDirector, url: str, token: str) -> http.client.HTTPMessage:
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise ModelError(
            "hub-endpoint", f"{url}: the endpoint must begin with http:// or https://."
        )
    try:
        with opener.open(_request(url, token, "HEAD"), timeout=_TIMEOUT_S) as answer:
            found: http.client.HTTPMessage = answer.headers
            return found
    except urllib.error.HTTPError as error:
        if error.code in _REDIRECTS:
            error.close()
            return _headers(error)
        raise _refusal(url, error) from None
    except (
        urllib.error.URLError,
        TimeoutError,
        ConnectionError,
        http.client.HTTPException,
    ) as error:
        raise _offline(url, error) from None


def _headers(error: urllib.error.HTTPError) -> http.client.HTTPMessage:
    headers = error.headers
    assert isinstance(headers, http.client.HTTPMessage), "urllib's parser makes no other kind"
    return headers


def _fetch_all(remote: Remote, part: Path, progress: Callable[[str], None]) -> None:
    """Try a few times, each from where the last one stopped."""
    for attempt in range(_ATTEMPTS):
        start = part.stat().st_size if part.exists() else 0
        if start == remote.size:
            return
        if start > remote.size >= 0:
            part.unlink()
        try:
            _fetch_some(remote, part, progress)
        except urllib.error.HTTPError as error:
            raise _refusal(remote.url, error) from None
        except (
            urllib.error.URLError,
            TimeoutError,
            ConnectionError,
            http.client.HTTPException,
        ) as error:
            if attempt + 1 == _ATTEMPTS:
                raise _offline(remote.url, error) from None
            time.sleep(0.2 * 2**attempt)
            continue
        if remote.size < 0 or part.stat().st_size >= remote.size:
            return
    raise ModelError(
        "hub-incomplete",
        f"{remote.url}: the connection ended early {_ATTEMPTS} times "
        f"({part.stat().st_size:,} of {remote.size:,} bytes). "
        "Run the same command again: it goes on there.",
    )


def _fetch_some(remote: Remote, part: Path, progress: Callable[[str], None]) -> None:
    start = part.stat().st_size if part.exists() else 0
    opener = urllib.request.build_opener(_SafeRedirect)
    request = _request(remote.url, remote.token, "GET", start)
    with opener.open(request, timeout=_TIMEOUT_S) as answer:
        resumed = start > 0 and answer.status == http.HTTPStatus.PARTIAL_CONTENT
        done, told = (start if resumed else 0), time.monotonic()
        with part.open("ab" if resumed else "wb") as stream:
            while chunk := answer.read(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                if time.monotonic() - told > 1.0:
                    told = time.monotonic()
                    progress(_amount(done, remote.size))
    progress(_amount(done, remote.size))


def _amount(done: int, size: int) -> str:
    total = f" of {size / 1e6:.1f}" if size >= 0 else ""
    return f"{done / 1e6:.1f}{total} MB"


def _verified(remote: Remote, part: Path, expected: str) -> str:
    with part.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if expected and found != expected:
        part.unlink()
        raise ModelError(
            "hub-digest",
            f"{remote.url}: the file has SHA-256 {found[:16]}..., expected {expected[:16]}...; "
            "it was thrown away. The file on the hub changed, or something between changed it.",
        )
    return found


def _refusal(url: str, error: urllib.error.HTTPError) -> ModelError:
    error.close()
    if error.code in {401, 403}:
        return ModelError(
            "hub-denied",
            f"{url}: the hub answers {error.code}: the repository is private or gated, or does not "
            "exist. Set HF_TOKEN to a token that may read it.",
        )
    if error.code == 404:
        return ModelError(
            "hub-missing",
            f"{url}: the hub has no such file (404); check repository, revision and file name.",
        )
    return ModelError("hub-error", f"{url}: the hub answers {error.code} {error.reason}.")


def _offline(url: str, error: Exception) -> ModelError:
    why = getattr(error, "reason", None) or error
    return ModelError(
        "hub-offline",
        f"{url}: cannot be reached ({why}). Fetch where there is a network and copy the models "
        "folder, or set HF_ENDPOINT to a mirror.",
    )
