"""The job that the host hands to one process: a target, a phase and the items to do."""

import json
import os
from typing import Any, Dict, List, NamedTuple


class Job(NamedTuple):
    """One job file. Paths inside are relative to `work` unless absolute."""

    target: Dict[str, Any]
    phase: str
    work: str
    events: str
    items: List[Dict[str, Any]]
    settings: Dict[str, Any]

    def path(self, relative: str) -> str:
        """Return `relative` as a path below the work dir, with its folder made."""
        path = os.path.join(self.work, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path


def read_job(path: str) -> Job:
    """Read a job file written by the host."""
    with open(path, encoding="utf-8") as stream:
        raw = json.load(stream)
    return Job(
        raw["target"], raw["phase"], raw["work"], raw["events"], raw["items"], raw["settings"]
    )
