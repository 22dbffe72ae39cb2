"""The hub's protocol against a stand-in on this machine, and weights from safetensors files."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnx
import pytest

from compat.models import BUILTINS, ModelError, ModelSpec, builtins, prepare
from compat.models.hub import fetch, parse_source, pretrained_table
from compat.models.weights import SafetensorsWeights, SeededWeights

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "org/net"
SOURCE = f"hf:{REPO}@{COMMIT}:onnx/model.onnx"


@dataclass
class Hub:
    """Files by path; `cut` drops the connection once after so many bytes."""

    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    cut: int = 0
    lfs: bool = True
    token: str = ""
    url: str = ""

    def add(self, file: str, content: bytes, repo: str = REPO, revision: str = COMMIT) -> None:
        self.files[f"/{repo}/resolve/{revision}/{file}"] = content


class HubServer(ThreadingHTTPServer):
    """The stand-in, with what it holds."""

    hub: Hub


class Handler(BaseHTTPRequestHandler):
    """Answers as the hub does: HEAD headers, a redirect to storage, ranges."""

    server: HubServer

    def log_message(self, *_args: object) -> None:
        return None

    def answer(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.hub.requests.append((self.command, self.path, headers))
        path = self.path.removeprefix("/storage")
        if (
            self.server.hub.token
            and headers.get("authorization") != f"Bearer {self.server.hub.token}"
        ):
            return self.plain(401)
        if path not in self.server.hub.files:
            return self.plain(404)
        if path == self.path:
            return self.redirect(path, self.server.hub.files[path])
        return self.content(self.server.hub.files[path], headers.get("range", ""))

    do_HEAD = do_GET = answer  # noqa: N815

    def plain(self, code: int) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def redirect(self, path: str, content: bytes) -> None:
        self.send_response(302)
        self.send_header("Location", f"/storage{path}")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("X-Linked-Size", str(len(content)))
        digest = hashlib.sha256(content).hexdigest() if self.server.hub.lfs else "a" * 40
        self.send_header("X-Linked-Etag", f'"{digest}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def content(self, content: bytes, wanted: str) -> None:
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content)
        if self.server.hub.cut:
            end, self.server.hub.cut = self.server.hub.cut, 0
        self.wfile.write(content[start:end])


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A server on 127.0.0.1 with the hub's layout."""
    state = Hub()
    server = HubServer(("127.0.0.1", 0), Handler)
    server.hub = state
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    for name in ("HF_TOKEN", "http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("HF_ENDPOINT", state.url)
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_is_fetched_verified_and_locked(tmp_path: Path, hub: Hub) -> None:
    hub.add("onnx/model.onnx", b"x" * 5000)
    path = fetch(SOURCE, tmp_path)
    assert path == tmp_path / "hub" / "org--net" / COMMIT / "onnx" / "model.onnx"
    assert path.read_bytes() == b"x" * 5000
    lock = json.loads((path.parent / "model.onnx.lock.json").read_text())
    assert lock["sha256"] == hashlib.sha256(b"x" * 5000).hexdigest()
    assert lock["commit"] == COMMIT


def test_a_second_fetch_asks_nobody(tmp_path: Path, hub: Hub) -> None:
    hub.add("onnx/model.onnx", b"x" * 5000)
    fetch(SOURCE, tmp_path)
    hub.requests.clear()
    fetch(SOURCE, tmp_path)
    assert hub.requests == []


def test_a_wrong_digest_is_thrown_away(tmp_path: Path, hub: Hub) -> None:
    hub.add("onnx/model.onnx", b"x" * 5000)
    with pytest.raises(ModelError, match="expected 0000") as caught:
        fetch(SOURCE, tmp_path, sha256="0" * 64)
    assert caught.value.reason == "hub-digest"
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_the_first_fetch_pins_the_digest_for_the_next(tmp_path: Path, hub: Hub) -> None:
    hub.lfs = False
    hub.add("onnx/model.onnx", b"first")
    path = fetch(SOURCE, tmp_path)
    path.unlink()
    hub.add("onnx/model.onnx", b"other")
    with pytest.raises(ModelError) as caught:
        fetch(SOURCE, tmp_path)
    assert caught.value.reason == "hub-digest"
    with pytest.raises(ModelError, match="Delete that file"):
        fetch(SOURCE, tmp_path, sha256="1" * 64)


def test_a_broken_connection_is_resumed(tmp_path: Path, hub: Hub) -> None:
    content = bytes(range(256)) * 100
    hub.add("onnx/model.onnx", content)
    hub.cut = 10_000
    assert fetch(SOURCE, tmp_path).read_bytes() == content
    ranges = [headers["range"] for _, _, headers in hub.requests if "range" in headers]
    assert "bytes=10000-" in ranges


@pytest.mark.parametrize(("token", "reason"), [("secret", "hub-denied"), ("", "hub-missing")])
def test_refusals_of_the_hub(tmp_path: Path, hub: Hub, token: str, reason: str) -> None:
    hub.token = token
    with pytest.raises(ModelError) as caught:
        fetch(SOURCE, tmp_path)
    assert caught.value.reason == reason


def test_the_token_is_sent(tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.add("onnx/model.onnx", b"x")
    hub.token = "secret"
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert fetch(SOURCE, tmp_path).read_bytes() == b"x"


def test_no_network_is_said_in_one_sentence(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(ModelError, match="cannot be reached") as caught:
        fetch(SOURCE, tmp_path, endpoint="http://127.0.0.1:9")
    assert caught.value.reason == "hub-offline"
    with pytest.raises(ModelError, match="must begin with http"):
        fetch(SOURCE, tmp_path, endpoint="ftp://127.0.0.1")


@pytest.mark.parametrize(
    ("source", "revision", "reason"),
    [
        ("hf:org/net:model.onnx", None, "hub-revision"),
        ("hf:org/net:model.onnx", "main", "hub-revision"),
        ("hf:org:model.onnx", None, "hub-source"),
        ("hf:org/net@main:../model.onnx", None, "hub-source"),
        ("builtin:resnet18", None, "unknown-builtin"),
    ],
)
def test_sources_that_cannot_be_pinned(
    tmp_path: Path, source: str, revision: str | None, reason: str
) -> None:
    with pytest.raises(ModelError) as caught:
        fetch(source, tmp_path, revision=revision)
    assert caught.value.reason == reason


def test_a_given_revision_completes_a_source(tmp_path: Path, hub: Hub) -> None:
    hub.add("model.onnx", b"x")
    assert fetch("hf:org/net:model.onnx", tmp_path, revision=COMMIT).is_file()


def test_the_table_pins_every_builtin() -> None:
    table = pretrained_table()
    assert set(table) == set(BUILTINS)
    for row in table.values():
        file = parse_source(row.source)
        assert len(file.revision) == 40
        assert len(row.sha256) in {0, 64}


def test_a_fetched_onnx_is_a_model(tmp_path: Path, hub: Hub) -> None:
    model = BUILTINS["resnet50"].sizes("quick").build(SeededWeights(3), 17)
    hub.add("onnx/model.onnx", model.SerializeToString())
    spec = ModelSpec("net", SOURCE, precisions=("fp32",))
    with pytest.raises(ModelError, match="models fetch"):
        prepare(spec, tmp_path)
    fetch(SOURCE, tmp_path / "models")
    assert prepare(spec, tmp_path).typed[0].status == "ok"


def test_weights_of_a_builtin_are_no_model_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="@pretrained"):
        prepare(ModelSpec("net", f"hf:{REPO}@{COMMIT}:model.safetensors"), tmp_path)


def safetensors(arrays: dict[str, np.ndarray], dtype: str = "F32") -> bytes:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in arrays.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.mark.parametrize("name", BUILTINS)
def test_trained_weights_go_into_the_same_graph(tmp_path: Path, name: str) -> None:
    """Names and shapes of the table are those of the libraries that publish the weights."""
    quick = BUILTINS[name].sizes("quick")
    seeded = SeededWeights(7)
    arrays = {key: seeded.get(key, param) for key, param in quick.parameters.items()}
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(arrays))
    assert quick.build(SafetensorsWeights(path), 17) == quick.build(seeded, 17)


def test_a_builtin_with_trained_weights_is_prepared(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the hub's folder to a typed model, with the quick size in place of the full one."""
    entry = BUILTINS["vit-b16"]
    small = replace(entry, sizes=lambda _size: entry.sizes("quick"))
    monkeypatch.setattr(builtins, "BUILTINS", {**BUILTINS, "vit-b16": small})
    table = entry.sizes("quick").parameters
    arrays = {key: SeededWeights(9).get(key, param) for key, param in table.items()}
    row = pretrained_table()["vit-b16"]
    hub.add(row.file, safetensors(arrays), row.repo, row.revision)
    fetch("builtin:vit-b16", tmp_path / "models")
    spec = ModelSpec("vit", "builtin:vit-b16@pretrained", precisions=("fp32",))
    model = prepare(spec, tmp_path)
    assert model.typed[0].path is not None
    found = {i.name: i for i in onnx.load(model.typed[0].path).graph.initializer}
    values = onnx.numpy_helper.to_array(found["classifier.weight"])
    assert (values == arrays["classifier.weight"]).all()


def test_safetensors_of_other_types_are_widened(tmp_path: Path) -> None:
    param = replace(BUILTINS["vit-b16"].sizes("quick").parameters["vit.layernorm.bias"], shape=(3,))
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors({"a": np.array([1.5, -2.0, 0.25], np.float16)}, "F16"))
    assert SafetensorsWeights(path).get("a", param).tolist() == [1.5, -2.0, 0.25]
    wide = np.array([1.5, -2.0, 0.25], np.float32).view(np.uint32) >> 16
    path.write_bytes(safetensors({"a": wide.astype(np.uint16)}, "BF16"))
    assert SafetensorsWeights(path).get("a", param).tolist() == [1.5, -2.0, 0.25]


def test_safetensors_that_do_not_fit(tmp_path: Path) -> None:
    param = replace(BUILTINS["vit-b16"].sizes("quick").parameters["vit.layernorm.bias"], shape=(4,))
    path = tmp_path / "w.safetensors"
    with pytest.raises(ModelError, match="no such file"):
        SafetensorsWeights(path)
    path.write_bytes(b"\x00" * 20)
    with pytest.raises(ModelError, match="not a safetensors file"):
        SafetensorsWeights(path)
    whole = safetensors({"a": np.zeros(3, np.float32)})
    path.write_bytes(whole)
    with pytest.raises(ModelError, match="has shape"):
        SafetensorsWeights(path).get("a", param)
    with pytest.raises(ModelError, match="no tensor"):
        SafetensorsWeights(path).get("b", param)
    path.write_bytes(whole[:-4])
    with pytest.raises(ModelError, match="cut off"):
        SafetensorsWeights(path).get("a", param)
    path.write_bytes(safetensors({"a": np.zeros(4, np.float32)}, "F8_E4M3"))
    with pytest.raises(ModelError, match="dtype F8_E4M3"):
        SafetensorsWeights(path).get("a", param)
