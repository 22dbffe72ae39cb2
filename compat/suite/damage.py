"""Damaged copies of an engine: what stops them, the manifest's digest or the runtime?"""

import contextlib
import os
import shutil
from typing import Any, Dict, Iterator, Mapping

import numpy as np

from .manifest import manifest_path, verify
from .outcome import Failed

#: The kind that damages nothing: a whole engine that the runtime was not told to trust.
HOST_CODE_DENIED = "host-code-denied"

_FOREIGN_BYTES = 64 * 1024
_PNG_HEADER = b"\x89PNG\r\n\x1a\n"
# A plan's serialization version (samples/common/sampleEngines.cpp), the identifier of an ORT-format
# file. Byte 8 would be padding in the latter.
_HEADER_PLACE = 4
_WEIGHT_SHARE = 0.6  # behind the header and before the end: in the weights of any real network


@contextlib.contextmanager
def damaged_copy(engine: str, kind: str) -> Iterator[str]:
    """Yield the path of a damaged copy that stands beside its engine, with the true manifest.

    Copy and manifest are gone at the end, whatever happened before it.

    Args:
        engine: path of an engine that has a manifest.
        kind: ``truncated`` (the first half), ``foreign`` (a picture's header and seeded noise),
            ``flipped-header`` or ``flipped-weight`` (one changed byte).
    """
    copy = "%s.%s" % (engine, kind)
    try:
        _write(engine, copy, kind)
        shutil.copyfile(manifest_path(engine), manifest_path(copy))
        yield copy
    finally:
        _remove(copy)


@contextlib.contextmanager
def without_name(copy: str) -> Iterator[str]:
    """Yield another path of a copy, which is taken out of its folder first.

    A runtime that dies on the copy then leaves nothing behind: the kernel frees the file.
    """
    descriptor = os.open(copy, os.O_RDONLY)
    try:
        _remove(copy)
        yield "/proc/self/fd/%d" % descriptor
    finally:
        os.close(descriptor)


def _remove(copy: str) -> None:
    for path in (copy, manifest_path(copy)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _write(engine: str, copy: str, kind: str) -> None:
    if kind == "foreign":
        noise = np.random.RandomState(0).bytes(_FOREIGN_BYTES - len(_PNG_HEADER))
        with open(copy, "wb") as stream:
            stream.write(_PNG_HEADER + noise)
        return
    shutil.copyfile(engine, copy)
    size = os.path.getsize(copy)
    if kind == "truncated":
        os.truncate(copy, size // 2)
    elif kind == "flipped-header":
        _flip(copy, _HEADER_PLACE, 0xFF)
    elif kind == "flipped-weight":
        # The last byte of an aligned word holds the exponent's high bits, in fp32 as in fp16.
        _flip(copy, int(size * _WEIGHT_SHARE) | 3, 0x40)
    else:
        raise ValueError("no such damage: %r" % kind)


def _flip(path: str, place: int, bits: int) -> None:
    with open(path, "r+b") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ bits]))


def must_be_stopped(copy: str, sha256: str) -> None:
    """See that the product's own guard stops a damaged copy before a runtime gets it.

    Raises:
        Failed: it lets the copy through ("digest-blind"), or cannot even look at it.
    """
    try:
        verify(copy, sha256)
    except Failed as failure:
        if failure.reason == "integrity":
            return
        raise
    raise Failed("digest-blind", "the manifest's digest lets a damaged engine through: %s" % copy)


def change(whole: Mapping[str, Any], damaged: Mapping[str, Any]) -> Dict[str, float]:
    """Return how far a damaged engine's outputs are from those of the whole engine.

    Returns:
        ``max_abs_change`` over the values that are finite in both and ``max_abs_whole`` beside it,
        ``compared`` (how many these are), ``not_finite`` (values that are finite in one of the two
        only), ``outputs_lost`` (outputs that are missing or of another shape).
    """
    largest, scale, compared, not_finite, lost = 0.0, 0.0, 0, 0, 0
    for name, reference in whole.items():
        old = np.asarray(reference, dtype=np.float64)
        if name not in damaged or np.shape(damaged[name]) != old.shape:
            lost += 1
            continue
        new = np.asarray(damaged[name], dtype=np.float64)
        usable = np.isfinite(old) & np.isfinite(new)
        compared += int(np.count_nonzero(usable))
        not_finite += int(np.count_nonzero(np.isfinite(old) != np.isfinite(new)))
        largest = max(largest, float(np.max(np.abs(new[usable] - old[usable]), initial=0.0)))
        scale = max(scale, float(np.max(np.abs(old[usable]), initial=0.0)))
    return {
        "max_abs_change": largest,
        "max_abs_whole": scale,
        "compared": compared,
        "not_finite": not_finite,
        "outputs_lost": lost,
    }
