"""Answers that no honest registry gives, and honest ones that want patience."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from compat.cli import main
from compat.images import transport
from compat.images.authority import Authority
from compat.images.credentials import Login
from compat.images.errors import DeniedError, RegistryError, UnreachableError
from compat.images.manifest import parse_created, parse_manifest
from compat.images.reference import Repository
from compat.images.registry import Registry
from compat.images.transport import Transport

Reply = tuple[int, dict[str, str], bytes]
NAME = "nvidia/tensorrt"
MANIFEST = json.dumps(
    {"schemaVersion": 2, "config": {"digest": "sha256:" + "0" * 64, "size": 2}, "layers": []}
).encode()
DIGEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()


@dataclass
class Stranger:
    """A server that answers what the test says, and keeps what it was asked."""

    host: str
    replies: dict[str, Callable[[], Reply]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    method: str = ""

    def reply(self, path: str, body: bytes = b"", status: int = 200, **headers: str) -> None:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.replies[path] = lambda: (status, named, body)

    def answers(self, path: str) -> Reply:
        if path in self.replies:
            return self.replies[path]()
        return (200, {}, b"{}") if path == "/v2/" else (404, {}, b"")

    @property
    def repository(self) -> Repository:
        return Repository("http", self.host, NAME)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_args: object) -> None:
        return None

    def do_GET(self) -> None:
        stranger = self.server.stranger
        stranger.method = self.command
        stranger.asked.append((self.path, self.headers.get("Authorization")))
        status, headers, body = stranger.answers(self.path.partition("?")[0])
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            with suppress(ConnectionError):  # of one who has read enough
                self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815


class _Server(ThreadingHTTPServer):
    stranger: Stranger


@contextmanager
def listening() -> Iterator[Stranger]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.stranger = Stranger(f"127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.stranger
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def two() -> Iterator[tuple[Stranger, Stranger]]:
    with ExitStack() as stack:
        yield stack.enter_context(listening()), stack.enter_context(listening())


@pytest.fixture
def stranger(two: tuple[Stranger, Stranger]) -> Stranger:
    return two[0]


def registry(login: Login | None = None) -> Registry:
    sender = Transport()
    return Registry(sender, Authority(sender, lambda _repository: login))


LOGIN = Login("keeper", "s3cret-word", "a test")
TAGS = f"/v2/{NAME}/tags/list"


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"", b"[]", b'{"tags": [1]}', b'{"tags": ["\x1b[31mred"]}', b'{"tags": ["a b"]}',
     b'{"tags": ["../../etc"]}', b"[" * 100_000],
    ids=range(8),
)  # fmt: skip
def test_what_is_no_list_of_tags(body: bytes, stranger: Stranger) -> None:
    stranger.reply(TAGS, body)

    with pytest.raises(RegistryError, match="list of tags") as caught:
        registry().tags(stranger.repository)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"schemaVersion": 1, "fsLayers": []}', b'{"schemaVersion": 2}']
)
def test_what_is_no_manifest(body: bytes, stranger: Stranger) -> None:
    stranger.reply(f"/v2/{NAME}/manifests/a", body)

    with pytest.raises(RegistryError, match="manifest"):
        registry().manifest(stranger.repository, "a")


def test_another_manifest_than_the_digest_says(stranger: Stranger) -> None:
    """The bytes count, not what the server says of them."""
    wanted = "sha256:" + "a" * 64
    stranger.reply(f"/v2/{NAME}/manifests/{wanted}", MANIFEST, Docker_Content_Digest=wanted)
    stranger.reply(f"/v2/{NAME}/manifests/tag", MANIFEST, Docker_Content_Digest=wanted)

    for reference in (wanted, "tag"):
        with pytest.raises(RegistryError, match=f"answers {DIGEST} where {wanted}"):
            registry().manifest(stranger.repository, reference)


def test_a_registry_that_states_no_digest(stranger: Stranger) -> None:
    stranger.reply(f"/v2/{NAME}/manifests/a", MANIFEST)

    assert registry().digest(stranger.repository, "a") == DIGEST


def test_a_registry_that_knows_no_head(stranger: Stranger) -> None:
    path = f"/v2/{NAME}/manifests/a"
    stranger.replies[path] = lambda: (405 if stranger.method == "HEAD" else 200, {}, MANIFEST)

    assert registry().digest(stranger.repository, "a") == DIGEST


@pytest.mark.parametrize("length", [(1 << 22) + 1, 1 << 25])
def test_a_huge_answer_is_not_read_to_its_end(length: int, stranger: Stranger) -> None:
    stranger.reply(TAGS, b" " * length)

    with pytest.raises(RegistryError, match="larger than"):
        registry().tags(stranger.repository)


def test_an_answer_that_trickles(stranger: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes in time and the whole never would."""
    monkeypatch.setattr(transport, "_ANSWER_S", 0.0)
    stranger.reply(TAGS, b'{"tags": []}')

    with pytest.raises(RegistryError, match="took longer"):
        registry().tags(stranger.repository)


