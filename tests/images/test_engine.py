"""skopeo out of an image, for machines that have an engine and no skopeo."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from compat.cli import main
from tests.images.shelf import SKOPEO, Shelf
from tests.images.test_status import ask

IMAGE = "localhost/skopeo:test"


@pytest.fixture
def podman(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    """Podman with a store of its own, and in it an image of this machine's skopeo."""
    found = shutil.which("podman")
    if not found or not shutil.which("runc") or not SKOPEO:
        pytest.skip("podman, runc and skopeo are not all installed")
    # A path of its own, and short: sockets lie in it.
    tmp_path = tmp_path_factory.mktemp("p")
    (tmp_path / "containers.conf").write_text(
        '[containers]\nlog_driver = "k8s-file"\n'
        'default_ulimits = ["nofile=16384:16384", "nproc=32768:32768"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'tmp_dir = "{tmp_path}/tmp"\n',
        encoding="ascii",
    )
    (tmp_path / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/store"\nrunroot = "{tmp_path}/run"\n',
        encoding="ascii",
    )
    monkeypatch.setenv("CONTAINERS_CONF", str(tmp_path / "containers.conf"))
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(tmp_path / "storage.conf"))
    root = tmp_path / "root"
    listed = subprocess.run(["ldd", SKOPEO], capture_output=True, text=True, check=True).stdout
    files = [SKOPEO, "/etc/containers/policy.json", *re.findall(r"(/\S+) \(0x", listed)]
    for name in files:
        (root / name[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, root / name[1:])
    (root / "var/tmp").mkdir(parents=True)
    packed = subprocess.run(["tar", "-C", str(root), "-c", "."], capture_output=True, check=True)
    words = [found, "import", "-", IMAGE]
    done = subprocess.run(words, input=packed.stdout, capture_output=True, check=False)
    tried = subprocess.run(
        [found, "run", "--rm", "--network", "host", IMAGE, "skopeo", "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or tried.returncode:
        pytest.skip(f"podman runs no container here: {(done.stderr, tried.stderr)}")
    return found


def test_an_engine_copies_by_skopeos_image(
    podman: str,
    upstream: Shelf,
    mirror: Shelf,
    repository: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    digest, _ = upstream.index(repository, "1")
    call = ["--upstream", upstream.host, "--mirror", mirror.host, "--repository", repository]

    code = main(["images", "sync", *call, "--run", "--engine", "podman", "--skopeo-image", IMAGE])

    assert code == 0, capsys.readouterr()
    capsys.readouterr()
    code, said = ask(capsys, *call)
    assert code == 0
    assert said["images"][0]["mirror"]["digest"] == digest
