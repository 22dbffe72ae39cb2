"""The house: lower floors never import higher ones, and the tree stays as small as it should."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compat"
# Lowest first; each set may import itself and what stands before it.
FLOORS = (
    {"suite"},
    {"errors", "prepared", "atomic"},
    {"engine", "api"},
    {"config", "records"},
    {"matrix", "typings"},
    {"targets", "models", "images"},
    {"analysis"},
    {"interchange"},
    {"report"},
    {"settings", "conductor"},
    {"workflow", "starting"},
    {"bundle"},
    {"commands", "cli", "__main__"},
)
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _floor(name: str) -> int:
    return next(level for level, names in enumerate(FLOORS) if name in names)


def _part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[str]:
    """Yield the parts of the package that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        yield from (n.split(".")[1] for n in names if n.startswith("compat.") and "__" not in n)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_imports_a_higher_floor(path: Path) -> None:
    """The order stands in ``compat/__init__.py``."""
    level = _floor(_part(path))

    assert [name for name in _imports(path) if _floor(name) > level] == []


def test_the_suite_imports_nothing_of_the_host_side() -> None:
    """It runs inside a target, where the rest of the package is not."""
    found = {name for path in (PACKAGE / "suite").rglob("*.py") for name in _imports(path)}

    assert found == set()


def test_no_file_in_git_is_over_a_megabyte() -> None:
    """A clone stays small for ten years; reports, caches and pictures count too."""
    if not (ROOT / ".git").exists():
        pytest.skip("this tree is no clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    sizes = {str(path): path.stat().st_size for path in files if path.is_file()}

    assert {path: size for path, size in sizes.items() if size > 1_000_000} == {}


def test_no_module_is_too_long_to_have_one_reason_to_change() -> None:
    """400 lines are where the loved codebases of this field stop."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}

    assert {str(path): count for path, count in lines.items() if count > 400} == {}
