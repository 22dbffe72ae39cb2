"""Compressed bundles: small, the same each time, read by whatever Python the far machine has."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
import zstandard

from compat.bundle import compress, parts, run, unzstd
from compat.bundle.parts import Member
from compat.bundle.run import WrongError
from compat.bundle.stored import StoredWheel
from compat.errors import UserError

SIZE = 100_000
OLD = sorted((Path.home() / ".pyenv" / "versions").glob("3.8.*/bin/python3.8"))
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def _noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


def _wheel(path: Path, files: dict[str, bytes], date: int = 2020) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (date, 1, 1, 0, 0, 0))
            info.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def _joined(wheel: StoredWheel) -> bytes:
    return b"".join(wheel.blocks())


def _source() -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("compat/__init__.py"))
    return raw.getvalue()


@dataclass
class Bundle:
    """A compressed bundle of two versions of a wheel, a model, the source and far.json."""

    home: Path
    members: dict[str, list[Member]]

    def write(self, to: str, seen: parts.Seen = lambda _name, _count: None) -> dict[str, Any]:
        """Write the parts to a folder and return the manifest."""
        folder = self.home / to
        folder.mkdir(exist_ok=True)
        plain, *groups = self.members.values()
        made = compress.write(plain, groups, folder, SIZE, seen)
        made["zstd"] |= {"decoder": plain[0].name, "interpreter": None}
        return {"python": HERE, **made}

    def unpack(self, manifest: dict[str, Any], to: str = "bundle") -> Path:
        """Unpack it as run.py does and return the work folder."""
        work = self.home / "far"
        work.mkdir(exist_ok=True)
        wanted = argparse.Namespace(work=str(work), parts=[str(self.home / to)])
        run.unpack(manifest, wanted)
        return work


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of zstandard for this Python, as this Python has it."""
    package = Path(zstandard.__file__).parent
    names = ("__init__.py", *(path.name for path in package.glob("backend_c*.so")))
    files = {f"zstandard/{name}": (package / name).read_bytes() for name in names}
    return _wheel(tmp_path_factory.mktemp("decoder") / "zstandard.whl", files)


@pytest.fixture(name="bundle")
def _bundle(tmp_path: Path, decoder: Path) -> Bundle:
    library = _noise(1, 300_000)
    first = _wheel(tmp_path / "net-1.0.whl", {"net/lib.so": library, "net/a.py": b"1\n"})
    second = _wheel(tmp_path / "net-1.1.whl", {"net/lib.so": b"new" + library})
    model = tmp_path / "net.onnx"
    model.write_bytes(_noise(2, 300_000))
    return Bundle(
        tmp_path,
        {
            "plain": [
                Member("decoder/zstandard.whl", decoder),
                Member("decoder/unzstd.py", Path(unzstd.__file__)),
            ],
            "wheels": [Member(f"wheels/{one.name}", StoredWheel(one)) for one in (first, second)],
            "made": [Member("models/net/net.onnx", model)],
            "last": [Member("source.tar.gz", _source()), Member("far.json", b"{}")],
        },
    )


@pytest.fixture(autouse=True)
def _fresh_decoder() -> Iterator[None]:
    """Let each test import the decoder of its own bundle, as a new process does."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    sys.modules.pop("unzstd", None)


def _alone(monkeypatch: pytest.MonkeyPatch, python: str) -> None:
    """Leave one Python on the machine."""
    monkeypatch.setattr(sys, "executable", python)
    monkeypatch.setenv("PATH", "/nowhere")


def test_a_stored_wheel_holds_the_same_files(tmp_path: Path) -> None:
    files = {"net/lib.so": bytes(3_000_000), "net/ä.py": b"x = 1\n", "net/empty.py": b""}
    wheel = StoredWheel(_wheel(tmp_path / "net-1.0.whl", {**files, "net/big.so": b"no"}))
    less = StoredWheel(wheel.path, frozenset({"net/big.so"}))

    with zipfile.ZipFile(io.BytesIO(_joined(less))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        modes = {i.filename: i.external_attr >> 16 for i in archive.infolist()}
        assert {i.compress_type for i in archive.infolist()} == {zipfile.ZIP_STORED}
    assert modes["net/lib.so"] == 0o755
    assert less.size == len(_joined(less))
    assert wheel.size == len(_joined(wheel))


def test_a_file_of_over_four_gigabytes_has_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As TensorRT's largest library may have one day; zip says such sizes elsewhere."""
    files = {"net/huge.so": bytes(5_000), "net/small.py": b"1\n"}
    wheel = _wheel(tmp_path / "net-1.0.whl", files)
    plain = StoredWheel(wheel).size
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1_000)  # so that 5 kB are beyond it

    stored = StoredWheel(wheel)

    assert stored.size == len(_joined(stored)) > plain
    with zipfile.ZipFile(io.BytesIO(_joined(stored))) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_a_stored_wheel_is_the_same_whenever_it_was_made(tmp_path: Path) -> None:
    old = StoredWheel(_wheel(tmp_path / "old.whl", {"net/lib.so": b"code"}, date=1999))
    new = StoredWheel(_wheel(tmp_path / "new.whl", {"net/lib.so": b"code"}, date=2026))

    assert _joined(old) == _joined(new)


