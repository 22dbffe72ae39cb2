"""The example matrices can be read and planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from compat.config import load_config
from compat.matrix import Selection, plan

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_leads_to_a_plan(path: Path) -> None:
    """A file that a reader copies must not be one that the program refuses."""
    source = {"path": path.name, "sha256": "0"}

    planned = plan(load_config(path), source=source, quick=True, selection=Selection())

    assert planned.items
    assert planned.upgrades
