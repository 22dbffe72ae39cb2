"""Files of the Hugging Face hub: which, where they lie locally, and how they are fetched.

Layout of the hub: {endpoint}/{repo}/resolve/{revision}/{file}; a HEAD there answers, without
following redirects, X-Repo-Commit, X-Linked-Size and X-Linked-Etag (the SHA-256 of an LFS file).
Locally: {models}/hub/{org}--{repo}/{revision}/{file}, with {file}.lock.json beside it.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from compat.models.cache import file_sha256, write_json
from compat.models.download import Remote, download, stat_remote
from compat.models.errors import ModelError

__all__ = [
    "HubFile",
    "Pretrained",
    "fetch",
    "fetched_file",
    "parse_source",
    "pretrained_file",
    "pretrained_table",
]

DEFAULT_ENDPOINT = "https://huggingface.co"

_SOURCE = re.compile(
    r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+?))?:(?P<file>[\w./ -]+)"
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """One row of pretrained.toml; `sha256` is empty where no public source states it."""

    repo: str
    revision: str
    file: str
    sha256: str = ""

    @property
    def source(self) -> str:
        """The row as `hf:` notation."""
        return f"hf:{self.repo}@{self.revision}:{self.file}"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of the hub; `revision` may be empty until the caller gives one."""

    repo: str
    revision: str
    file: str

    def local(self, models_dir: Path) -> Path:
        """Where the file lies under the models folder."""
        folder = models_dir / "hub" / self.repo.replace("/", "--") / self.revision
        return folder / self.file


@cache
def pretrained_table() -> dict[str, Pretrained]:
    """pretrained.toml by built-in name."""
    text = resources.files("compat.models").joinpath("pretrained.toml").read_text(encoding="utf-8")
    return {name: Pretrained(**row) for name, row in tomllib.loads(text).items()}


def parse_source(source: str) -> HubFile:
    """Read "hf:org/name@revision:file"."""
    match = _SOURCE.fullmatch(source)
    if match is None or ".." in match["file"].split("/"):
        raise ModelError(
            "hub-source",
            f"{source!r}: a file of the hub is written hf:ORG/REPO@REVISION:FILE, for example "
            "hf:onnx-community/resnet-50-ONNX@<40 hex digits>:onnx/model.onnx.",
        )
    return HubFile(match["repo"], match["revision"] or "", match["file"])


def fetched_file(source: str, models_dir: Path) -> Path:
    """The local copy of a hub ONNX file; never touches the network."""
    file = parse_source(source)
    if not file.file.endswith(".onnx"):
        raise ModelError(
            "hub-not-onnx",
            f"{source!r}: is not an .onnx file. Trained weights of a built-in are used by "
            'source = "builtin:NAME@pretrained".',
        )
    return _local(file, source, models_dir)


def pretrained_file(name: str, models_dir: Path) -> Path:
    """The local copy of a built-in's trained weights; never touches the network."""
    row = pretrained_table()[name]
    return _local(parse_source(row.source), f"builtin:{name}", models_dir)


def fetch(
    source: str,
    models_dir: Path,
    *,
    endpoint: str | None = None,
    revision: str | None = None,
    sha256: str | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Path:
    """Fetch a hub file, or the weights of "builtin:NAME", and verify it.

    The digest that must hold is, in this order: `sha256`, the one pretrained.toml states, the one
    an earlier fetch wrote to the lock file, the LFS digest that the hub states. A file that is
    there and matches is not fetched again. The endpoint is HF_ENDPOINT or the public hub, the
    token HF_TOKEN.
    """
    file, stated = _resolve(source, revision)
    target = file.local(models_dir)
    lock = _read_lock(target)
    known = sha256 or stated or lock.get("sha256", "")
    _check_pins(source, target, known, lock.get("sha256", ""))
    if target.is_file() and known and file_sha256(target) == known:
        return target
    base = (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    url = f"{base}/{file.repo}/resolve/{file.revision}/{file.file}"
    remote = stat_remote(url, os.environ.get("HF_TOKEN", ""))
    expected = known or _lfs_digest(remote)
    found = download(remote, target, expected, progress)
    write_json(
        _lock_path(target),
        {
            "source": f"hf:{file.repo}@{file.revision}:{file.file}",
            "commit": remote.commit,
            "sha256": found,
            "size": target.stat().st_size,
            "pinned_by": "a stated digest" if expected else "the first fetch",
        },
    )
    return target


def _resolve(source: str, revision: str | None) -> tuple[HubFile, str]:
    """The file and the digest that our own table states for it."""
    stated = ""
    if source.startswith("builtin:"):
        name = source.removeprefix("builtin:").partition("@")[0]
        row = pretrained_table().get(name)
        if row is None:
            known = ", ".join(f"builtin:{key}" for key in pretrained_table())
            raise ModelError(
                "unknown-builtin", f"{source}: no trained weights known; there are: {known}."
            )
        source, stated = row.source, row.sha256 if not revision else ""
    file = parse_source(source)
    chosen = revision or file.revision
    if not chosen:
        raise ModelError(
            "hub-revision",
            f"{source}: names no revision; give --revision with a full commit (40 hex digits), "
            "so that the same file is fetched next time.",
        )
    if not _COMMIT.fullmatch(chosen):
        raise ModelError(
            "hub-revision",
            f"{source}: revision {chosen!r} is a branch or tag, which can move; give the full "
            "commit (40 hex digits), shown on the hub under 'Files and versions'.",
        )
    return HubFile(file.repo, chosen, file.file), stated


def _check_pins(source: str, target: Path, known: str, locked: str) -> None:
    if known and not _SHA256.fullmatch(known):
        raise ModelError("hub-digest", f"{source}: {known!r} is not a SHA-256 (64 hex digits).")
    if locked and known != locked:
        raise ModelError(
            "hub-digest",
            f"{source}: the given SHA-256 {known[:16]}... is not the one that {_lock_path(target)} "
            f"keeps from an earlier fetch ({locked[:16]}...). "
            "Delete that file to accept the new one.",
        )


def _lfs_digest(remote: Remote) -> str:
    """An LFS file's ETag is its SHA-256; a small file's is a git hash, which does not help."""
    return remote.etag if _SHA256.fullmatch(remote.etag) else ""


def _local(file: HubFile, source: str, models_dir: Path) -> Path:
    path = file.local(models_dir)
    if not file.revision or not path.is_file():
        raise ModelError(
            "not-fetched",
            f"{source}: is not in {models_dir}; run `trt-compat models fetch {source}` "
            "where there is a network (the folder can then be copied).",
        )
    return path


def _lock_path(target: Path) -> Path:
    return target.with_name(target.name + ".lock.json")


def _read_lock(target: Path) -> dict[str, str]:
    try:
        lock = json.loads(_lock_path(target).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise ModelError(
            "hub-lock", f"{_lock_path(target)}: the lock file is damaged; delete it to fetch anew."
        ) from None
    return {str(key): str(value) for key, value in lock.items()}