def test_a_damaged_wheel_is_named_with_the_way_out(tmp_path: Path) -> None:
    path = _wheel(tmp_path / "net-1.0.whl", {"net/lib.so": _noise(1, 100_000)})
    content = bytearray(path.read_bytes())
    content[50_000] ^= 1
    path.write_bytes(content)

    with pytest.raises(UserError, match=r"net-1\.0\.whl is no whole wheel.*delete it"):
        _joined(StoredWheel(path))


def test_what_is_unpacked_is_what_was_packed(bundle: Bundle) -> None:
    """Two versions of a wheel take the room of one, and every file has the manifest's digest."""
    manifest = bundle.write("bundle")

    work = bundle.unpack(manifest)

    for member in manifest["members"]:
        content = (work / member["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == member["sha256"]
    with zipfile.ZipFile(work / "wheels" / "net-1.1.whl") as wheel:
        assert wheel.read("net/lib.so") == b"new" + _noise(1, 300_000)
    assert manifest["bytes"] - manifest["zstd"]["start"] < 610_000
    assert sorted(path.name for path in (work / "decoder").glob("*[!_]")) == [
        "unzstd.py",
        "zstandard.whl",
    ]


def test_a_change_of_the_code_changes_the_last_parts_only(bundle: Bundle) -> None:
    before = bundle.write("before")["parts"]
    bundle.members["last"] = [
        Member("source.tar.gz", _noise(3, 50_000)),
        Member("far.json", b"{...}"),
    ]

    after = bundle.write("after")["parts"]

    same = [p["sha256"] == q["sha256"] for p, q in zip(before, after, strict=False)]
    assert len(same) >= 7
    assert all(same[:-1])


def test_a_changed_model_leaves_the_wheels_parts_as_they_are(bundle: Bundle) -> None:
    before = bundle.write("before")
    model = bundle.home / "net.onnx"
    model.write_bytes(_noise(4, 500_000))

    after = bundle.write("after")["parts"]

    reach = (before["zstd"]["start"] + 300_000) // SIZE
    assert reach >= 5
    assert before["parts"][:reach] == after[:reach]


def test_the_number_of_threads_changes_nothing(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine makes the same bundle."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    one = bundle.write("one")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)

    assert bundle.write("five") == one


def _forged(bundle: Bundle, manifest: dict[str, Any], content: bytes) -> None:
    """Put other bytes into the parts, and their digests into the manifest."""
    shutil.rmtree(bundle.home / "bundle")
    (bundle.home / "bundle").mkdir()
    with parts.PartWriter(bundle.home / "bundle", SIZE) as sink:
        sink.write(content)
    manifest["parts"] = sink.parts


def _content(bundle: Bundle) -> bytearray:
    paths = sorted((bundle.home / "bundle").iterdir())
    return bytearray(b"".join(path.read_bytes() for path in paths))


@pytest.mark.parametrize("harm", ["changed", "cut"])
def test_a_broken_stream_in_whole_parts_is_told(bundle: Bundle, harm: str) -> None:
    manifest = bundle.write("bundle")
    content = _content(bundle)
    middle = manifest["zstd"]["start"] + 200_000
    if harm == "changed":
        content[manifest["zstd"]["start"]] ^= 0xFF
    _forged(bundle, manifest, bytes(content[:middle] if harm == "cut" else content))

    with pytest.raises(WrongError, match=r"the parts are whole, but .* create the bundle again"):
        bundle.unpack(manifest)

    assert not (bundle.home / "far" / run.MARK).exists()


def test_an_interrupted_unpacking_goes_on(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of the compressed part; nothing of it is left that disturbs."""
    manifest = bundle.write("bundle")
    write_member = run._write_member

    def interrupt(stream: IO[bytes], member: dict[str, Any], work: str) -> None:
        if member["name"].startswith("models/"):
            raise KeyboardInterrupt
        write_member(stream, member, work)

    with monkeypatch.context() as patched:
        patched.setattr(run, "_write_member", interrupt)
        with pytest.raises(KeyboardInterrupt):
            bundle.unpack(manifest)
    assert not (bundle.home / "far" / run.MARK).exists()

    work = bundle.unpack(manifest)

    assert (work / "models/net/net.onnx").read_bytes() == _noise(2, 300_000)


def test_no_python_that_can_decode_is_told_with_the_ways_out(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = bundle.write("bundle")
    _alone(monkeypatch, "/bin/false")

    with pytest.raises(WrongError) as caught:
        bundle.unpack(manifest)

    for way in (f"start run.py with Python {HERE}", f"--interpreter {HERE}", "--compress none"):
        assert way in str(caught.value)


def test_the_interpreter_that_came_along_decodes_where_no_other_can(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where an old Python starts a bundle that was made with --interpreter."""
    archive = bundle.home / "python.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        link = tarfile.TarInfo("bin/python")
        link.type, link.linkname = tarfile.SYMTYPE, sys.executable
        packed.addfile(link)
    bundle.members["plain"].append(Member("interpreters/python.tar.gz", archive))
    manifest = bundle.write("bundle")
    manifest["zstd"]["interpreter"] = {
        "archive": "interpreters/python.tar.gz",
        "python": "bin/python",
    }
    _alone(monkeypatch, "/bin/false")

    work = bundle.unpack(manifest)

    assert (work / "far.json").read_text() == "{}"


@pytest.mark.skipif(not OLD, reason="needs a Python 3.8")
def test_an_old_python_lets_the_right_one_decode(bundle: Bundle) -> None:
    """The one that the bundle was made for need not be the one that starts run.py."""
    manifest = bundle.write("bundle")
    manifest["python"] = "2026.1"
    (bundle.home / "python2026.1").symlink_to(getattr(sys, "_base_executable", ""))
    arguments = [Path(run.__file__).parent, bundle.home / "far", bundle.home / "bundle"]
    program = (
        "import sys, json, argparse; sys.path.insert(0, sys.argv[1]); import run\n"
        "wanted = argparse.Namespace(work=sys.argv[2], parts=sys.argv[3:])\n"
        "run.unpack(json.load(sys.stdin), wanted)"
    )

    (bundle.home / "far").mkdir()
    subprocess.run(
        [OLD[0], "-I", "-B", "-c", program, *arguments],
        env={"PATH": str(bundle.home)},
        input=json.dumps(manifest),
        text=True,
        check=True,
    )

    assert (bundle.home / "far" / "far.json").read_text() == "{}"


@pytest.mark.parametrize("moment", ["wheels/net-1.1.whl", "far.json"])
def test_ctrl_c_leaves_no_parts(bundle: Bundle, moment: str) -> None:
    def interrupt(name: str, _count: int) -> None:
        if name == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bundle.write("bundle", interrupt)

    assert list((bundle.home / "bundle").iterdir()) == []


def test_long_packing_is_told_and_short_packing_is_not() -> None:
    now, said = 0.0, list[str]()
    progress = parts.Progress(80_000_000, said.append, lambda: now)

    for second in range(14):
        now = float(second)
        progress("wheels/net-1.0.whl", 5_000_000)

    assert said == [
        "10.0 MB of 80.0 MB packed: now wheels/net-1.0.whl",
        "60.0 MB of 80.0 MB packed: now wheels/net-1.0.whl",
    ]


def test_list_says_how_much_memory_unpacking_takes(bundle: Bundle) -> None:
    known = {"made_by": "a test", "summary": ["one target"]}
    manifest = {**known, **bundle.write("bundle")}
    folder = bundle.home / "bundle"
    (folder / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(run.__file__, folder / "run.py")

    listed = subprocess.run(
        [sys.executable, "-I", folder / "run.py", "--list"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "compressed: unpacking takes 1.0 MB of memory" in listed.stdout
