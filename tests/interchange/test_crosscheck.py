"""``trt-compat crosscheck``: rows beside a run, that no verdict and no gate ever sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import html5lib
import pytest

from compat.cli import main
from compat.interchange import rows
from compat.interchange.levelling import LEVELLED
from tests import builders
from tests.interchange.test_trtexec import query, write

SAMPLE = Path(__file__).with_name("polygraphy-0.53.6.json")
LATENCY = builders.item("latency", "net", "fp16", "trt-8.6.1", "trt-8.6.1", "opt")
ACCURACY = builders.item("accuracy", "net", "fp16", "trt-8.6.1", "trt-8.6.1", "opt")
BUILD = builders.item("build", "net", "fp16", "trt-8.6.1", "trt-8.6.1")
MANIFEST = {
    "flavour": "tensorrt",
    "version": "8.6.1",
    "precision": "fp16",
    "typing": "strong",
    "variant": "plain",
    "profile": {"x": {"min": [1, 3, 8, 8], "opt": [8, 3, 8, 8], "max": [16, 3, 8, 8]}},
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An output folder of one build and one latency item, whose median is 2 ms."""
    folder = tmp_path / "report"
    folder.mkdir()
    targets = [builders.target("trt-8.6.1", "current")]
    targets[0]["version"] = "8.6.1.6"
    plan = builders.plan([BUILD, ACCURACY, LATENCY], targets, [], ["net"])
    (folder / "plan.json").write_text(json.dumps(plan))
    numbers = {"median_s": 0.002, "mean_s": 0.002, "std_s": 1e-5, "n": 300}
    records = [
        builders.record(BUILD, files={"engine": "engines/1/net.engine"}),
        *(builders.record(LATENCY, round=r, numbers=numbers) for r in range(5)),
    ]
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


def _log(path: Path, *words: str) -> Path:
    call = f"TensorRT.trtexec [TensorRT v8601] # trtexec {' '.join(words)}"
    path.write_text(f"&&&& RUNNING {call}\n&&&& PASSED {call}\n")
    return path


def _read(out: Path, *words: str) -> int:
    return main(["crosscheck", "read", LATENCY["id"], "--out", str(out), *words])


