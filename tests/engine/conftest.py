"""Real engines: whole TensorRT-RTX plans of a tiny network, see data/README.md."""

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


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    """A copy of one real plan, to be damaged."""
    path = tmp_path / "some.engine"
    path.write_bytes((DATA / "rtx-1.7.1.116.engine").read_bytes())
    return path
