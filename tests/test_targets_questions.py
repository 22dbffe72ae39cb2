"""The questions that people bring to the catalogue, asked at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compat.cli import main
from compat.commands import targets as commands
from compat.config import load_config
from compat.suite.driver import Driver, Gpu
from compat.targets import devices

Out = pytest.CaptureFixture[str]

MATRIX = """
schema = 1
[targets."trt-8.6.0"]
flavour = "tensorrt"
version = "8.6.0"
role = "current"
[targets."trt-10.5"]
flavour = "tensorrt"
version = "10.5.0"
role = "candidate"
cuda = "12"
index = "https://index.example/simple"
[targets."lean-13"]
flavour = "tensorrt_lean"
version = "11.0.0.114"
cuda = "13"
[targets."mine"]
flavour = "tensorrt"
version = "10.3.0.26"
provider = "local"
[targets."ort"]
flavour = "onnxruntime"
version = "1.31.1"
[models.net]
source = "not-here.onnx"
axes = { batch = [1, 2, 4] }
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = MATRIX.replace('version = "10.5.0"', 'version = "10.5.0.18"')
    (tmp_path / "compat.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def _json(out: Out, *arguments: str, code: int = 0) -> Any:
    assert main(["targets", *arguments, "--json"]) == code
    return json.loads(out.readouterr().out)


def _names(found: Any, provider: str = "container") -> list[str]:
    return [one["name"] for one in found["offers"] if one["provider"] == provider]


class TestSuggest:
    """`trt-compat targets suggest`."""

    def test_which_images_have_tensorrt_10_13(self, capsys: Out) -> None:
        found = _json(capsys, "suggest", "--tensorrt", "10.13", "--provider", "container")

        assert _names(found) == ["25.08", "25.09", "25.10"]
        assert found["offers"][2]["tensorrt"] == "10.13.3.9"
        assert found["offers"][2]["image"] == "nvcr.io/nvidia/tensorrt:25.10-py3"

    def test_which_run_on_driver_535_with_a_t4(self, capsys: Out) -> None:
        found = _json(capsys, "suggest", "--driver", "535", "--gpu", "T4")
        verdicts = {one["name"]: one["verdict"] for one in found["offers"]}

        assert verdicts["23.10"] == "yes"
        assert verdicts["24.08"] == "limits"
        assert verdicts["25.06"] == "limits"
        assert verdicts["26.06"] == "unknown"
        assert all(one["reasons"] for one in found["offers"])

    def test_the_newest_that_still_supports_volta(self, capsys: Out) -> None:
        assert main(["targets", "suggest", "--gpu", "volta", "--newest"]) == 0

        text = capsys.readouterr().out
        lines = [line.split() for line in text.splitlines()]
        assert ["yes", "container", "24.09", "10.4.0.26"] in [line[:4] for line in lines]
        assert "unknown and newer: 25.07" in text

    def test_many_newer_ones_are_a_span(self, capsys: Out) -> None:
        arguments = ["suggest", "--gpu", "T4", "--driver", "535", "--newest"]
        assert main(["targets", *arguments]) == 0

        *_, last = capsys.readouterr().out.splitlines()
        found = _json(capsys, *arguments)
        images = [one for one in found["newer_unknown"] if one["provider"] == "container"]
        first, newest = images[0]["name"], images[-1]["name"]
        assert f"unknown and newer: {first} to {newest} ({len(images)}), tensorrt" in last

    def test_why_not(self, capsys: Out) -> None:
        """What is ruled out comes with the reason and its source."""
        arguments = ["targets", "suggest", "--tensorrt", "10.5", "--gpu", "V100", "--why-not"]

        assert main(arguments) == 1

        text = capsys.readouterr().out
        assert "no: container 24.10" in text
        assert "10.5 and later do not" in text
        assert "release-notes-10/10.5.0.html, documented]" in text
        assert "0 run, 2 ruled out" in text

    def test_by_python(self, capsys: Out) -> None:
        found = _json(capsys, "suggest", "--python", "3.8", "--tensorrt", "8.5")

        assert {one["name"] for one in found["offers"]} >= {"22.12", "tensorrt 8.5.3.1"}
        assert all("3.8" in one["pythons"] for one in found["offers"])

    def test_other_flavours(self, capsys: Out) -> None:
        found = _json(capsys, "suggest", "--flavour", "tensorrt_rtx", "--gpu", "RTX 5090")

        assert "tensorrt_rtx 1.7.1.116" in _names(found, "wheel")
        assert {one["verdict"] for one in found["offers"]} == {"yes"}

    def test_a_jetson_is_offered_its_jetpack(self, capsys: Out) -> None:
        """Images and wheels for aarch64 servers are not known to run on it."""
        found = _json(capsys, "suggest", "--gpu", "Jetson AGX Orin", "--tensorrt", "10.3")

        assert _names(found, "local") == ["JetPack 6.1", "JetPack 6.2"]
        verdicts = {one["provider"]: one["verdict"] for one in found["offers"]}
        assert verdicts == {"container": "unknown", "local": "yes", "wheel": "unknown"}

    def test_a_card_is_offered_no_jetpack(self, capsys: Out) -> None:
        found = _json(capsys, "suggest", "--gpu", "T4", "--tensorrt", "10.3")

        assert _names(found, "local") == []
        assert main(["targets", "suggest", "--gpu", "T4", "--provider", "local"]) == 1

    def test_the_newest_jetpack(self, capsys: Out) -> None:
        found = _json(capsys, "suggest", "--gpu", "Xavier", "--newest")

        assert _names(found, "local") == ["JetPack 5.1.4"]

    def test_without_a_machine_nothing_is_judged(self, capsys: Out) -> None:
        assert main(["targets", "suggest", "--tensorrt", "11"]) == 0

        head, *_, last = capsys.readouterr().out.splitlines()
        assert head.split()[0] == "provider"
        assert last.endswith("found")

    def test_an_unknown_release_is_in_no_answer(self, capsys: Out) -> None:
        found = _json(capsys, "suggest", "--tensorrt", "10")

        assert "25.07" not in _names(found)

    def test_what_is_offered_can_be_written_into_a_target(
        self, tmp_path: Path, capsys: Out
    ) -> None:
        for offer in _json(capsys, "suggest", "--provider", "wheel", "--flavour", "all")["offers"]:
            name, version = offer["name"].split()
            target = f'[targets.t]\nflavour = "{name}"\nversion = "{version}"\n'
            path = tmp_path / "one.toml"
            path.write_text(f'schema = 1\n{target}[models.m]\nsource = "builtin:resnet50"\n')
            assert load_config(path).targets["t"].version == version

    def test_nothing_is_no_success(self, capsys: Out) -> None:
        assert main(["targets", "suggest", "--tensorrt", "99.1"]) == 1
        assert "0 found" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("option", "value", "said"),
        [
            ("--tensorrt", "10.x", "write a version such as 10.13"),
            ("--tensorrt", "10.13.3.9.1", "write a version such as 10.13"),
            ("--python", "three", "write a version such as 3.10"),
            ("--python", "3", "write a version such as 3.10"),
            ("--driver", "", "write a driver version such as 535"),
            ("--gpu", "", "the catalogue knows no such GPU"),
            ("--driver", "new", "write a driver version such as 535"),
            ("--gpu", "Voodoo", "the catalogue knows no such GPU"),
        ],
    )
    def test_a_wrong_word_gives_one_clear_line(
        self, option: str, value: str, said: str, capsys: Out
    ) -> None:
        assert main(["targets", "suggest", option, value]) == 2

        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert f"{option} {value}" in error
        assert said in error


