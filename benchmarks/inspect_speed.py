"""How many engines a second ``trt-compat inspect`` reads, and in how much memory.

``python benchmarks/inspect_speed.py [--files 10000] [--folder DIR]`` makes files of 100 MB out of
the real engines in tests/engine/data, of TensorRT and TensorRT-RTX: their own bytes, and weights
that are grown with a hole (the files are sparse). Each has a manifest. The command runs twice, the
second time from a warm cache; its own start is part of the measured time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests" / "engine" / "data"
SIZE = 100_000_000
ENGINES_PER_SECOND = 2_000
MEMORY_LIMIT_BYTES = 50_000_000
READ_LIMIT_BYTES = 1_000_000

# The command, and then what the kernel says of its memory: getrusage would count this script's own.
COMMAND = """
import sys
from pathlib import Path
from compat.cli import main
main(["inspect", "--json", sys.argv[1]])
sys.stderr.write(Path("/proc/self/status").read_text(encoding="ascii"))
"""


def main() -> int:
    """Measure, print, and return 1 where a limit is not met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where the files are made (default: /tmp)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        _make(Path(folder), given.files)
        _inspect(folder)
        before = time.perf_counter()
        found, memory = _inspect(folder)
        seconds = time.perf_counter() - before
    read = max(one["read_bytes"] for one in found)
    wrong = [one["path"] for one in found if not one["holds"] or one["bytes"] != SIZE]
    rate = len(found) / seconds
    print(f"{len(found)} engines of {SIZE / 1e6:.0f} MB in {seconds:.2f} s: {rate:,.0f} a second")
    print(
        f"peak memory {memory / 1e6:.1f} MB; at most {read} bytes read of one; wrong: {wrong[:3]}"
    )
    met = rate >= ENGINES_PER_SECOND and memory <= MEMORY_LIMIT_BYTES and read <= READ_LIMIT_BYTES
    return 0 if met and not wrong and len(found) == given.files else 1


def _inspect(folder: str) -> tuple[list[dict[str, object]], int]:
    """Run the command once; return what it says and its peak memory in bytes."""
    command = (sys.executable, "-c", COMMAND, folder)
    with tempfile.TemporaryFile() as out:
        done = subprocess.run(
            command, cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True, check=True
        )
        out.seek(0)
        found: list[dict[str, object]] = json.load(out)
    peak = re.search(r"^VmHWM:\s+(\d+) kB", done.stderr, re.MULTILINE)
    assert peak, done.stderr
    return found, int(peak.group(1)) * 1024


def _make(folder: Path, count: int) -> None:
    small = [path.read_bytes() for path in sorted(DATA.glob("rtx-*.engine"))]
    small += [gzip.decompress(path.read_bytes()) for path in sorted(DATA.glob("*-tiny.engine.gz"))]
    for number in range(count):
        data = small[number % len(small)]
        path = folder / f"{number:05}.engine"
        rtx = data[:4] == b"vtrt"
        (_grow_rtx if rtx else _grow_trt)(path, data)
        flavour = "tensorrt_rtx" if rtx else "tensorrt"
        claims = {"flavour": flavour, "bytes": SIZE, "sha256": "0" * 64}
        path.with_name(path.name + ".json").write_text(json.dumps(claims), encoding="utf-8")


def _grow_rtx(path: Path, data: bytes) -> None:
    """Write a plan of 100 MB: the last section, the weights, takes what is missing."""
    _write(path, data, (16, 104), len(data) - 4)


def _grow_trt(path: Path, data: bytes) -> None:
    """Write a plan of 100 MB: the weights in the archive take what is missing."""
    old = data[:4] == b"ptrt"
    weights = data.index((b"\xbb" if old else b"\xb0") + b"\x80\1\0\x09\x80\1\0") + 8
    _write(path, data, (16, weights) if old else (16, 48, 72, weights), weights + 8)


def _write(path: Path, data: bytes, lengths: tuple[int, ...], hole: int) -> None:
    """Write a plan with a hole at a place, added to the lengths that stand at others."""
    grown, more = bytearray(data), SIZE - len(data)
    for place in lengths:
        (count,) = struct.unpack_from("<Q", grown, place)
        struct.pack_into("<Q", grown, place, count + more)
    with path.open("wb") as stream:
        stream.write(grown[:hole])
        stream.seek(hole + more)
        stream.write(grown[hole:])


if __name__ == "__main__":
    raise SystemExit(main())
