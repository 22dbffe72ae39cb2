"""The event file: one JSON object a line, on disk before the call returns."""

import json
import os
from datetime import datetime, timezone
from typing import Any, Dict


def utc_now() -> str:
    """Return the time in UTC as ISO 8601 with milliseconds."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


class EventLog:
    """Append events to a file; each line is flushed and synced, so a crash keeps it."""

    def __init__(self, path: str) -> None:
        self._stream = open(path, "a", encoding="utf-8")  # noqa: SIM115 - open for the whole run

    def write(self, event: str, **fields: Any) -> None:
        """Append one event of kind `event` ("session", "started", "progress", "result", "end")."""
        line: Dict[str, Any] = {"event": event, "at": utc_now()}
        line.update(fields)
        self._stream.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
