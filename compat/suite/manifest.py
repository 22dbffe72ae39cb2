"""An engine file and its manifest: written together, checked before any runtime sees the engine.

TensorRT does not checksum a plan: flipped weight bytes load and run without a word. The digest in
the manifest is what stops them.
"""

import contextlib
import hashlib
import json
import os
from typing import Any, Dict, Union

from .outcome import Failed

_CHUNK = 1 << 22


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file as hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def manifest_path(engine: str) -> str:
    """Return where the manifest of `engine` stands."""
    return engine + ".json"


def store(engine: str, data: Union[bytes, memoryview], claims: Dict[str, Any]) -> Dict[str, Any]:
    """Write an engine and its manifest so that a reader sees both whole or neither.

    Args:
        engine: path of the engine file.
        data: the serialized engine.
        claims: what the builder knows: versions, flags by name, model digest, GPU.

    Returns:
        The manifest: `claims` with ``sha256`` and ``bytes``.
    """
    os.makedirs(os.path.dirname(engine), exist_ok=True)
    if os.path.exists(manifest_path(engine)):
        os.unlink(manifest_path(engine))
    digest = hashlib.sha256()
    with open(engine + ".part", "wb") as stream:
        view = memoryview(data)
        for start in range(0, len(view), _CHUNK):
            digest.update(view[start : start + _CHUNK])
            stream.write(view[start : start + _CHUNK])
    manifest = dict(claims, sha256=digest.hexdigest(), bytes=len(view))
    os.replace(engine + ".part", engine)
    with open(manifest_path(engine) + ".part", "w", encoding="utf-8") as stream_text:
        json.dump(manifest, stream_text, indent=1, sort_keys=True)
    os.replace(manifest_path(engine) + ".part", manifest_path(engine))
    _write_stamp(engine, _stamp(manifest["sha256"], os.stat(engine)))
    return manifest


def verify(engine: str, sha256: str = "", trust_stamp: bool = False) -> Dict[str, Any]:
    """Check an engine against its manifest and return the manifest.

    Args:
        engine: path of the engine file.
        sha256: the digest that the build's record states; "" asks the manifest alone.
        trust_stamp: accept an earlier full check of the same, untouched file (same size, time of
            change and inode), or its writing, so that a benchmark's rounds and other targets'
            runtimes do not hash gigabytes again and again.

    Raises:
        Failed: the manifest or the engine is missing, or size or digest differ.
    """
    try:
        with open(manifest_path(engine), encoding="utf-8") as stream:
            manifest: Dict[str, Any] = json.load(stream)
        found = os.stat(engine)
    except (OSError, ValueError) as error:
        raise Failed("engine-missing", "no engine with a manifest at %s: %s" % (engine, error))
    if sha256 and manifest["sha256"] != sha256:
        raise Failed("integrity", "%s is not the engine of the build's record" % engine)
    if found.st_size != manifest["bytes"]:
        raise Failed(
            "integrity",
            "%s holds %d bytes, its manifest says %d" % (engine, found.st_size, manifest["bytes"]),
        )
    stamp = _stamp(manifest["sha256"], found)
    if trust_stamp and _read_stamp(engine) == stamp:
        return manifest
    if sha256_of(engine) != manifest["sha256"]:
        _forget_stamp(engine)  # bits can rot under a time of change that says nothing of it
        raise Failed("integrity", "%s differs from the SHA-256 in its manifest" % engine)
    _write_stamp(engine, stamp)
    return manifest


def _stamp(sha256: str, found: os.stat_result) -> str:
    return "%s %d %d" % (sha256, found.st_mtime_ns, found.st_ino)


def _write_stamp(engine: str, stamp: str) -> None:
    with open(engine + ".checked", "w", encoding="ascii") as stream:
        stream.write(stamp)


def _forget_stamp(engine: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(engine + ".checked")


def _read_stamp(engine: str) -> str:
    try:
        with open(engine + ".checked", encoding="ascii") as stream:
            return stream.read()
    except OSError:
        return ""
