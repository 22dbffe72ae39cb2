"""``trt-compat init``: what is found in a repository, and that the files it writes work at once."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from compat import workflow
from compat.cli import main
from compat.starting import session, surroundings, writing
from compat.starting.onnxfiles import search
from compat.starting.surroundings import Installed, Surroundings
from compat.suite.driver import Driver, Gpu

NO_GPU = Driver(None, [], "no CUDA driver (libcuda.so.1 is not on this machine)")
Look = Callable[[Path, Path | None], Surroundings]


def _network(path: Path, *shape: int | str, dtype: Any = np.float32) -> Path:
    """Write one matrix product over the last axis of `shape`, which has 8 numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weight = numpy_helper.from_array(np.eye(8, dtype=dtype), "w")
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="fc")],
        "net",
        [helper.make_tensor_value_info("x", kind, list(shape))],
        [helper.make_tensor_value_info("y", kind, list(shape))],
        [weight],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def _machine(
    arch: str | None = None, cuda: str = "13.0", engine: str | None = None, **more: Any
) -> Look:
    """Return a look at a machine that is not this one."""
    driver = Driver(cuda, [Gpu("A GPU", arch)], "") if arch else NO_GPU
    return lambda folder, python: Surroundings(driver, engine, more.get("installed"))


def _matrix(folder: Path, looking: Look) -> dict[str, Any]:
    """Write the files and return what ``compat.toml`` says; it must lead to a plan."""
    writing.write(writing.prepare(folder, looking=looking))
    path = folder / "compat.toml"
    _, planned = workflow.lay_out(workflow.Options(path, folder / "work", folder / "out"))
    assert planned.items
    assert planned.upgrades
    return tomllib.loads((folder / "compat.toml").read_text(encoding="utf-8"))


def _roles(matrix: dict[str, Any], flavour: str) -> dict[str, str]:
    return {
        target["version"]: target["role"]
        for target in matrix["targets"].values()
        if target["flavour"] == flavour
    }


def test_what_it_writes_can_be_planned_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _network(tmp_path / "nets" / "my net.onnx", "batch", 8)
    monkeypatch.chdir(tmp_path)

    assert main(["init"]) == 0
    said = capsys.readouterr().out
    assert main(["plan"]) == 0

    planned = capsys.readouterr().out
    assert "wrote compat.toml" in said
    assert "build/my-net/fp16-strong/plain/" in planned
    assert "upgrade to judge: ort-" in planned


def test_a_machine_without_a_gpu_still_gets_something_that_runs(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, _machine(engine="podman"))

    flavours = {target["flavour"] for target in matrix["targets"].values()}
    assert flavours == {"tensorrt_rtx", "onnxruntime"}
    assert all("provider" not in target for target in matrix["targets"].values())
    assert sorted(_roles(matrix, "onnxruntime").values()) == ["candidate", "current"]
    assert matrix["gate"] == {"inconclusive": "allow", "not-run": "allow"}
    assert matrix["models"]["resnet50"]["source"] == "builtin:resnet50"


@pytest.mark.parametrize(
    ("arch", "cuda", "versions"),
    [
        ("sm_90", "13.0", ["10.16.1.11", "11.2.1.2"]),
        ("sm_75", "12.4", ["8.6.1.6", "10.11.0.33"]),
        ("sm_70", "13.0", ["8.6.1.6", "10.4.0.26"]),  # Volta ended with 10.4
        ("sm_61", "13.0", ["8.6.1.2", "8.6.1.6"]),  # Pascal ended with 8.6
        ("sm_120", "12.8", ["10.10.0.31", "10.11.0.33"]),
        ("sm_120", "13.0", ["10.16.1.11", "11.2.1.2"]),
    ],
)
def test_images_are_those_that_the_gpu_and_the_driver_take(
    arch: str, cuda: str, versions: list[str], tmp_path: Path
) -> None:
    matrix = _matrix(tmp_path, _machine(arch, cuda, "docker"))

    assert list(_roles(matrix, "tensorrt")) == versions
    chosen = [t for t in matrix["targets"].values() if t["flavour"] == "tensorrt"]
    assert {target["provider"] for target in chosen} == {"container"}
    assert all(t["image"].startswith("nvcr.io/nvidia/tensorrt:2") for t in chosen)
    assert all("digest" not in target for target in chosen)
    assert "gate" not in matrix


def test_an_installed_tensorrt_is_what_is_in_production(tmp_path: Path) -> None:
    installed = Installed("10.9.0.34", tmp_path / ".venv/bin/python", "3.12.3")

    matrix = _matrix(tmp_path, _machine("sm_89", "13.0", "docker", installed=installed))

    assert _roles(matrix, "tensorrt") == {"10.9.0.34": "current", "11.2.1.2": "candidate"}
    local = matrix["targets"]["trt-10.9.0.34"]
    assert (local["provider"], local["python"]) == ("local", ".venv/bin/python")


