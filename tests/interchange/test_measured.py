"""``[bench] trtexec``: planned where it can run, shown, and never part of any judgement."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import html5lib
import pytest

from compat import analysis, report
from compat.cli import main
from compat.config import load_config
from compat.matrix import Selection, plan
from compat.report import page
from compat.suite.trtexec import LEVELLED
from tests import builders

MATRIX = """
schema = 1
precisions = ["fp16"]
variants = ["plain", "vc"]
[targets.old]
flavour = "tensorrt"
version = "8.6.1.6"
role = "current"
[targets.new]
flavour = "tensorrt"
version = "10.16.0.72"
role = "candidate"
[targets.ort]
flavour = "onnxruntime"
version = "1.31.1"
variants = ["plain"]
[models.net]
source = "builtin:resnet50"
[bench]
trtexec = {}
"""


def _planned(tmp_path: Path, switch: str) -> list[Any]:
    path = tmp_path / "compat.toml"
    path.write_text(MATRIX.format(switch))
    source = {"path": path.name, "sha256": "0"}
    planned = plan(load_config(path), source=source, quick=False, selection=Selection())
    return [item for item in planned.items if item.check.startswith("trtexec")]


def test_it_is_planned_for_plain_engines_of_full_tensorrt_at_home(tmp_path: Path) -> None:
    items = _planned(tmp_path, '["load"]')

    assert {i.check for i in items} == {"trtexec_load"}
    assert {(i.builder, i.runtime, i.typing, i.variant, i.point) for i in items} == {
        ("old", "old", "weak", "plain", "opt"),
        ("new", "new", "weak", "plain", "opt"),
        ("new", "new", "strong", "plain", "opt"),
    }


def test_it_is_off_where_nobody_asks(tmp_path: Path) -> None:
    assert _planned(tmp_path, "[]") == []


def test_its_own_build_is_planned_beside_ours_where_asked_for(tmp_path: Path) -> None:
    items = _planned(tmp_path, '["load", "build"]')

    loaded, built = ([i for i in items if i.check == f"trtexec_{w}"] for w in ("load", "build"))
    assert len(built) == len(loaded) == 3


def test_a_build_of_its_own_may_take_as_long_as_ours(tmp_path: Path) -> None:
    (tmp_path / "compat.toml").write_text(MATRIX.format("[]"))
    limits = load_config(tmp_path / "compat.toml").timeouts.by_check()

    assert limits["trtexec_build"] == limits["build"] + limits["latency"]
    assert limits["trtexec_load"] == limits["latency"]


def _run(
    status: str | None, median_s: float, check: str = "trtexec_load"
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a run that holds, with a cross-check of its first timed item in this state."""
    planned, records = builders.default_run(troubled=False)
    ran = {r["item"] for r in records if r["check"] == "latency" and r["status"] == "ok"}
    timed = next(i for i in planned["items"] if i["id"] in ran)
    if status is None:
        return planned, records
    item = {**timed, "check": check, "phase": "check"}
    item["id"] = item["id"].replace("latency/", f"{check}/", 1)
    facts = {"tool": "trtexec", "tool_version": "8.6.1", "arguments": list(LEVELLED)}
    record = builders.record(
        item,
        status,
        reason="" if status == "ok" else "trtexec-failed",
        message="" if status == "ok" else "exit code 1",
        numbers={"median_s": median_s, "n": 10, "build_s": 1e4} if status == "ok" else {},
        facts={**facts, "passed": True},
    )
    record["target"] = {**record["target"], "version": "8.6.1"}
    return {**planned, "items": [*planned["items"], item]}, [*records, record]


@pytest.mark.parametrize("check", ["trtexec_load", "trtexec_build"])
@pytest.mark.parametrize("status", ["ok", "failed", "crashed", "timeout", "unsupported", "not-run"])
def test_no_verdict_and_no_gate_sees_it(status: str, check: str) -> None:
    """Ten seconds beside milliseconds, or no answer at all: the judgement is the same."""
    without = analysis.compile(*_run(None, 0.0))
    beside = analysis.compile(*_run(status, 10.0, check))

    assert beside.gate == without.gate
    assert beside.upgrades == without.upgrades
    assert beside.claims == without.claims
    assert beside.variants == without.variants


@pytest.mark.parametrize("status", ["ok", "failed"])
def test_it_colours_no_cell_and_fails_no_test(status: str, tmp_path: Path) -> None:
    report.write(analysis.compile(*_run(None, 0.0)), tmp_path / "a", records_path=tmp_path / "no")
    report.write(analysis.compile(*_run(status, 9.0)), tmp_path / "b", records_path=tmp_path / "no")
    without, beside = ((tmp_path / n / "junit.xml").read_text() for n in ("a", "b"))

    assert beside.count("<failure") == without.count("<failure")
    assert beside.count("<error") == without.count("<error")


def test_the_list_puts_it_beside_our_own_median(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned, records = _run("ok", 10.0)
    (tmp_path / "plan.json").write_text(json.dumps(planned))
    (tmp_path / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))

    assert main(["crosscheck", "list", "--out", str(tmp_path), "--json"]) == 0

    (row,) = json.loads(capsys.readouterr().out)
    assert row["item"].startswith("crosscheck/trtexec_load/")
    assert row["facts"]["differs"] == []
    assert row["compared"]["word"] == "differs"
    assert row["compared"]["ratio"] > 100


def _crosscheck_rows(planned: dict[str, Any], records: list[dict[str, Any]]) -> list[list[str]]:
    (only,) = page.render(analysis.compile(planned, records))
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(only.html)
    rows = tree.findall(".//section[@id='crosschecks']//tbody/tr")
    return [["".join(cell.itertext()) for cell in row] for row in rows]


def test_the_page_shows_both_medians_and_their_ratio() -> None:
    planned, records = _run("ok", 0.008)
    item = planned["items"][-1]["id"].replace("trtexec_load/", "latency/", 1)
    ours = median(r["numbers"]["median_s"] for r in records if r["item"] == item)

    (row,) = _crosscheck_rows(planned, records)

    assert row[4] == "trtexec, our engine"
    assert row[6] == "8.00"
    assert row[7].endswith(f"{0.008 / ours:.3f}")


@pytest.mark.parametrize("status", [None, "failed", "unsupported"])
def test_the_page_has_no_such_section_where_trtexec_said_nothing(status: str | None) -> None:
    assert _crosscheck_rows(*_run(status, 0.0)) == []
