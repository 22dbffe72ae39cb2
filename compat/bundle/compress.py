"""Write members as a tar of which the beginning is plain and the rest is compressed with zstd.

The beginning holds what is needed to read the rest. The rest is one frame for each group of
members, so that a group's bytes do not depend on those behind it. A content size in the frame's
head would: it is left out. Threads change nothing in the bytes: zstd cuts its jobs by size alone.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import zstandard

from compat.bundle.parts import END, Member, PartWriter, Seen, described, pour

# 4 % less than level 9 in the same time, on 4 GB of TensorRT's wheels.
_LEVEL = 12
# Every decoder takes 128 MB without being asked, and within one wheel that much is of use.
_LEAST, _MOST = 27, 31


def write(
    plain: Sequence[Member], groups: Sequence[Sequence[Member]], folder: Path, size: int, seen: Seen
) -> dict[str, Any]:
    """Write the parts; return what `parts.write` does, and `zstd` for the far machine.

    Args:
        plain: what is needed to read the rest.
        groups: what is compressed, each on its own; what changes most often comes last.
        folder: where the parts go.
        size: of the largest part, in bytes.
        seen: told of each member's name and every block's size.
    """
    logs = [_window_log(group) for group in groups]
    with PartWriter(folder, size) as sink:
        members = pour(plain, sink, seen)
        sink.write(END)
        start = sink.written
        for log, group in zip(logs, groups, strict=True):
            compressor = zstandard.ZstdCompressor(compression_params=_parameters(log))
            with compressor.stream_writer(cast(Any, sink), closefd=False) as frame:
                members += pour(group, frame, seen)
                if group is groups[-1]:
                    frame.write(END)
    return {**described(sink, members), "zstd": {"start": start, "window": 1 << max(logs)}}


def _parameters(window_log: int) -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        window_log=window_log,
        enable_ldm=True,
        # 0 would be another coder with other bytes, and each thread takes some 60 MB.
        threads=min(os.cpu_count() or 1, 16),
        write_checksum=True,
        write_content_size=False,
    )


def _window_log(members: Sequence[Member]) -> int:
    """Return how far back a match may lie: anywhere in the wheel or model before, no further.

    The far machine needs this much memory. Of three versions of one wheel the third is then coded
    by the second, which resembles it most anyway.
    """
    near = (a.size + b.size for a, b in pairwise(members) if _kin(a.name) == _kin(b.name))
    needed = max(near, default=0).bit_length()
    whole = sum(member.size for member in members).bit_length()
    return max(20, min(max(needed, _LEAST), whole, _MOST))


def _kin(name: str) -> str:
    """Return what files that resemble each other share: a wheel's project, a model's folder."""
    folder, _, file = name.rpartition("/")
    return file.partition("-")[0] if name.startswith("wheels/") else folder
