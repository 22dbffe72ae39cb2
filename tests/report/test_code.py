"""The user's own code in the plan, and in every file of the report."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compat import workflow
from compat.analysis import Results
from compat.api.moves import Move, broken
from compat.config import ConfigError
from compat.report import summary
from compat.report.code import sentence
from compat.report.page import render
from compat.report.verdict_file import verdict_json

_CONFIG = """\
schema = 1
[targets.old]
flavour = "tensorrt_rtx"
version = "1.4.0.76"
role = "current"
[targets.new]
flavour = "tensorrt_rtx"
version = "1.7.1.116"
role = "candidate"
[models.resnet50]
source = "builtin:resnet50"
axes = { batch = [1, 8, 16] }
[code]
paths = ["src"]
"""
_CODE = "import tensorrt_rtx as trt\nx = trt.CalibrationAlgoType\n"


def _planned(tmp_path: Path, code: str = _CODE) -> dict[str, Any]:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "<a>.py").write_text(code, encoding="utf-8")
    config = tmp_path / "compat.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    options = workflow.Options(config=config, work=tmp_path / "w", out=tmp_path / "o")
    found: dict[str, Any] = json.loads(workflow.lay_out(options)[1].text())
    return found


def _with(results: Results, code: list[dict[str, Any]]) -> Results:
    return replace(results, plan={**results.plan, "code": code})


@pytest.fixture
def told(results: Results) -> Results:
    """The default-like run, with code in which 12 places break in its first upgrade."""
    upgrade = results.upgrades[0]
    finding = {
        "rule": "gone", "file": "src/<a>.py", "line": 2, "column": 1, "symbol": "X",
        "level": "error",
        "message": "X is not in <b>", "breaks_at": "2", "replacement": "Y", "source": "",
        "confidence": "high",
    }  # fmt: skip
    warning = finding | {"level": "warning", "rule": "int64-input", "line": 99}
    entry = {"from": upgrade.current, "to": upgrade.candidate, "releases": ["1", "2"]}
    findings = [warning, *(finding | {"line": line} for line in range(1, 13))]
    return _with(results, [{**entry, "findings": findings, "problem": ""}])


def test_the_plan_holds_what_each_upgrade_breaks(tmp_path: Path) -> None:
    """File names are told from the configuration's folder."""
    (entry,) = _planned(tmp_path)["code"]

    assert (entry["from"], entry["to"], entry["problem"]) == ("old", "new", "")
    (one,) = entry["findings"]
    assert (one["file"], one["line"], one["level"]) == ("src/<a>.py", 2, "error")


def test_a_path_that_is_not_there_names_file_and_key(tmp_path: Path) -> None:
    """Before anything runs."""
    config = tmp_path / "compat.toml"
    config.write_text(_CONFIG, encoding="utf-8")
    options = workflow.Options(config=config, work=tmp_path / "w", out=tmp_path / "o")

    with pytest.raises(ConfigError, match=r"(?s)compat\.toml.*code\.paths: .*src: no such file"):
        workflow.lay_out(options)


def test_a_release_that_was_not_collected_is_a_problem_not_a_stop(tmp_path: Path) -> None:
    """And runtimes that are not TensorRT are passed over."""
    moves = [
        Move("a", "b", "tensorrt", "8.4.1.5", "11.0.0.114"),
        Move("c", "d", "onnxruntime", "1.30.0", "1.31.1"),
    ]
    (entry,) = broken([tmp_path], tmp_path, moves)

    assert "8.4.1.5 was not collected" in entry["problem"]
    assert entry["findings"] == []


def test_the_page_names_every_place_and_the_card_counts_them(told: Results) -> None:
    """What breaks comes first; the user's text is escaped."""
    (page,) = (one.html for one in render(told) if one.name == "index.html")

    assert '<section id="code">' in page
    assert page.count("src/&lt;a&gt;.py:") == 13
    assert page.index("src/&lt;a&gt;.py:12") < page.index("src/&lt;a&gt;.py:99")
    assert '<a href="#code">12 places in your code break, 1 place to look at.</a>' in page
    assert "X is not in <b>" not in page
    # Not by colour alone.
    assert page.count("✗ gone</td>") == 12
    assert page.count("? int64-input</td>") == 1


def test_summary_and_verdict_say_it_too(told: Results) -> None:
    """The summary the first ten places, the verdict the counts."""
    text = summary.markdown(told)
    upgrade = json.loads(verdict_json(told))["upgrades"][0]

    assert "12 places in your code break" in text
    assert text.count("- `src/<a>.py:") == 10
    assert "- and 3 more places" in text
    assert upgrade["code"] == {"breaks": 12, "warnings": 1, "problem": ""}


def test_what_was_broken_before_is_no_deed_of_the_upgrade(tmp_path: Path) -> None:
    """An option that is gone since 10.0 says nothing against going from 10.15 to 10.16."""
    (tmp_path / "build.sh").write_text("trtexec --onnx=m.onnx --workspace=1 --skipInference\n")
    near = Move("a", "b", "tensorrt", "10.15.1.29", "10.16.1.11")
    far = Move("a", "b", "tensorrt", "8.6.1", "10.16.1.11")

    told = [sentence(one) for one in broken([tmp_path], tmp_path, [near, far])]
    assert told == [
        "1 place in your code breaks (1 before the upgrade too).",
        "1 place in your code breaks.",
    ]


def test_it_does_not_change_the_verdict(told: Results, results: Results) -> None:
    """It was read, not run."""
    with_code, without = json.loads(verdict_json(told)), json.loads(verdict_json(results))
    words = [one["verdict"] for one in with_code["upgrades"]]

    assert words == [one["verdict"] for one in without["upgrades"]]
    assert with_code["gate"] == without["gate"]


def test_without_code_nothing_is_said(results: Results) -> None:
    """No section, no sentence; the verdict says null."""
    page = next(one.html for one in render(results) if one.name == "index.html")

    assert "Your code" not in page
    assert "your code" not in summary.markdown(results)
    assert all(one["code"] is None for one in json.loads(verdict_json(results))["upgrades"])


def test_clean_code_and_unread_releases_have_their_sentence(results: Results) -> None:
    """A scan that found nothing is not silence."""
    upgrade = results.upgrades[0]
    entry = {"from": upgrade.current, "to": upgrade.candidate, "releases": [], "findings": []}
    clean = summary.markdown(_with(results, [{**entry, "problem": ""}]))
    unread = summary.markdown(_with(results, [{**entry, "problem": "8.4 was not collected"}]))

    assert "Nothing was found that breaks in your code." in clean
    assert "Your code was not looked at: 8.4 was not collected." in unread
