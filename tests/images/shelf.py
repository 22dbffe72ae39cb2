"""Real registries on loopback, and images made by hand and pushed through the API."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import shutil
import socket
import ssl
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

REGISTRY = shutil.which("docker-registry")
SKOPEO = shutil.which("skopeo")
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
USER, PASSWORD = "keeper", "s3cret-word"  # as bcrypt below
HTPASSWD = "keeper:$2b$05$abcdefghijklmnopqrstuuEpHRRKIlpAGo.iP7Bpa.htQEJMAAnRe\n"


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Shelf:
    """One running registry."""

    host: str
    folder: Path
    log: Path
    tls: ssl.SSLContext | None = None

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        connection = (
            http.client.HTTPSConnection(self.host, timeout=10, context=self.tls)
            if self.tls
            else http.client.HTTPConnection(self.host, timeout=10)
        )
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def blob(
        self, repository: str, content: bytes, headers: Mapping[str, str] | None = None
    ) -> str:
        started = self.send("POST", f"/v2/{repository}/blobs/uploads/", b"", headers)
        where = str(started.headers["Location"]).partition(self.host)[2]
        digest = sha256(content)
        done = self.send(
            "PUT",
            f"{where}&digest={digest}",
            content,
            {"Content-Type": "application/octet-stream", **(headers or {})},
        )
        assert done.status == 201, (done.status, self.log.read_text()[-500:])
        return digest

    def manifest(
        self,
        repository: str,
        reference: str,
        body: bytes,
        kind: str,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        path = f"/v2/{repository}/manifests/{reference}"
        done = self.send("PUT", path, body, {"Content-Type": kind, **(headers or {})})
        assert done.status == 201, (done.status, self.log.read_text()[-500:])
        return sha256(body)

    def image(
        self,
        repository: str,
        reference: str,
        text: str = "layer",
        *,
        created: str | None = "2026-01-02T03:04:05Z",
        architecture: str = "amd64",
        kind: str = OCI_MANIFEST,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Push an image of one layer; return its digest. An empty reference: by digest alone."""
        layer, diff = _layer(text)
        config = {"architecture": architecture, "os": "linux"}
        config |= {"config": {}, "rootfs": {"type": "layers", "diff_ids": [diff]}}
        if created:
            config["created"] = created
        encoded = json.dumps(config).encode()
        docker = kind == DOCKER_MANIFEST
        body = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": kind,
                "config": {
                    "mediaType": "application/vnd.docker.container.image.v1+json"
                    if docker
                    else "application/vnd.oci.image.config.v1+json",
                    "digest": self.blob(repository, encoded, headers),
                    "size": len(encoded),
                },
                "layers": [
                    {
                        "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip"
                        if docker
                        else "application/vnd.oci.image.layer.v1.tar+gzip",
                        "digest": self.blob(repository, layer, headers),
                        "size": len(layer),
                    }
                ],
            }
        ).encode()
        return self.manifest(repository, reference or sha256(body), body, kind, headers)

    def index(self, repository: str, tag: str, text: str = "layer") -> tuple[str, dict[str, str]]:
        """Push an image for two platforms; return its digest and the digest of each platform."""
        platforms = {
            f"linux/{arch}": self.image(repository, "", f"{text} {arch}", architecture=arch)
            for arch in ("amd64", "arm64")
        }
        manifests = []
        for platform, digest in platforms.items():
            body = self.get(f"/v2/{repository}/manifests/{digest}", OCI_MANIFEST)
            system, _, arch = platform.partition("/")
            manifests.append(
                {
                    "mediaType": OCI_MANIFEST,
                    "digest": digest,
                    "size": len(body),
                    "platform": {"os": system, "architecture": arch},
                }
            )
        body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
        return self.manifest(repository, tag, body.encode(), OCI_INDEX), platforms

    def get(self, path: str, accept: str) -> bytes:
        request = urllib.request.Request(f"http://{self.host}{path}", headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return bytes(answer.read())

    def delete(self, repository: str, digest: str) -> None:
        assert self.send("DELETE", f"/v2/{repository}/manifests/{digest}").status == 202


def _layer(text: str) -> tuple[bytes, str]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("note.txt")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(stream.getvalue(), mtime=0), sha256(stream.getvalue())


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(
    folder: Path, extra: str = "", *, http: str = "", ca: Path | None = None, ready: int = 200
) -> Iterator[Shelf]:
    """Run docker-registry on a free port; `extra` and `http` are more YAML, for auth and TLS."""
    assert REGISTRY is not None
    folder.mkdir(parents=True)
    host = f"127.0.0.1:{free_port()}"
    config, log = folder / "config.yml", folder / "log"
    config.write_text(
        "version: 0.1\nlog: {level: warn}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}\n"
        f"http:\n  addr: '{host}'\n  secret: not-one\n{http}{extra}",
        encoding="utf-8",
    )
    with log.open("wb") as stream:
        process = subprocess.Popen([REGISTRY, "serve", str(config)], stdout=stream, stderr=stream)
    tls = ssl.create_default_context(cafile=ca) if ca else None
    shelf = Shelf(host, folder, log, tls)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError, HTTPException):
                if shelf.send("GET", "/v2/").status == ready:
                    break
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        yield shelf
    finally:
        process.terminate()
        process.wait(10)
