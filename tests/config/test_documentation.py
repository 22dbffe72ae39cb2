"""Every key that a file may hold is documented, and the exported schema is the code's."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from compat.config import schema
from compat.config.export import json_schema

DOCS = Path(__file__).parents[2] / "docs"
TABLES = [
    table
    for table in vars(schema).values()
    if isinstance(table, type) and issubclass(table, BaseModel) and table.__name__[0] != "_"
]
KEYS = sorted({f.alias or name for t in TABLES for name, f in t.model_fields.items()})


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("gpu", "host", "max-cv")])
def test_every_key_is_documented(key: str) -> None:
    """A key that nobody can find does not exist."""
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")

    assert f"`{key}`" in text or f"[{key}" in text or f"`{key}." in text


def test_the_schema_for_editors_is_up_to_date() -> None:
    """Write it anew with ``python -m compat.config.export > docs/compat.schema.json``."""
    assert (DOCS / "compat.schema.json").read_text(encoding="utf-8") == json_schema()
