"""A token server as small as it can be, for a real registry that trusts its certificate."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.images.shelf import PASSWORD, USER

REFRESH = "refresh-me-please"


@dataclass
class Doorman:
    """Signs tokens for who knows the password; keeps what was asked."""

    folder: Path
    url: str = ""
    asked: list[str] = field(default_factory=list)

    @property
    def certificate(self) -> Path:
        return self.folder / "door.pem"

    def make_key(self) -> None:
        make_certificate(self.folder, "door", "doorman")

    def token(self, scope: str, user: str) -> str:
        """A JWT as the distribution project's token specification has it, signed by openssl."""
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        access = [{"type": kind, "name": name, "actions": actions.split(",")}] if scope else []
        chain = "".join(self.certificate.read_text().splitlines()[1:-1])
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [chain]}
        claims = {"iss": "doorman", "sub": user, "aud": "shelf", "exp": now + 60, "nbf": now - 5}
        claims |= {"iat": now, "jti": str(time.time_ns()), "access": access}
        signed = ".".join(_word(json.dumps(part).encode()) for part in (head, claims))
        signature = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.folder / "door.key")],
            input=signed.encode(),
            capture_output=True,
            check=True,
        ).stdout
        return f"{signed}.{_word(signature)}"


def _word(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def make_certificate(folder: Path, name: str, subject: str, *more: str) -> None:
    """Write NAME.key and NAME.pem, which signs itself."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem"]
    subprocess.run([*words, "-subj", f"/CN={subject}", *more], capture_output=True, check=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_args: object) -> None:
        return None

    def do_GET(self) -> None:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        known = self.headers.get("Authorization") == f"Basic {basic}"
        self._answer(query, known)

    def do_POST(self) -> None:
        form = urllib.parse.parse_qs(
            self.rfile.read(int(self.headers["Content-Length"])).decode("ascii")
        )
        self._answer(form, form.get("refresh_token") == [REFRESH])

    def _answer(self, asked: dict[str, list[str]], known: bool) -> None:
        doorman = self.server.doorman
        scope = asked.get("scope", [""])[0]
        doorman.asked.append(f"{self.command} {scope}")
        said: dict[str, Any] = {"errors": [{"code": "UNAUTHORIZED", "message": "\x1b[31mno"}]}
        if known:
            said = {"token": doorman.token(scope, USER)}
        body = json.dumps(said).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    doorman: Doorman


@contextmanager
def standing(folder: Path) -> Iterator[Doorman]:
    """Run a token server."""
    doorman = Doorman(folder)
    doorman.make_key()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.doorman = doorman
    doorman.url = f"http://127.0.0.1:{server.server_address[1]}/token"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield doorman
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
