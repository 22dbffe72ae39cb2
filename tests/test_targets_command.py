"""``trt-compat targets``: what a person at the terminal sees."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compat.cli import main

MATRIX = """
schema = 1
[targets.box]
flavour = "onnxruntime"
version = "1.31.1"
provider = "container"
image = "localhost/trt-compat-tests/nowhere:1"
[targets.nowhere]
flavour = "onnxruntime"
version = "1.31.1"
provider = "local"
python = "no/such/python"
role = "candidate"
[models.net]
source = "not-here.onnx"
axes = { batch = [1, 2, 4] }
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "compat.toml").write_text(MATRIX, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_the_list_needs_no_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "list"]) == 0

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1][:5] == ["its", "image", "is", "not", "pinned"]
    assert lines[2] == ["nowhere", "onnxruntime", "1.31.1", "candidate", "local"]


def test_the_doctor_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "doctor", "--deep"]) == 1

    text = capsys.readouterr().out
    assert "✗ nowhere" in text
    assert "no/such/python does not exist" in text
    assert "0 of 2 targets can be used here" in text


def test_the_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "doctor", "--json", "--targets", "nowhere"]) == 1

    said = json.loads(capsys.readouterr().out)
    assert [(one["name"], one["usable"]) for one in said["targets"]] == [("nowhere", False)]


@pytest.mark.parametrize("command", ["list", "doctor"])
def test_an_unknown_target_is_a_wrong_call(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["targets", command, "--targets", "typo"]) == 2
    assert "typo" in capsys.readouterr().err
