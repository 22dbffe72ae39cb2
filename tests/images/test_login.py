"""Who is let in: Basic and Bearer at real registries, and every place where logins are kept."""

from __future__ import annotations

import base64
import json
import shutil
import stat
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from compat.cli import main
from compat.images.authority import Authority
from compat.images.credentials import Login, find_login
from compat.images.errors import ImagesError
from compat.images.reference import Repository, parse_repository
from compat.images.registry import Registry
from compat.images.transport import Transport
from tests.images.doorman import REFRESH, Doorman, make_certificate, standing
from tests.images.shelf import PASSWORD, REGISTRY, USER, Shelf, running

AUTH = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
NGC = parse_repository("nvcr.io/nvidia/tensorrt")
needs_registry = pytest.mark.skipif(
    REGISTRY is None, reason="docker-registry is not installed (Debian's package docker-registry)"
)
needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not installed"
)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[tuple[Shelf, Doorman]]:
    """A registry that sends everybody to a token server first."""
    with standing(tmp_path / "door") as doorman:
        auth = (
            f"auth: {{token: {{realm: '{doorman.url}', service: shelf, issuer: doorman, "
            f"rootcertbundle: {doorman.certificate}}}}}\n"
        )
        with running(tmp_path / "registry", auth, ready=401) as shelf:
            yield shelf, doorman


def keep(name: str, content: dict[str, Any]) -> Path:
    path = Path.home() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def status(*words: str) -> int:
    return main(["images", "status", "--repository", "nvidia/tensorrt", *words])


@pytest.fixture
def locked(guarded: Shelf) -> Shelf:
    """The guarded registry with one image in it."""
    with_login = {"Authorization": f"Basic {AUTH}"}
    guarded.image("nvidia/tensorrt", "1", headers=with_login)
    return guarded


