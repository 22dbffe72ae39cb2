"""Real engines: TensorRT-RTX plans of a tiny network, heads of 8.6.0; see data/README.md."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"
RTX = sorted(DATA.glob("rtx-*.engine"))


@pytest.fixture(params=RTX, ids=lambda path: path.stem)
def rtx(request: pytest.FixtureRequest) -> Path:
    """A real plan of one release of TensorRT-RTX."""
    path: Path = request.param
    return path


def enterprise(variant: str, path: Path) -> Path:
    """Write a plan of TensorRT 8.6.0: its real head and tail, and a hole between them."""
    head, tail = (
        (DATA / f"trt-8.6.0.12-{variant}.{part}").read_bytes() for part in ("head", "tail")
    )
    with path.open("wb") as stream:
        stream.write(head)
        stream.seek(int.from_bytes(head[16:24], "little") - len(tail))
        stream.write(tail)
    return path


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A copy of one real plan, to be damaged."""
    path = tmp_path / "some.engine"
    path.write_bytes((DATA / "rtx-1.7.1.116.engine").read_bytes())
    return path