def _listed(out: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["crosscheck", "list", "--out", str(out), "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("compute", "word"), [(2.05, "agrees"), (3.0, "differs"), (1.5, "differs")]
)
def test_a_levelled_time_stands_beside_ours(
    compute: float, word: str, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = write(tmp_path / "times.json", [query(200 + n, compute) for n in range(9)])
    log = _log(tmp_path / "log", *LEVELLED)

    assert _read(out, "--trtexec", str(times), "--log", str(log)) == 0

    (row,) = _listed(out, capsys)
    assert row["item"] == "crosscheck/trtexec/net/fp16-strong/plain/trt-8.6.1/trt-8.6.1/opt"
    assert row["numbers"]["median_s"] == pytest.approx(compute / 1e3)
    assert row["numbers"]["throughput_per_s"] == pytest.approx(8 / compute * 1e3)
    assert row["compared"]["word"] == word


def test_without_a_log_nothing_is_said_of_it(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    times = write(tmp_path / "times.json", [query(200, 2.0)])

    assert _read(out, "--trtexec", str(times)) == 0

    assert "not levelled: no log of trtexec was given" in capsys.readouterr().out
    assert _listed(out, capsys)[0]["compared"]["word"] == "not comparable"


def test_no_verdict_and_no_gate_sees_a_row(out: Path, tmp_path: Path) -> None:
    """Three times as slow as ours, levelled, and the whole report stays what it was."""
    before = main(["report", "--out", str(out)]), main(["gate", "--out", str(out)])
    kept = {n: (out / n).read_bytes() for n in ("verdict.json", "junit.xml", "records.jsonl")}
    times = write(tmp_path / "times.json", [query(200 + n, 6.0) for n in range(9)])

    assert _read(out, "--trtexec", str(times), "--log", str(_log(tmp_path / "log", *LEVELLED))) == 0

    assert (main(["report", "--out", str(out)]), main(["gate", "--out", str(out)])) == before
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert len(rows.read(out)) == 1


def test_a_row_that_was_read_in_is_on_the_page_and_survives_a_merge(
    out: Path, tmp_path: Path
) -> None:
    times = write(tmp_path / "times.json", [query(200 + n, 2.05) for n in range(9)])
    assert _read(out, "--trtexec", str(times), "--log", str(_log(tmp_path / "log", *LEVELLED))) == 0

    main(["report", "--out", str(out)])
    main(["merge", str(out), "--out", str(tmp_path / "merged")])

    for folder in (out, tmp_path / "merged"):
        page = (folder / "index.html").read_text()
        tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)
        (row,) = tree.findall(".//section[@id='crosschecks']//tbody/tr")
        said = ["".join(cell.itertext()) for cell in row]
        assert said[4].startswith("trtexec, read in 20")
        assert said[5:] == ["2.00", "2.05", "\N{MULTIPLICATION SIGN}1.025", "agrees"]


def test_the_same_item_read_again_takes_the_place_of_the_first(out: Path, tmp_path: Path) -> None:
    for compute in (2.0, 2.5):
        times = write(tmp_path / "times.json", [query(200, compute)])
        assert _read(out, "--trtexec", str(times)) == 0

    (row,) = rows.read(out)
    assert row["numbers"]["median_s"] == pytest.approx(0.0025)


def test_the_slowest_layers_come_along(out: Path, tmp_path: Path) -> None:
    times = write(tmp_path / "times.json", [query(200)])
    layers = [{"name": n, "averageMs": s, "percentage": s} for n, s in (("a", 20.0), ("b", 80.0))]
    profile = write(tmp_path / "profile.json", [{"count": 3}, *layers])

    assert _read(out, "--trtexec", str(times), "--profile", str(profile)) == 0

    assert [one[0] for one in rows.read(out)[0]["facts"]["slowest_layers"]] == ["b", "a"]


def test_polygraphys_runners_are_compared_with_each_other(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file was written by Polygraphy 0.53.6: two runners, 2 iterations, 0.001 apart."""
    words = ["--polygraphy", str(SAMPLE), "--runner", "trt-runner", "--reference", "onnxrt"]

    assert main(["crosscheck", "read", ACCURACY["id"], "--out", str(out), *words]) == 0

    (row,) = _listed(out, capsys)
    assert row["numbers"]["median_s"] == 0.0012
    assert row["numbers"]["max_abs"] == pytest.approx(1e-3, rel=1e-3)
    assert row["numbers"]["top1_agreement"] == 1.0
    assert row["facts"]["runner"].startswith("trt-runner")
    assert row["facts"]["differs"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--polygraphy", str(SAMPLE)], "name one of its runners"),
        (["--polygraphy", str(SAMPLE), "--runner", "trt-r", "--reference", "trt"], "with itself"),
        (["--polygraphy", __file__], "is no JSON"),
        (["--trtexec", str(SAMPLE)], "not what trtexec writes"),
        (["--trtexec", "no/such/file"], "cannot be read"),
    ],
)
def test_a_wrong_file_is_said_in_a_line(
    words: list[str], said: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _read(out, *words) == 2

    assert said in capsys.readouterr().err
    assert not (out / rows.FILE).exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw | {"polygraphy_class": "List"}, "no RunResults"),
        (lambda raw: raw | {"lst": [["a", [{}]]]}, "another form"),
    ],
)
def test_another_file_of_polygraphy_is_told(
    change: Any, said: str, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "results.json", change(json.loads(SAMPLE.read_text())))

    assert _read(out, "--polygraphy", str(path)) == 2

    assert said in capsys.readouterr().err


def test_a_damaged_array_is_told(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SAMPLE.read_text().replace("k05VTVBZ", "AAAAAAAA")
    (tmp_path / "results.json").write_text(text)

    assert _read(out, "--polygraphy", str(tmp_path / "results.json"), "--runner", "trt") == 2

    assert "an array of it is damaged" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["latency/typo", BUILD["id"]])
def test_an_item_that_has_nothing_beside_it(
    name: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crosscheck", "read", name, "--out", str(out), "--trtexec", "x"]) == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize(
    ("item", "words", "said"),
    [
        (LATENCY, ["--trtexec", "x", "--runner", "trt"], "--runner goes with --polygraphy"),
        (LATENCY, ["--polygraphy", "x", "--log", "y"], "--log goes with --trtexec"),
        (ACCURACY, ["--trtexec", "x"], "beside a latency item"),
    ],
)
def test_what_would_be_read_past_is_a_wrong_call(
    item: dict[str, Any],
    words: list[str],
    said: str,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["crosscheck", "read", item["id"], "--out", str(out), *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["read", LATENCY["id"], "--trtexec", "x"], ["list"], ["command", LATENCY["id"]]]
)
def test_a_folder_without_a_run_is_told(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crosscheck", *words, "--out", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def _command(
    out: Path, work: Path, manifest: dict[str, Any], capsys: pytest.CaptureFixture[str], *more: str
) -> list[str]:
    engine = work / "engines" / "1" / "net.engine"
    engine.parent.mkdir(parents=True)
    Path(f"{engine}.json").write_text(json.dumps(manifest))
    words = ["crosscheck", "command", LATENCY["id"], "--out", str(out), "--work", str(work)]
    assert main([*words, *more]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_call_that_times_our_engine_is_levelled(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = _command(out, tmp_path / "work", MANIFEST, capsys)

    assert f"--loadEngine={tmp_path}/work/engines/1/net.engine" in line
    assert "--shapes=x:8x3x8x8" in line
    assert all(flag in line.split() for flag in LEVELLED)
    assert "--exportTimes=times.json" in line


@pytest.mark.parametrize(
    ("version", "typing", "there", "absent"),
    [
        ("8.6.1", "weak", "--fp16", "--stronglyTyped"),
        ("10.9.0.34", "weak", "--fp16", "--stronglyTyped"),
        ("10.9.0.34", "strong", "--stronglyTyped", "--fp16"),
        ("11.0.0.114", "strong", "--noDataTransfers", "--stronglyTyped"),
    ],
)
def test_the_calls_that_build_anew_speak_each_versions_flags(
    version: str,
    typing: str,
    there: str,
    absent: str,
    out: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    manifest = {**MANIFEST, "version": version, "typing": typing}

    trtexec, polygraphy = _command(out, tmp_path / "work", manifest, capsys, "--onnx", "a net.onnx")

    assert "'--onnx=a net.onnx' --minShapes=x:1x3x8x8 --optShapes=x:8x3x8x8" in trtexec
    assert there in trtexec.split()
    assert absent not in trtexec.split()
    assert "--trt-max-shapes 'x:[16,3,8,8]'" in polygraphy


def test_what_no_call_can_build_is_told(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = tmp_path / "engines" / "1" / "net.engine"
    engine.parent.mkdir(parents=True)
    Path(f"{engine}.json").write_text(json.dumps({**MANIFEST, "flavour": "tensorrt_rtx"}))
    words = ["crosscheck", "command", LATENCY["id"], "--out", str(out), "--work", str(tmp_path)]

    assert main(words) == 2
    assert "full TensorRT only" in capsys.readouterr().err
