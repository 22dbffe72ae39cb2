"""What trtexec writes, read back: in the forms of several of its releases.

No trtexec was run for these: the forms are those of NVIDIA/TensorRT's samples/common at the tags
named, and the log lines are quoted from public reports.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compat.interchange.errors import InterchangeError
from compat.interchange.levelling import LEVELLED, differences, same_release
from compat.interchange.trtexec import Log, read_log, read_profile, read_times


def query(start: float, compute: float = 2.0, **more: float) -> dict[str, float]:
    """One row of exportJSONTrace (samples/common/sampleReporting.cpp, TensorRT 10)."""
    end = start + compute
    return {
        "startEnqMs": start - 0.1,
        "endEnqMs": start - 0.05,
        "startH2dMs": start,
        "endH2dMs": start,
        "startComputeMs": start,
        "endComputeMs": end,
        "startD2hMs": end,
        "endD2hMs": end,
        "h2dMs": 0.0,
        "computeMs": compute,
        "d2hMs": 0.0,
        "latencyMs": compute,
        **more,
    }


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_times_are_seconds_between_two_events(tmp_path: Path) -> None:
    path = write(tmp_path / "times.json", [query(200, 2.0), query(202, 4.0)])

    times = read_times(path)

    assert times.compute.tolist() == [0.002, 0.004]
    assert times.enqueue == pytest.approx([5e-5, 5e-5])
    assert times.warmups == 0


def test_the_warm_up_that_older_releases_export_does_not_count(tmp_path: Path) -> None:
    """8.6 writes every query, 10 leaves the warm-up out; endToEndMs has gone since."""
    rows = [query(0, 9.0, endToEndMs=9.0), query(199, 8.0, endToEndMs=8.0), query(207, 2.0)]

    times = read_times(write(tmp_path / "times.json", rows))

    assert times.compute.tolist() == [0.002]
    assert times.warmups == 2
    assert read_times(tmp_path / "times.json", warmup_ms=0).compute.size == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "not what trtexec writes"),
        ([], "not what trtexec writes"),
        ([{"latency": 1}], "without computeMs"),
        ([query(200, 0.0)], "no time"),
        ([query(200) | {"computeMs": "soon"}], "without computeMs"),
        ([query(0)], "within the warm-up of 200 ms"),
    ],
)
def test_what_is_no_file_of_times_is_told(content: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(InterchangeError, match=said):
        read_times(write(tmp_path / "times.json", content))


def test_a_file_that_was_cut_short_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "times.json", [query(200)])
    path.write_text(path.read_text()[:-5])

    with pytest.raises(InterchangeError, match=r"times\.json: is no JSON"):
        read_times(path)


@pytest.mark.parametrize("newer", [{}, {"medianMs": 0.9}])
def test_a_profile_has_a_share_for_each_layer(newer: dict[str, float], tmp_path: Path) -> None:
    """The first element counts the runs; medianMs came with 8.5."""
    layer = {"name": "conv + relu", "timeMs": 90.0, "averageMs": 0.9, "percentage": 75.0, **newer}

    (found,) = read_profile(write(tmp_path / "profile.json", [{"count": 100}, layer]))

    assert (found.name, found.average_s, found.share) == ("conv + relu", 0.0009, 0.75)


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ("[TensorRT v8601]", "8.6.1"),
        ("[TensorRT v8503]", "8.5.3"),
        ("[TensorRT v100300]", "10.3.0"),
        ("[TensorRT v100900] [b34]", "10.9.0.34"),
        ("[TensorRT v101602] [b10]", "10.16.2.10"),
        ("[TensorRT v110000] [b114]", "11.0.0.114"),
    ],
)
def test_the_log_says_version_flags_and_end(banner: str, version: str, tmp_path: Path) -> None:
    call = f"TensorRT.trtexec {banner} # trtexec --onnx=net.onnx --warmUp=500"
    path = tmp_path / "trtexec.log"
    path.write_text(f"&&&& RUNNING {call}\n[11/20/2026-21:00:00] [I] ...\n&&&& PASSED {call}\n")

    log = read_log(path)

    assert (log.version, log.passed) == (version, True)
    assert log.arguments == ("--onnx=net.onnx", "--warmUp=500")
    assert log.value("warmUp") == "500"


def test_a_log_without_its_end_is_no_pass(tmp_path: Path) -> None:
    path = tmp_path / "trtexec.log"
    path.write_text("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --onnx=a\n")

    assert read_log(path).passed is None


def test_another_programs_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("hello\n")

    with pytest.raises(InterchangeError, match="RUNNING TensorRT"):
        read_log(tmp_path / "log")


@pytest.mark.parametrize("version", ["8.6.1", "10.16.0.72", "11.0.0.114"])
def test_the_levelled_flags_are_levelled_on_every_version(version: str) -> None:
    assert differences(Log(version, LEVELLED, True), version) == ()


def test_a_bare_call_before_11_measures_something_else_than_ours() -> None:
    found = differences(Log("10.16.0.72", ("--loadEngine=a",), True), "10.16.0.72")

    assert len(found) == 3
    assert any("without a CUDA graph" in text for text in found)


def test_a_bare_call_from_11_on_measures_what_ours_does() -> None:
    assert differences(Log("11.0.0.114", ("--loadEngine=a",), True), "11.0.0.114") == ()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("--noCudaGraph", "without a CUDA graph"),
        ("--includeDataTransfers", "copies"),
        ("--infStreams=4", "4 streams"),
    ],
)
def test_what_11_can_be_told_otherwise(more: str, said: str) -> None:
    found = differences(Log("11.0.0.114", (*LEVELLED, more), True), "11.0.0.114")

    assert [said in text for text in found] == [True]


def test_a_profiler_in_the_timed_run_is_told_before_11() -> None:
    words = (*LEVELLED, "--exportProfile=p.json")

    assert "profiled" in differences(Log("10.9.0.34", words, True), "10.9.0.34")[0]
    assert not differences(Log("10.9.0.34", (*words, "--separateProfileRun"), True), "10.9.0.34")
    assert not differences(Log("11.0.0.114", words, True), "11.0.0.114")


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (None, "no log"),
        (Log(None, LEVELLED, True), "did not say its version"),
        (Log("10.9.0.34", LEVELLED, True), "was of TensorRT 10.9.0.34"),
        (Log("8.6.1", LEVELLED, False), "failed"),
        (Log("8.6.1", LEVELLED, None), "cut short"),
    ],
)
def test_what_is_not_known_is_not_levelled(log: Log | None, said: str) -> None:
    (text,) = differences(log, "8.6.1.6")

    assert said in text


def test_three_parts_are_compared_with_three_of_four() -> None:
    assert same_release("8.6.1", "8.6.1.6")
    assert not same_release("8.6.1", "8.6.0")
    assert not same_release("10.9.0.34", "10.9.0.35")