class TestShow:
    """`trt-compat targets show`."""

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("24.08", ["10.3.0.26", "12.6.0", "3.10", "R560", "535.86", "reported", "https://"]),
            ("24.08-py3", ["10.3.0.26"]),
            ("nvcr.io/nvidia/tensorrt:23.04-py3", ["8.6.1.2", "the PaddlePaddle image"]),
            ("25.07", ["no source says", "memory"]),
            ("10.13.3.9", ["container 25.10", "stub", "GPUs of 10.13.3.9", "yes: Turing"]),
            ("8.6.1.2", ["23.05", "does not load engines of 8.6.1.6"]),
            ("T4", ["Turing", "first named for 5.0"]),
            ("volta", ["V100", "dropped in 10.5"]),
            ("H200", ["taken by no release", "UNSUPPORTED_CC"]),
            ("jetpack-6.2", ["36.4.3", "10.3", "Orin"]),
            ("r36.4", ["JetPack 6.1"]),
            ("lean-13", ["target lean-13", "11.0.0.114", "CUDA 12 or 13"]),
        ],
    )
    def test_what_is_known_of_a_name(self, name: str, words: list[str], capsys: Out) -> None:
        assert main(["targets", "show", name]) == 0

        text = capsys.readouterr().out
        assert [word for word in words if word not in text] == []

    def test_json(self, capsys: Out) -> None:
        (found,) = _json(capsys, "show", "26.03")

        assert found["facts"]["TensorRT"] == "10.16.0.72"

    @pytest.mark.parametrize("name", ["nonsense", "99.99", "jetpack-99", "24.8", "sm_99", "535"])
    def test_a_name_that_nobody_has(self, name: str, capsys: Out) -> None:
        assert main(["targets", "show", name]) == 2

        error = capsys.readouterr().err
        assert error.startswith(f"error: {name}: nothing is known")
        assert error.count("\n") == 1

    def test_a_trap_of_tensorrt_is_none_of_rtx(self, capsys: Out) -> None:
        assert main(["targets", "show", "1.7.1.116"]) == 0
        assert "trap" not in capsys.readouterr().out

    def test_it_needs_no_configuration(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
    ) -> None:
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path / "empty")

        assert main(["targets", "show", "T4"]) == 0
        assert main(["targets", "show", "lean-13"]) == 2