def test_an_installed_tensorrt_without_its_fourth_part_is_told(tmp_path: Path) -> None:
    installed = Installed("10.3.0", Path("/usr/bin/python3"), "3.12.3")

    matrix = _matrix(tmp_path, _machine(installed=installed))

    assert _roles(matrix, "tensorrt") == {}
    assert "has TensorRT 10.3.0" in (tmp_path / "compat.toml").read_text()


def test_a_gpu_that_tensorrt_rtx_refuses_gets_no_target_of_it(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, _machine("sm_90"))

    assert _roles(matrix, "tensorrt_rtx") == {}
    assert _roles(matrix, "tensorrt") == {"8.6.0": "current"}
    assert "TensorRT-RTX is left out" in (tmp_path / "compat.toml").read_text()


def test_axes_without_a_safe_size_are_called_a_guess(tmp_path: Path) -> None:
    _network(tmp_path / "text.onnx", "batch", "seq_len", 8)

    matrix = _matrix(tmp_path, _machine())

    assert matrix["models"]["text"]["axes"] == {"batch": [1, 8, 16], "seq_len": [1, 64, 128]}
    assert "seq_len = [1, 64, 128] # A GUESS" in (tmp_path / "compat.toml").read_text()


def test_an_axis_of_any_name_leads_to_a_valid_file(tmp_path: Path) -> None:
    """Exporters write whatever they like: shape expressions, dots, quotes."""
    axes = ["N", 'floor(x/2) + "1"', "past.length", 8]
    _network(tmp_path / "net.onnx", *axes)

    found = _matrix(tmp_path, _machine())["models"]["net"]["axes"]

    assert list(found) == axes[:3]


@pytest.mark.parametrize(
    "name",
    [
        "a b\N{SNOWMAN}.onnx",
        '"quoted".onnx',
        "two\nlines.onnx",
        "tab\t.onnx",
        "...onnx",
        "\x7f.onnx",
    ],
)
def test_any_file_name_leads_to_a_valid_file(name: str, tmp_path: Path) -> None:
    _network(tmp_path / name, 1, 8)

    matrix = _matrix(tmp_path, _machine())

    assert [model["source"] for model in matrix["models"].values()] == [name]


def test_a_name_that_toml_cannot_hold_is_told(tmp_path: Path) -> None:
    _network(tmp_path / "a.onnx", 1, 8).rename(tmp_path / os.fsdecode(b"b\xff.onnx"))

    _matrix(tmp_path, _machine())

    assert "name is not UTF-8" in (tmp_path / "compat.toml").read_text(encoding="utf-8")


def test_files_of_one_name_get_two(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        _network(tmp_path / folder / "net.onnx", 1, 8)

    assert list(_matrix(tmp_path, _machine())["models"]) == ["net", "net-2"]


def test_half_precision_weights_are_told(tmp_path: Path) -> None:
    _network(tmp_path / "half.onnx", 1, 8, dtype=np.float16)

    _matrix(tmp_path, _machine())

    assert "weights are FLOAT16" in (tmp_path / "compat.toml").read_text()


def test_the_search_passes_over_what_is_not_the_users(tmp_path: Path) -> None:
    for folder in (".git", "node_modules", ".venv/lib", "lib/python3.11/site-packages/onnx"):
        _network(tmp_path / folder / "foreign.onnx", 1, 8)
    _network(tmp_path / "named-otherwise" / "lib" / "foreign.onnx", 1, 8)
    (tmp_path / "named-otherwise" / "pyvenv.cfg").touch()
    (tmp_path / "dead.onnx").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    _network(tmp_path / "mine.onnx", 1, 8)

    found = search(tmp_path)

    assert [model.path for model in found.models] == ["mine.onnx"]
    assert found.refused == ()


def test_a_folder_that_may_not_be_entered_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root every folder may be entered, so the refusal is played."""
    _network(tmp_path / "mine.onnx", 1, 8)
    (tmp_path / "closed").mkdir()
    is_file = Path.is_file

    def refusing(path: Path) -> bool:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refusing)

    assert [model.path for model in search(tmp_path).models] == ["mine.onnx"]


def test_a_folder_of_somebody_elses_is_a_wrong_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)

    assert main(["init", str(tmp_path)]) == 2
    assert "may not be looked into" in capsys.readouterr().err


def test_what_was_named_and_holds_nothing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.onnx").write_text("no network")

    assert main(["init", str(tmp_path), "--python", "/bin/false"]) == 0

    out = capsys.readouterr().out
    assert "/bin/false has none" in out
    assert f"stands in {tmp_path / 'compat.toml'}" in out
    assert f"next: cd {tmp_path}, trt-compat plan" in out


@pytest.mark.parametrize("has_gpu", [True, False])
def test_a_gate_that_lets_pass_is_never_silent(
    has_gpu: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Committed as it is, the file would gate nothing on a machine with a GPU."""
    looking = _machine("sm_89" if has_gpu else None)
    monkeypatch.setattr("compat.commands.init.prepare", partial(writing.prepare, looking=looking))

    assert main(["init", str(tmp_path)]) == 0

    told = "delete it where you gate" in capsys.readouterr().out
    assert told is not has_gpu
    assert ("[gate]" in (tmp_path / "compat.toml").read_text()) is told


def test_the_search_has_an_end(tmp_path: Path) -> None:
    for number in range(4):
        _network(tmp_path / f"{number}.onnx", 1, 8)
        _network(tmp_path / "deep" / f"{number}.onnx", 1, 8)

    few = search(tmp_path, most_models=3)
    short = search(tmp_path, most_entries=2)

    assert [model.path for model in few.models] == ["0.onnx", "1.onnx", "2.onnx"]
    assert len(few.left_out) == 5
    assert short.cut_short
    assert len(short.models) == 4


def test_a_file_that_is_no_network_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_text("version https://git-lfs.github.com/spec/v1\n")
    _network(tmp_path / "good.onnx", 1, 8)

    assert list(_matrix(tmp_path, _machine())["models"]) == ["good"]
    assert "Git LFS pointer" in (tmp_path / "compat.toml").read_text()


def test_nothing_that_stands_there_is_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compat.toml").write_text("mine")

    assert main(["init", str(tmp_path)]) == 2

    assert "--force" in capsys.readouterr().err
    assert (tmp_path / "compat.toml").read_text() == "mine"
    assert not (tmp_path / "noxfile.py").exists()


def test_a_noxfile_of_somebody_elses_stays_even_with_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "noxfile.py").write_text("import nox\n")
    (tmp_path / "compat.toml").write_text("old")

    assert main(["init", str(tmp_path), "--force"]) == 0

    assert (tmp_path / "noxfile.py").read_text() == "import nox\n"
    assert (tmp_path / "compat.toml").read_text() != "old"
    assert "interrupt_timeout=30" in capsys.readouterr().out


