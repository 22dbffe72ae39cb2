"""A long benchmark judged in pieces: the same answer every time, and never a false alarm."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from tests import builders

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "repeats.py"
CURRENT, AGAIN, LEVEL_0 = "trt-8.6", "trt-8.7", "trt-8.8"
GROUPS = 10


def _load() -> Any:
    """The script as a module: it stands beside the package, not in it."""
    spec = spec_from_file_location("repeats", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = _load()


def _target(name: str, role: str) -> dict[str, Any]:
    return {**builders.target(name, role), "version": "8.6.0"}


def _run(rounds: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One release three times: as it is, again, and 20 % slower; and a slow variant of it."""
    engines = [
        (CURRENT, "plain", 1.0),
        (AGAIN, "plain", 1.0),
        (LEVEL_0, "plain", 1.2),
        (CURRENT, "hc-ampere-plus", 1.22),
    ]
    items, records = [], []
    for seed, (name, variant, factor) in enumerate(engines):
        item = builders.item("latency", "resnet50", "fp16", name, name, "opt", variant)
        items.append(item)
        records += builders.rounds_of(item, seed, base=0.01 * factor, rounds=rounds)
    roles = ((CURRENT, "current"), (AGAIN, "candidate"), (LEVEL_0, "candidate"))
    upgrades = [(CURRENT, AGAIN), (CURRENT, LEVEL_0)]
    return builders.plan(items, [_target(*t) for t in roles], upgrades), records


def _found(comparisons: list[Any], name: str) -> Any:
    (found,) = [c for c in comparisons if name in c.name]
    return found


@pytest.mark.parametrize("size", [4, 6])
def test_every_group_gives_the_same_answer(size: int) -> None:
    comparisons, groups, left = script.repeats(*_run(GROUPS * size + 1), size)

    assert (groups, left) == (GROUPS, 1)
    assert _found(comparisons, AGAIN).words == {"holds": GROUPS}
    assert _found(comparisons, LEVEL_0).words == {"slower": GROUPS}
    variant = _found(comparisons, "hc-ampere-plus")
    assert (variant.kind, variant.words) == ("variant", {"slower": GROUPS})
    assert 1.21 < min(variant.ratios) < max(variant.ratios) < 1.23


def test_a_group_holds_its_own_rounds_only() -> None:
    """A trouble of one minute shows in the group that had it, and in no other."""
    plan, records = _run(3 * 4)
    for record in records:
        if record["builder"] == AGAIN and 5 <= record["round"] <= 8:
            record["numbers"]["median_s"] *= 1.5

    comparisons, _, _ = script.repeats(plan, records, 4)

    assert _found(comparisons, AGAIN).words == {"holds": 2, "slower": 1}


def test_an_output_folder_is_read_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, records = _run(8)
    (tmp_path / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "records.jsonl").write_text(lines, encoding="utf-8")

    assert script.main(["--out", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "2 groups of 4 consecutive rounds; 0 rounds left over" in told
    assert f"{LEVEL_0}/{LEVEL_0}/opt" in told

    assert script.main(["--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["groups"] == 2


def test_too_small_groups_are_refused() -> None:
    with pytest.raises(SystemExit):
        script.main(["--out", "nowhere", "--rounds", "3"])
