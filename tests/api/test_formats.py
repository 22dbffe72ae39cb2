"""What machines read: JSON, SARIF and GitHub's annotations, by the command itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from compat.api import formats
from compat.api.findings import RULES, Finding
from compat.cli import main

# OASIS' schema (Schemata/sarif-schema-2.1.0.json of oasis-tcs/sarif-spec, as the source package of
# sarif-pydantic 0.6.2 on PyPI holds it), without its white space.
SCHEMA = Path(__file__).with_name("sarif-schema-2.1.0.json")
ROOT = Path(__file__).parents[2]
CODE = """\
import tensorrt as trt
def f(config: trt.IBuilderConfig):
    config.max_workspace_size = 1
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file in which one thing breaks from 8.6 to 10."""
    path = tmp_path / "a b.py"
    path.write_text(CODE, encoding="utf-8")
    return path


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(one) for one in arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_table_names_place_rule_and_way_out(
    code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 1, because something breaks."""
    exit_code, out, _ = _run(capsys, "api", "scan", code, "--from", "8.6", "--to", "10.16")

    assert exit_code == 1
    assert "a b.py:3:12: error: [gone] IBuilderConfig.max_workspace_size is not in" in out
    assert "instead: IBuilderConfig.set_memory_pool_limit" in out
    assert "tensorrt 8.6.1 -> 10.16.1.11: 1 break, 0 to look at, in 1 files" in out