def test_a_dry_run_prints_both_and_writes_neither(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "compat.toml").write_text("mine")

    assert main(["init", str(tmp_path), "--dry-run"]) == 0

    said = capsys.readouterr().out
    assert "[targets." in said
    assert "@nox.session" in said
    assert (tmp_path / "compat.toml").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["compat.toml"]


def test_it_speaks_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _network(tmp_path / "net.onnx", "batch", "width", 8)

    assert main(["init", str(tmp_path), "--json", "--dry-run"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["models"] == [{"name": "net", "path": "net.onnx", "guessed": ["width"]}]
    assert not said["written"]
    assert said["files"][str(tmp_path / "compat.toml")].startswith("#")


@pytest.mark.parametrize("arguments", [["no/such/folder"], [".", "--python", "no/such/python"]])
def test_a_wrong_call_is_said_in_a_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["init", *arguments]) == 2


def test_an_interpreter_is_asked_for_its_tensorrt(tmp_path: Path) -> None:
    """A stand-in package: the version is read from the interpreter, by importing it."""
    (tmp_path / "tensorrt.py").write_text('print("noise")\n__version__ = "10.9.0.34"\n')
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)

    found = surroundings.look(tmp_path, python, {"PATH": ""})

    assert found.installed is not None
    assert (found.installed.version, found.installed.python) == ("10.9.0.34", python)
    assert found.engine is None


def test_a_container_engine_is_found_on_path(tmp_path: Path) -> None:
    (tmp_path / "podman").touch(mode=0o755)

    assert surroundings.look(tmp_path, Path(sys.executable), {"PATH": str(tmp_path)}).engine == (
        "podman"
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            {"url": "https://u:secret@host/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            ["trt-compat @ git+https://***@host/r.git@abc"],
        ),
        ({"url": "file:///a%20b", "dir_info": {"editable": True}}, ["-e", "/a b"]),
        ({"url": "file:///a", "dir_info": {}}, ["/a"]),
        (
            {"url": "https://host/x.whl", "archive_info": {}},
            ["trt-compat @ https://host/x.whl"],
        ),
    ],
)
def test_the_noxfile_installs_what_this_program_was_installed_from(
    told: dict[str, Any], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PEP 610 says where from; a password in the address is not written into a file of git."""

    class _Installed:
        version = "0.1.0"

        def read_text(self, name: str) -> str:
            assert name == "direct_url.json"
            return json.dumps(told)

    monkeypatch.setattr(session, "distribution", lambda name: _Installed())

    text = session.noxfile()

    compile(text, "noxfile.py", "exec")
    assert f"session.install({', '.join(map(json.dumps, words))})" in text
    assert "secret" not in text
    # Nox kills after half a second otherwise, and containers would stay behind.
    assert "*session.posargs, interrupt_timeout=30)" in text
