"""The ``noxfile.py`` of a user's repository: one session that installs this program and runs it.

It imports nothing of this program, because nox reads it in an environment that need not have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import compat
from compat.targets.process import redacted

PROJECT = "trt-compat"
MARK = "# Written by `trt-compat init`"
_TEXT = """\
{mark}: `nox -s compat` runs the matrix of compat.toml; what stands
# behind `--` goes to `trt-compat run`: `nox -s compat -- --quick`. Nox makes 1 of every exit code
# but 0; reports/latest/verdict.json and `trt-compat gate` say which one it was.
import nox


@nox.session(reuse_venv=True)
def compat(session: nox.Session) -> None:
    \"\"\"Build, load, compare and time every engine of compat.toml, and gate on it.\"\"\"
    session.install({requirement}){remark}
    session.run("trt-compat", "run", *session.posargs, interrupt_timeout=30)
"""


def noxfile() -> str:
    """Return the text, with the requirement that this program was itself installed by."""
    words, remark = _requirement()
    quoted = ", ".join(json.dumps(word, ensure_ascii=False) for word in words)
    return _TEXT.format(mark=MARK, requirement=quoted, remark=f"  # {remark}" if remark else "")


def _requirement() -> tuple[list[str], str]:
    """Return what to install, and a remark for the reader where it holds on this machine only."""
    try:
        found: Distribution | None = distribution(PROJECT)
    except PackageNotFoundError:
        found = None
    told = found.read_text("direct_url.json") if found is not None else None
    if told:  # PEP 610: not from an index
        return _from_address(json.loads(told))
    root = Path(compat.__file__).parents[1]
    if found is None or (root / "pyproject.toml").is_file():
        return ["-e", str(root)], "a checkout on this machine"
    return [f"{PROJECT}=={found.version}"], ""


def _from_address(told: Mapping[str, Any]) -> tuple[list[str], str]:
    address = redacted(str(told["url"]))
    if vcs := told.get("vcs_info"):
        return [f"{PROJECT} @ {vcs['vcs']}+{address}@{vcs['commit_id']}"], ""
    if "dir_info" in told:
        folder = unquote(urlsplit(address).path)
        editable = ["-e"] if told["dir_info"].get("editable") else []
        return [*editable, folder], "a checkout on this machine"
    return [f"{PROJECT} @ {address}"], ""
