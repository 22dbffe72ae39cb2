"""What the example matrices ask: the upgrades that a reader takes from them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from compat.config import load_config
from compat.matrix import Selection, plan

EXAMPLES = Path(__file__).parents[2] / "examples"


def _upgrades(name: str) -> list[tuple[str, str]]:
    config = load_config(EXAMPLES / name)
    source = {"path": name, "sha256": "0"}
    planned = plan(config, source=source, quick=False, selection=Selection())
    versions = {target["name"]: target["version"] for target in planned.targets}
    return [(versions[one["from"]], versions[one["to"]]) for one in planned.upgrades]


@pytest.mark.parametrize(
    ("name", "current", "candidates"),
    [
        ("ngc.toml", "8.6.1.6", ["10.0.1.6", "10.16.0.72", "11.0.0.114", "11.2.1.2"]),
        ("jetson.toml", "10.3.0.30", ["10.16.0.72"]),
        ("t4-a10-l4.toml", "8.6.1.6", ["10.7.0.23", "10.16.0.72"]),
    ],
)
def test_each_asks_its_upgrades(name: str, current: str, candidates: list[str]) -> None:
    assert _upgrades(name) == [(current, one) for one in candidates]


def test_the_rules_expect_a_version_compatible_engine_of_8_6_in_10_and_refuse_it_in_11() -> None:
    """8 to 10 and 10 to 11 are documented, 8 to 11 is documented to fail (support matrix 11.4)."""
    config = load_config(EXAMPLES / "ngc.toml")
    source = {"path": "ngc.toml", "sha256": "0"}
    planned = plan(config, source=source, quick=False, selection=Selection())
    versions = {target["name"]: target["version"] for target in planned.targets}

    expected = {
        (versions[item.builder], versions[item.runtime]): item.expectation["outcome"]
        for item in planned.items
        if item.check == "load" and item.variant == "vc" and item.expectation is not None
    }

    assert expected["8.6.1.6", "10.16.0.72"] == "must-load"
    assert expected["10.16.0.72", "11.0.0.114"] == "must-load"
    assert expected["8.6.1.6", "11.0.0.114"] == "must-refuse"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_a_digest_is_never_made_up(path: Path) -> None:
    """Nobody here has pulled these images; a digest is the reader's own to write."""
    targets = tomllib.loads(path.read_text(encoding="utf-8"))["targets"]

    assert not any("digest" in target for target in targets.values())
