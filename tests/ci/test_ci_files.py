"""The CI files that a user copies: valid for their service, and true of this program's commands."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compat.cli import _parser

pytest.importorskip("check_jsonschema", reason="check-jsonschema is in the test group")
yaml = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml comes with check-jsonschema")

FOLDER = Path(__file__).parents[2] / "docs" / "ci"
SCHEMAS = {
    "github-actions.yml": "vendor.github-workflows",
    "gitlab-ci.yml": "vendor.gitlab-ci",
}
#: What a report's folder holds, see README.md.
REPORT = "reports/latest"


def _read(name: str) -> Any:
    """YAML 1.2, in which `on` is a word."""
    return yaml.YAML(typ="safe").load((FOLDER / name).read_text(encoding="utf-8"))


def _scripts() -> Iterator[tuple[str, str]]:
    """Yield every shell script of both files."""
    for step in _read("github-actions.yml")["jobs"]["compat"]["steps"]:
        if "run" in step:
            yield "github-actions.yml", step["run"]
    for job in _read("gitlab-ci.yml").values():
        for part in ("before_script", "script"):
            for line in job.get(part, ()):
                yield "gitlab-ci.yml", line


def _commands() -> list[list[str]]:
    """Return the words behind each `trt-compat` of the scripts."""
    found = []
    for _, script in _scripts():
        for line in re.findall(r"^\s*(?:\.venv/bin/)?trt-compat (.*)$", script, re.MULTILINE):
            words = shlex.split(line.removesuffix("|| true").replace('"${more[@]}"', ""))
            found.append(words)
    return found


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_the_service_would_take_it(name: str, schema: str) -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]

    done = subprocess.run([*check, str(FOLDER / name)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items())
def test_the_check_finds_a_misspelt_key(name: str, schema: str, tmp_path: Path) -> None:
    """Else the test above says nothing."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(
        text.replace("runs-on:", "run-on:").replace("  script:", "  scirpt:")
    )
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema]

    done = subprocess.run([*check, str(tmp_path / name)], capture_output=True, check=False)

    assert done.returncode == 1


def test_every_command_is_one_of_this_programs() -> None:
    commands = _commands()

    parsed = [_parser().parse_args(words) for words in commands]

    assert [one.call for one in parsed] == ["targets.doctor", "run.run"] * 2
    assert all(str(one.out) == REPORT for one in parsed if one.call == "run.run")


@pytest.mark.parametrize(("name", "script"), list(_scripts()))
def test_every_script_is_bash(name: str, script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"{name}: {done.stderr}"


def test_the_report_is_kept_whatever_the_gate_says() -> None:
    steps = {
        step.get("name"): step for step in _read("github-actions.yml")["jobs"]["compat"]["steps"]
    }
    job = _read("gitlab-ci.yml")["trt-compat"]

    taken, kept = steps["Take the work folder of the last run"], steps["Keep the work folder"]
    assert steps["Keep the report"]["if"] == "always()"
    assert kept["if"].startswith("always() && ")
    assert (kept["with"]["path"], kept["with"]["key"]) == (
        taken["with"]["path"],
        taken["with"]["key"],
    )
    assert steps["Keep the report"]["with"]["path"].rstrip("/") == REPORT
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"]["junit"] == f"{REPORT}/junit.xml"


def test_nothing_between_the_run_and_the_job_hides_its_exit_code() -> None:
    """The gate is the exit code."""
    steps = {
        step.get("name"): step for step in _read("github-actions.yml")["jobs"]["compat"]["steps"]
    }
    job = _read("gitlab-ci.yml")["trt-compat"]

    assert "continue-on-error" not in steps["Run the matrix"]
    assert steps["Run the matrix"]["run"].rstrip().splitlines()[-1].startswith("trt-compat run ")
    assert ".venv/bin/trt-compat run " in job["script"][-1]
    assert "allow_failure" not in job


@pytest.mark.parametrize("name", list(SCHEMAS))
def test_only_the_engines_of_the_run_are_handed_on(name: str, tmp_path: Path) -> None:
    """A work folder that stays has engines in it that another gate stopped."""
    report, engines = tmp_path / REPORT, tmp_path / ".trt-compat" / "engines"
    lines = []
    for word, status in (("mine", "ok"), ("broken", "failed")):
        files = {"engine": f"engines/{word}/net.engine"} if status == "ok" else {}
        lines.append(json.dumps({"check": "build", "status": status, "files": files}))
    lines.append(json.dumps({"check": "load", "status": "ok", "files": {}}))
    report.mkdir(parents=True)
    (report / "records.jsonl").write_text("\n".join(lines) + "\n")
    for word in ("mine", "others"):
        (engines / word).mkdir(parents=True)
        for end in ("", ".json"):
            (engines / word / f"net.engine{end}").write_text(word)
    script = "\n".join(script for where, script in _scripts() if where == name and "tar " in script)
    if name == "gitlab-ci.yml":
        script = "\n".join(_read(name)["trt-compat-engines"]["script"])
    env = {**os.environ, "RUNNER_TEMP": str(tmp_path), "WORK": str(tmp_path / ".trt-compat")}

    done = subprocess.run(
        ["bash", "-e"], input=script, cwd=tmp_path, env=env, text=True, check=False
    )

    assert done.returncode == 0
    with tarfile.open(tmp_path / "engines.tar") as archive:
        assert archive.getnames() == [
            "engines/mine/net.engine",
            "engines/mine/net.engine.json",
        ]


def test_a_stranger_cannot_run_code_on_the_runner() -> None:
    """No words of a dispatch go through the shell, and no fork's pull request runs at all."""
    workflow = _read("github-actions.yml")

    scripts = [script for name, script in _scripts() if name == "github-actions.yml"]
    assert not any("${{" in script for script in scripts)
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["compat"]["if"]
    assert workflow["permissions"] == {"contents": "read"}