@needs_registry
def test_the_right_password_by_variables(
    locked: Shelf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRT_COMPAT_UPSTREAM_USER", USER)
    monkeypatch.setenv("TRT_COMPAT_UPSTREAM_PASSWORD", PASSWORD)

    assert status("--upstream", locked.host) == 0
    assert "nvidia/tensorrt:1" in capsys.readouterr().out


@needs_registry
def test_the_right_password_from_podmans_file(locked: Shelf) -> None:
    keep(".config/containers/auth.json", {"auths": {locked.host: {"auth": AUTH}}})

    assert status("--upstream", locked.host) == 0


@needs_registry
@pytest.mark.parametrize("password", [None, "another-word"])
def test_without_the_right_password_there_is_no_evidence(
    password: str | None,
    locked: Shelf,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if password:
        monkeypatch.setenv("TRT_COMPAT_UPSTREAM_USER", USER)
        monkeypatch.setenv("TRT_COMPAT_UPSTREAM_PASSWORD", password)

    assert status("--upstream", locked.host, "--tags", "1") == 4

    said = "".join(capsys.readouterr())
    assert ("refuses the login of TRT_COMPAT_UPSTREAM_USER" in said) is (password is not None)
    assert "another-word" not in said


@needs_registry
@needs_openssl
def test_a_token_is_fetched_once_for_a_repository(door: tuple[Shelf, Doorman]) -> None:
    """Four questions at a time meet the challenge; one of them goes for the token."""
    shelf, doorman = door
    token = doorman.token("repository:nvidia/tensorrt:pull,push", USER)
    for tag in "abcd":
        shelf.image("nvidia/tensorrt", tag, tag, headers={"Authorization": f"Bearer {token}"})
    repository = Repository("http", shelf.host, "nvidia/tensorrt")
    login = Login(USER, PASSWORD, "a test")
    sender = Transport()
    client = Registry(sender, Authority(sender, lambda _repository: login))
    together = threading.Barrier(4)

    def ask(tag: str) -> str | None:
        together.wait(10)
        return client.digest(repository, tag)

    with ThreadPoolExecutor(4) as pool:
        digests = list(pool.map(ask, "abcd"))

    assert len(set(digests) - {None}) == 4
    assert doorman.asked == ["GET repository:nvidia/tensorrt:pull"]


@needs_registry
@needs_openssl
def test_an_identity_token_is_traded_for_a_token(door: tuple[Shelf, Doorman]) -> None:
    """What `docker login` keeps where the server gives such tokens."""
    shelf, doorman = door
    token = doorman.token("repository:nvidia/tensorrt:pull,push", USER)
    shelf.image("nvidia/tensorrt", "1", headers={"Authorization": f"Bearer {token}"})
    keep(
        ".docker/config.json",
        {"auths": {shelf.host: {"auth": "", "identitytoken": REFRESH}}},
    )

    assert status("--upstream", shelf.host) == 0
    assert doorman.asked == ["POST repository:nvidia/tensorrt:pull"]


@needs_registry
@needs_openssl
def test_a_token_server_that_refuses_is_no_evidence(
    door: tuple[Shelf, Doorman], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its own words stay out of the terminal."""
    assert status("--upstream", door[0].host, "--tags", "1") == 4

    said = "".join(capsys.readouterr())
    assert "there is no login for" in said
    assert "\x1b[31m" not in said


@needs_registry
@needs_openssl
def test_a_certificate_of_ones_own_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_certificate(tmp_path, "tls", "localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    tls = f"  tls: {{certificate: {tmp_path}/tls.pem, key: {tmp_path}/tls.key}}\n"
    with running(tmp_path / "registry", http=tls, ca=tmp_path / "tls.pem") as shelf:
        shelf.image("nvidia/tensorrt", "1")
        call = ["--upstream", f"https://{shelf.host}", "--tags", "1"]

        trusted = status(*call, "--ca", f"{tmp_path}/tls.pem")
        capsys.readouterr()
        stranger = status(*call)
        said = capsys.readouterr().out
        monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/tls.pem")
        by_variable = status(*call)

    assert (trusted, stranger, by_variable) == (0, 4, 0)
    assert "its certificate is not trusted" in said


@pytest.mark.parametrize(
    ("content", "user"),
    [
        ({"auths": {"nvcr.io": {"auth": AUTH}}}, USER),
        ({"auths": {"https://nvcr.io/v2/": {"auth": AUTH}}}, USER),
        ({"auths": {"nvcr.io": {"username": "plain", "password": "x"}}}, "plain"),
        ({"auths": {"nvcr.io/nvidia": {"auth": AUTH}, "nvcr.io": {"auth": "eDp5"}}}, USER),
        ({"auths": {"nvcr.io/other": {"auth": AUTH}}}, None),
        ({"auths": {"nvcr.io": {}}}, None),
        ({}, None),
    ],
)
def test_keys_of_a_file(content: dict[str, Any], user: str | None) -> None:
    keep(".docker/config.json", content)

    login = find_login(NGC, "upstream")

    assert (login.user if login else None) == user


def test_dockers_old_key_for_its_hub() -> None:
    keep(".docker/config.json", {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}})

    assert find_login(parse_repository("alpine"), "upstream") is not None


def test_the_key_of_ngc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NGC_API_KEY", "nvapi-secret")

    login = find_login(NGC, "upstream")

    assert login is not None
    assert login.user == "$oauthtoken"
    assert find_login(parse_repository("example.org/a/b"), "upstream") is None


def test_a_secret_is_in_no_repr() -> None:
    assert "nvapi" not in repr(Login("user", "nvapi-secret", "a file"))


@pytest.mark.parametrize("content", ["{", "[]", '{"auths": 1}', '{"auths": {"nvcr.io": "s3cret"}}'])
def test_a_broken_file_is_named_and_not_quoted(content: str) -> None:
    path = keep(".docker/config.json", {})
    path.write_text(content, encoding="utf-8")

    with pytest.raises(ImagesError, match=r"config\.json") as caught:
        find_login(NGC, "upstream")
    assert "s3cret" not in str(caught.value)


def test_half_a_login_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRT_COMPAT_MIRROR_USER", USER)

    with pytest.raises(ImagesError, match="TRT_COMPAT_MIRROR_PASSWORD"):
        find_login(NGC, "mirror")


def _helper(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "docker-credential-vault"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    "content", [{"credHelpers": {"nvcr.io": "vault"}}, {"credsStore": "vault", "auths": {}}]
)
def test_a_helper_is_asked(
    content: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(".docker/config.json", content)
    script = '[ "$1 $(cat)" = "get nvcr.io" ] && echo \'{"Username": "u", "Secret": "s"}\''
    _helper(tmp_path, script, monkeypatch)

    login = find_login(NGC, "upstream")

    assert login == Login("u", "s", "docker-credential-vault")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'the secret is s3cret' >&2; exit 3", "fails with code 3"),
        ("echo s3cret", "answers with no login"),
        (None, "cannot be asked"),
    ],
)
def test_a_helper_that_fails_is_named(
    script: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(".docker/config.json", {"credHelpers": {"nvcr.io": "vault"}})
    if script:
        _helper(tmp_path, script, monkeypatch)

    with pytest.raises(ImagesError, match=said) as caught:
        find_login(NGC, "upstream")
    assert "docker-credential-vault" in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_helper_without_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker's helpers say so in these words, and then nobody is logged in."""
    keep(".docker/config.json", {"credsStore": "vault"})
    _helper(tmp_path, "echo 'credentials not found in native keychain'; exit 1", monkeypatch)

    assert find_login(NGC, "upstream") is None


def test_a_home_that_may_not_be_entered_has_no_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo -u` keeps HOME; root may enter every folder, so the refusal is played."""

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    repository = parse_repository("registry.example.com/net")

    assert find_login(repository, "upstream", {"HOME": str(tmp_path)}) is None
