"""The README's commands are those that CI runs, and what it points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("reports/*/*.md")),
]


def test_ci_runs_what_the_readme_says() -> None:
    """A command that CI does not run is a claim that nobody checks."""
    commands = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")

    assert len(commands) == 2
    assert all(command in ci for command in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_inside_the_repository_resolves(page: Path) -> None:
    """Pictures, pages and reports."""
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))

    missing = [x for x in links if "://" not in x and not (page.parent / x).exists()]
    assert missing == []


def test_the_readme_names_every_exit_code() -> None:
    """What a job's author looks up first."""
    codes = re.findall(r"^\| (\d+) \|", README, re.MULTILINE)

    assert codes == ["0", "1", "2", "4", "130"]