def test_pages_in_circles(stranger: Stranger) -> None:
    stranger.reply(TAGS, b'{"tags": ["a"]}', Link=f'<{TAGS}?n=100>; rel="next"')

    with pytest.raises(RegistryError, match="circles"):
        registry().tags(stranger.repository)


def test_pages_at_another_host(two: tuple[Stranger, Stranger]) -> None:
    """The login would go along."""
    stranger, other = two
    stranger.reply(TAGS, b'{"tags": []}', Link=f'<http://{other.host}{TAGS}>; rel="next"')

    with pytest.raises(RegistryError, match="another host"):
        registry().tags(stranger.repository)
    assert other.asked == []


def test_a_login_follows_no_redirect_to_another_host(two: tuple[Stranger, Stranger]) -> None:
    """Blobs lie in other stores, and their address is signed; the login is not theirs."""
    stranger, other = two
    stranger.replies[TAGS] = lambda: (
        (307, {"Location": f"http://{other.host}/store"}, b"")
        if stranger.asked[-1][1]
        else (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")
    )
    other.reply("/store", b'{"tags": ["a"]}')

    assert registry(LOGIN).tags(stranger.repository) == ["a"]
    assert stranger.asked[-1][1] == LOGIN.basic
    assert other.asked == [("/store", None)]


def test_a_challenge_after_a_redirect_gets_no_login(two: tuple[Stranger, Stranger]) -> None:
    stranger, other = two
    stranger.reply(TAGS, status=307, Location=f"http://{other.host}/store")
    other.reply("/store", status=401, WWW_Authenticate='Basic realm="give"')

    with pytest.raises(DeniedError):
        registry(LOGIN).tags(stranger.repository)
    assert [header for _, header in other.asked] == [None]


def test_redirects_without_end(two: tuple[Stranger, Stranger]) -> None:
    stranger, other = two
    stranger.reply(TAGS, status=302, Location=f"http://{other.host}/back")
    other.reply("/back", status=302, Location=f"http://{stranger.host}{TAGS}")

    with pytest.raises(RegistryError, match="redirects"):
        registry().tags(stranger.repository)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[broken", "ftp://x/y"])
def test_redirects_to_nowhere(location: str, stranger: Stranger) -> None:
    stranger.reply(TAGS, status=302, Location=location)

    with pytest.raises(RegistryError, match="redirects to"):
        registry().tags(stranger.repository)


@pytest.mark.parametrize(
    "realm", ["http://token.example.org/", "file:///x", "", "https://", "http://[x"]
)
def test_a_token_server_without_tls_gets_no_login(realm: str, stranger: Stranger) -> None:
    """The registry speaks TLS, so a plain realm would give the login away."""
    sender = Transport()
    authority = Authority(sender, lambda _repository: LOGIN)
    asked = Repository("https", "registry.example.org", NAME)

    with pytest.raises(RegistryError, match="no login was sent"):
        authority.answer(asked, [f'Bearer realm="{realm}",service="x"'], None)
    assert stranger.asked == []


@pytest.mark.parametrize("body", [b"{}", b"x", b'{"token": ""}', b'{"token": "a\\r\\nHost: b"}'])
def test_a_token_that_is_none(body: bytes, two: tuple[Stranger, Stranger]) -> None:
    stranger, other = two
    challenge = f'Bearer realm="http://{other.host}/token"'
    stranger.reply(TAGS, status=401, WWW_Authenticate=challenge)
    other.reply("/token", body)

    with pytest.raises(RegistryError, match="holds no token"):
        registry().tags(stranger.repository)


def test_a_token_that_is_never_enough(two: tuple[Stranger, Stranger]) -> None:
    stranger, other = two
    stranger.reply(TAGS, status=401, WWW_Authenticate=f'Bearer realm="http://{other.host}/t"')
    other.reply("/t", b'{"token": "abc"}')

    with pytest.raises(DeniedError):
        registry(LOGIN).tags(stranger.repository)
    assert len(stranger.asked) <= 3


def test_an_expired_token_is_fetched_where_the_first_was(
    two: tuple[Stranger, Stranger],
) -> None:
    """nvcr.io names another realm then, and anonymous readers get nothing there."""
    stranger, other = two
    valid = ["first"]
    other.replies["/first"] = lambda: (200, {}, json.dumps({"token": valid[0]}).encode())
    other.reply("/second", status=403)

    def answer() -> Reply:
        sent = stranger.asked[-1][1]
        if sent == f"Bearer {valid[0]}":
            return 200, {}, b'{"tags": ["a"]}'
        realm = f"http://{other.host}/" + ("second" if sent else "first")
        return 401, {"WWW-Authenticate": f'Bearer realm="{realm}",error="invalid_token"'}, b""

    stranger.replies[TAGS] = answer
    client = registry()

    assert client.tags(stranger.repository) == ["a"]
    valid[0] = "next"
    assert client.tags(stranger.repository) == ["a"]
    scope = "?scope=repository%3Anvidia%2Ftensorrt%3Apull"
    assert [path for path, _ in other.asked] == [f"/first{scope}"] * 2


def test_a_busy_registry_is_waited_for(stranger: Stranger) -> None:
    """429 with Retry-After, then the answer."""
    answers: Iterator[Reply] = iter(
        [(429, {"Retry-After": "1"}, b""), (200, {}, b'{"tags": ["a"]}')]
    )
    stranger.replies[TAGS] = lambda: next(answers)
    started = time.monotonic()

    assert registry().tags(stranger.repository) == ["a"]
    assert 1.0 <= time.monotonic() - started < 3.0


@pytest.mark.parametrize("after", ["3600", "99999999999999999999", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_registry_that_asks_for_hours_is_left(after: str, stranger: Stranger) -> None:
    stranger.reply(TAGS, status=429, Retry_After=after)
    started = time.monotonic()

    with pytest.raises(UnreachableError, match="answers 429 and asks to wait"):
        registry().tags(stranger.repository)
    assert time.monotonic() - started < 2.0


def test_one_that_is_down_is_not_asked_for_every_image(stranger: Stranger) -> None:
    stranger.reply(TAGS, status=429, Retry_After="3600")
    client = registry()

    for _ in range(5):
        with pytest.raises(UnreachableError):
            client.tags(stranger.repository)
    assert len(stranger.asked) == 1


def test_ctrl_c_does_not_wait_for_a_silent_registry() -> None:
    """It is told after two seconds that something is going on, and it ends at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        words = ["images", "status", "--repository", NAME, "--upstream", place]
        process = subprocess.Popen(
            [sys.executable, "-m", "compat", *words], stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        first = process.stderr.readline()

        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, rest = process.communicate(timeout=20)

    assert first == "asked 0 of 1 lists of tags\n"
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert time.monotonic() - started < 5


def test_a_proxy_is_used_but_for_this_machine(
    two: tuple[Stranger, Stranger], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy, near = two
    monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
    monkeypatch.setenv("no_proxy", "")
    far = Repository("http", "registry.example.org", NAME)
    proxy.reply(f"http://{far.host}{TAGS}", b'{"tags": ["far"]}')
    near.reply(TAGS, b'{"tags": ["near"]}')

    assert registry().tags(far) == ["far"]
    assert registry().tags(near.repository) == ["near"]
    assert len(proxy.asked) == 1


def test_a_web_server_is_no_registry(stranger: Stranger) -> None:
    """Its 404 does not mean that an image is missing."""
    stranger.reply("/v2/", b"not here", status=404)

    with pytest.raises(RegistryError, match="no registry"):
        registry().tags(stranger.repository)


@pytest.mark.parametrize("status", [500, 418, 302])
def test_other_statuses_are_no_evidence(
    status: int, stranger: Stranger, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger.reply(TAGS, b"\x1b[2Jprose", status=status)

    assert main(["images", "status", "--repository", NAME, "--upstream", stranger.host]) == 4

    out = capsys.readouterr().out
    assert f"answers {status}" in out
    assert "prose" not in out


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.just(DIGEST),
        lambda inner: st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["schemaVersion", "manifests", "config", "layers", "digest", "size", "platform",
                 "os", "architecture", "created"]
            ),
            inner,
            max_size=6,
        ),
        max_leaves=20,
    )
)  # fmt: skip
@example({"schemaVersion": 2, "config": {"digest": DIGEST, "size": 10**400}})
@example({"created": "9999-12-31T23:59:59.999999999-23:59"})
def test_any_json_is_read_or_refused(content: object) -> None:
    """Never another error, and never a text that a terminal would obey."""
    try:
        encoded = json.dumps(content).encode()
    except ValueError:
        return
    parse_created(encoded)
    try:
        manifest = parse_manifest(encoded, "a place")
    except RegistryError:
        return
    assert all(platform.name.isprintable() for platform in manifest.platforms)
