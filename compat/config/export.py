"""The JSON Schema of ``compat.toml``, for editors: ``python -m compat.config.export``."""

from __future__ import annotations

import json
import sys

from compat.config.schema import Config


def json_schema() -> str:
    """Return the schema as JSON text with a closing newline."""
    return json.dumps(Config.model_json_schema(by_alias=True), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema())