class TestCheck:
    """`trt-compat targets check`."""

    def test_a_machine_that_is_not_here(self, capsys: Out) -> None:
        found = _json(capsys, "check", "--gpu", "V100", "--driver", "535.104.05", code=1)
        verdicts = {one["name"]: one["verdict"] for one in found["targets"]}

        assert verdicts == {
            "trt-8.6.0": "limits",
            "trt-10.5": "no",
            "lean-13": "no",
            "mine": "yes",
            "ort": "yes",
        }

    def test_each_one_that_cannot_run_is_named_with_its_reason(self, capsys: Out) -> None:
        assert main(["targets", "check", "--gpu", "V100", "--driver", "535"]) == 1

        text = capsys.readouterr().out
        assert "machine: V100 (sm_70), driver 535" in text
        assert "✗ trt-10.5" in text
        assert "10.5 and later do not" in text
        assert "CUDA 13 needs driver 580.65.06 or newer" in text
        assert "2 of 5 targets cannot run there" in text

    def test_an_empty_word_is_not_this_machine(self, capsys: Out) -> None:
        """Such as that of a variable that is not set."""
        assert main(["targets", "check", "--gpu", ""]) == 2

    def test_all_can_run(self, capsys: Out) -> None:
        assert main(["targets", "check", "--gpu", "A10", "--driver", "595"]) == 0
        assert "0 of 5 targets cannot run there" in capsys.readouterr().out

    def test_only_some_targets(self, capsys: Out) -> None:
        assert main(["targets", "check", "--gpu", "V100", "--targets", "trt-8.6.0"]) == 0
        assert main(["targets", "check", "--targets", "typo"]) == 2

    def test_this_machine(self, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
        driver = Driver("12.2", [Gpu("Tesla T4", "sm_75")], "")
        monkeypatch.setattr(commands, "probe", lambda: driver)
        monkeypatch.setattr(devices, "_DRIVER_FILE", Path("absent"))

        assert main(["targets", "check"]) == 1

        text = capsys.readouterr().out
        assert "machine: Tesla T4 (sm_75)" in text
        assert "✗ lean-13" in text
        assert "1 of 5 targets cannot run there" in text

    def test_this_machine_without_a_driver(
        self, monkeypatch: pytest.MonkeyPatch, capsys: Out
    ) -> None:
        monkeypatch.setattr(commands, "probe", lambda: Driver(None, [], "no CUDA driver"))

        assert main(["targets", "check"]) == 1
        assert "4 of 5 targets cannot run there" in capsys.readouterr().out