def test_nothing_that_breaks_is_exit_0(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same code on 8.6 itself; a warning alone is 0, too."""
    exit_code, out, _ = _run(capsys, "api", "scan", code, "--from", "8.5", "--to", "8.6")
    assert exit_code == 0
    assert "0 break, 0 to look at, in what was read (1 file)" in out
    script = code.with_name("b.sh")
    script.write_text("trtexec --loadEngine=x --iterations=9\n", encoding="utf-8")
    exit_code, out, _ = _run(capsys, "api", "scan", script, "--from", "10.16", "--to", "11")

    assert exit_code == 0
    assert "trtexec-default" in out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("scan", "nowhere", "--from", "8.6", "--to", "11"), "nowhere: no such file or folder"),
        (("scan", ".", "--from", "9.3", "--to", "11"), "9.3 was not collected"),
        (("diff", "8.6", "12"), "choose one of: 8.5.1.7"),
        (("diff", "8.6", "11", "--flavour", "tensorrt_rtx"), "choose one of: 1.4.0.76"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_2(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No stack trace."""
    exit_code, _, err = _run(capsys, "api", *arguments)

    assert exit_code == 2
    assert told in err
    assert "--flavour" not in err  # it is the version that is wrong
    assert err.count("\n") == 1


def test_json_holds_every_field(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And which releases were compared."""
    _, out, _ = _run(capsys, "api", "scan", code, "--from", "8.6", "--to", "10.16", "--json")
    data = json.loads(out)

    assert data["releases"]["tensorrt"] == {"from": "8.6.1", "to": "10.16.1.11"}
    assert data["breaks"] == 1
    (one,) = data["findings"]
    assert (one["rule"], one["line"], one["level"]) == ("gone", 3, "error")


def _every_kind() -> list[Finding]:
    return [
        Finding(rule, name, 1, 1, "a.b", "100 % of: it,\nbreaks", "11.0", "other", "https://x.y")
        for rule in RULES
        for name in ("src/a b.py", "/abs/ü.py", "C%20.py")
    ]


def test_sarif_is_valid_by_the_official_schema() -> None:
    """OASIS' sarif-schema-2.1.0.json; names with spaces and absolute paths included."""
    jsonschema: Any = pytest.importorskip("jsonschema")
    log = formats.as_sarif(_every_kind())

    jsonschema.Draft7Validator(
        json.loads(SCHEMA.read_text(encoding="utf-8")),
        format_checker=jsonschema.FormatChecker(),
    ).validate(log)
    assert formats.as_sarif([])["runs"][0]["results"] == []


def test_sarif_results_point_at_their_rules(code: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As printed by the command."""
    call = ("api", "scan", code, "--from", "8.6", "--to", "10.16", "--format", "sarif")
    exit_code, out, _ = _run(capsys, *call)
    (run,) = json.loads(out)["runs"]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]

    assert exit_code == 1
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "gone"
    assert place["region"]["startLine"] == 3
    assert place["artifactLocation"]["uri"].startswith("file:///")
    assert place["artifactLocation"]["uri"].endswith("a%20b.py")


def test_annotations_are_one_line_each_and_escaped() -> None:
    """A comma or a colon in a property, and a newline in the text, would end them early."""
    lines = formats.as_annotations(_every_kind())

    assert all(
        re.match(r"::(error|warning) file=[^,:]+,line=1,col=1,title=[^,:]+::", one) for one in lines
    )
    assert not any("\n" in one for one in lines)
    assert "100 %25 of: it,%0Abreaks" in lines[0]


@pytest.mark.parametrize("kind", ["table", "json", "sarif", "github"])
@pytest.mark.parametrize("name", [b"bad\xff.py", b"red\x1b[31m.py", b"two\nlines.py"])
def test_a_name_that_is_no_text_is_told(name: bytes, kind: str, tmp_path: Path) -> None:
    """Nothing of it talks to the terminal, and what cannot be encoded is escaped."""
    (tmp_path / os.fsdecode(name)).write_text(CODE, encoding="utf-8")
    command = [sys.executable, "-m", "compat", "api", "scan", ".", "--from", "8.6", "--to", "11"]

    done = subprocess.run(
        [*command, "--format", kind],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "")
    if kind in ("json", "sarif"):
        data = json.loads(done.stdout)
    if kind == "sarif":
        (result,) = data["runs"][0]["results"]
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert unquote_to_bytes(uri) == name
    if kind == "table":
        assert len(done.stdout.splitlines()) == 3
        assert "\x1b" not in done.stdout


def test_a_folder_that_cannot_be_listed_is_told(
    code: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Code that was not read is a warning, as a file that cannot be read."""
    (code.parent / "closed").mkdir()
    real = os.scandir

    def scandir(place: str) -> object:
        if str(place).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)

    _, out, _ = _run(capsys, "api", "scan", code.parent, "--from", "8.6", "--to", "10.16")

    assert "closed:1:1: warning: [unread] not scanned: a folder that cannot be listed" in out


def test_confidence_leaves_out_what_is_less_certain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And then it breaks nothing."""
    path = tmp_path / "a.py"
    path.write_text("def f(engine):\n    engine.get_binding_shape(0)\n", encoding="utf-8")
    call = ("api", "scan", path, "--from", "8.6", "--to", "10.16")

    assert _run(capsys, *call)[0] == 1
    assert _run(capsys, *call, "--confidence", "medium")[0] == 0


def test_diff_tells_what_is_gone_renumbered_and_new(capsys: pytest.CaptureFixture[str]) -> None:
    """10.16 to 11."""
    exit_code, out, _ = _run(capsys, "api", "diff", "10.16", "11")

    assert exit_code == 0
    assert "BuilderFlag.FP16  (11.0.0.114)  -> types in the ONNX graph" in out
    assert "BuilderFlag.VERSION_COMPATIBLE  (11.0.0.114)  13 -> 12" in out
    assert "ITensor.dtype  (11.0.0.114)  DataType, can be set -> DataType" in out
    assert "IInt8Calibrator.get_batch" not in out


def test_diff_as_json_and_of_a_release_with_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing differs there."""
    _, out, _ = _run(capsys, "api", "diff", "8.6", "10.0.1", "--json")
    changes = json.loads(out)["changes"]
    renamed = {one["symbol"]: one["replacement"] for one in changes if one["what"] == "renamed"}

    assert renamed["ResizeMode"] == "InterpolationMode"
    assert "nothing differs" in _run(capsys, "api", "diff", "11", "11.4")[1]
    lean = _run(capsys, "api", "diff", "10.16", "11", "--flavour", "tensorrt_lean")[1]
    assert "ICudaEngine.has_implicit_batch_dimension" in lean
    assert "Builder.platform_has_fast_fp16" not in lean


@pytest.mark.parametrize(
    "call", [("api", "--help"), ("api", "scan", "--help"), ("api", "diff", "-h")]
)
def test_help(call: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """With the exit codes."""
    with pytest.raises(SystemExit) as left:
        main(call)

    assert left.value.code == 0
    assert "api" in capsys.readouterr().out
