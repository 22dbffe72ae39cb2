"""A place of its own for each test: no login of this machine, no proxy, no configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.images.shelf import HTPASSWD, REGISTRY, Shelf, running


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins that are found would be sent to the test's registries."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in (
        "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "NGC_API_KEY",
        "TRT_COMPAT_UPSTREAM_USER", "TRT_COMPAT_UPSTREAM_PASSWORD", "TRT_COMPAT_MIRROR_USER",
        "TRT_COMPAT_MIRROR_PASSWORD", "GITHUB_STEP_SUMMARY", "SSL_CERT_FILE",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")


@pytest.fixture(scope="session")
def _two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shelf, Shelf]]:
    """Two registries for the whole session: tests use repositories of their own."""
    if REGISTRY is None:
        pytest.skip("docker-registry is not installed (Debian's package docker-registry)")
    folder = tmp_path_factory.mktemp("registries")
    with running(folder / "up") as upstream, running(folder / "mirror") as mirror:
        yield upstream, mirror


@pytest.fixture
def upstream(_two: tuple[Shelf, Shelf]) -> Shelf:
    return _two[0]


@pytest.fixture
def mirror(_two: tuple[Shelf, Shelf]) -> Shelf:
    return _two[1]


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A registry that wants Basic authentication."""
    if REGISTRY is None:
        pytest.skip("docker-registry is not installed (Debian's package docker-registry)")
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "htpasswd").write_text(HTPASSWD, encoding="ascii")
    auth = f"auth: {{htpasswd: {{realm: shelf, path: {folder}/htpasswd}}}}\n"
    with running(folder / "registry", auth, ready=401) as shelf:
        yield shelf


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository's name that no other test uses."""
    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())
    return f"nvidia/{name.strip('-')}"


@pytest.fixture
def matrix() -> Callable[..., Path]:
    """Write a compat.toml whose targets pin images: name -> (image, digest)."""

    def write(pins: dict[str, tuple[str, str]], images: str = "") -> Path:
        tables = "".join(
            f'[targets."{name}"]\nflavour = "tensorrt"\nversion = "10.3.0.26"\n'
            f'provider = "container"\nimage = "{image}"\ndigest = "{digest}"\n'
            for name, (image, digest) in pins.items()
        )
        path = Path("compat.toml")
        path.write_text(
            f"schema = 1\n{tables}[models.net]\nsource = 'net.onnx'\n[images]\n{images}\n",
            encoding="utf-8",
        )
        return path

    return write
