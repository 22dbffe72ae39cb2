"""What a scan says of files: the corpus, the suite itself, ignores, and files it cannot read."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compat.api.findings import Finding
from compat.api.scan import PathError, scan, scan_text, upgrades
from compat.api.surface import surface

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import api_quality  # noqa: E402
import api_real_code  # noqa: E402

SNIPPETS = list(api_quality.snippets())


def _scan(
    text: str, before: str = "8.6", after: str = "10.16", name: str = "a.py"
) -> list[Finding]:
    return scan_text(text, name, upgrades(before, after), python=name.endswith(".py"))


def test_the_corpus_is_large_and_holds_both_kinds() -> None:
    """At least 120 snippets, and enough of them without a finding."""
    assert len(SNIPPETS) >= 120
    assert sum(not one.expected for one in SNIPPETS) >= 50
    assert len({one.name for one in SNIPPETS}) == len(SNIPPETS)


def test_precision_and_recall_over_the_whole_corpus() -> None:
    """0.98 and 0.90 (issue 5)."""
    precision, recall, _ = api_quality.measure(SNIPPETS)

    assert precision >= 0.98
    assert recall >= 0.90


_RELEASES = [
    (flavour, release)
    for flavour in ("tensorrt", "tensorrt_rtx")
    for release in surface(flavour).releases
]


@pytest.mark.parametrize(("flavour", "release"), _RELEASES)
def test_the_suite_runs_on_every_release_it_claims(flavour: str, release: str) -> None:
    """Guards are respected; where one stands in another file, an ignore says so."""
    found = scan([ROOT / "compat" / "suite"], upgrades(release, release, flavour))

    assert [(one.file, one.line, one.symbol) for one in found] == []


def test_a_finding_says_where_it_breaks_and_what_to_write() -> None:
    """Line, column, the release, the replacement with its source, the confidence."""
    text = "import tensorrt as trt\n\ndef f(e: trt.ICudaEngine):\n    return e.num_bindings\n"
    (one,) = _scan(text, "8.6", "11")

    assert (one.line, one.column, one.rule) == (4, 14, "gone")
    assert one.breaks_at == "10.0.0b6"
    assert one.replacement == "ICudaEngine.num_io_tensors"
    assert one.source.startswith("https://docs.nvidia.com/")
    assert (one.level, one.confidence) == ("error", "high")


def test_unknown_objects_are_told_with_less_confidence() -> None:
    """An engine by its name only."""
    (known,) = _scan("import tensorrt\ndef f(engine):\n    return engine.num_bindings\n")
    (far,) = _scan("def f(engine):\n    return engine.get_binding_shape(0)\n")

    assert (known.confidence, far.confidence) == ("medium", "low")


def test_what_was_gone_before_is_told_as_such() -> None:
    """No release is named as the one where it breaks."""
    (one,) = _scan("import tensorrt as trt\ntrt.ResizeMode\n", "10.0.1", "10.16")

    assert one.breaks_at == ""
    assert "last in 8.6.1" in one.message


def test_a_property_that_can_only_be_read_breaks_where_it_is_set() -> None:
    """``ITensor.dtype`` in 11.0."""
    text = "import tensorrt as trt\ndef f(t: trt.ITensor):\n    t.dtype\n    t.dtype = trt.int8\n"
    (one,) = _scan(text, "10.16", "11")

    assert (one.line, one.breaks_at) == (4, "11.0.0.114")
    assert "only be read in tensorrt 11.4.0.106: its setter is gone at 11.0.0.114" in one.message
    assert one.replacement.startswith("INetworkDefinition.add_cast")


def test_rtx_has_its_own_surface() -> None:
    """``import tensorrt_rtx`` is looked at with its flavour only."""
    text = "import tensorrt_rtx as trt\nprint(trt.CalibrationAlgoType)\n"
    between = upgrades("1.4", "1.7", "tensorrt_rtx")

    assert [one.rule for one in scan_text(text, "a.py", between)] == ["gone"]
    assert _scan(text) == []


def test_ignore_file_covers_a_whole_file(tmp_path: Path) -> None:
    """With a reason; without one it is told and not obeyed."""
    code = "import tensorrt as trt\ntrt.ResizeMode\ntrt.SliceMode\n"

    assert _scan("# trt-compat: ignore-file[renamed] for 8.6 only\n" + code) == []
    rules = [one.rule for one in _scan("# trt-compat: ignore-file\n" + code)]
    assert rules == ["ignore", "renamed", "renamed"]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"import tensorrt\nprint 'two'\n", "cannot parse it"),
        (b"import tensorrt\nx = '\xff\xfe'\n", "neither UTF-8 nor"),
        (b"# coding: no-such-one\nimport tensorrt\n", "neither UTF-8 nor"),
        (b"import tensorrt\nx = 1\x00\n", "cannot parse it"),
        (b"import tensorrt\nx = " + b"(" * 5000, "n"),
        (b"import tensorrt\nx = " + b"-" * 100_000 + b"1", "n"),
        (b"import tensorrt\nx = " + b"a." * 20_000 + b"b", "nested too deeply"),
        (b"import tensorrt\n" + b"x = 1\n" * 700_000, "larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, raw: bytes, why: str) -> None:
    """Never a stack trace, and it does not fail the scan."""
    path = tmp_path / "a.py"
    path.write_bytes(raw)
    (one,) = scan([path], upgrades("8.6", "11"))

    assert one.rule == "unread"
    assert one.level == "warning"
    assert why in one.message
    assert "\n" not in one.message


def test_source_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    """PEP 263: Python runs such a file."""
    path = tmp_path / "a.py"
    code = "# -*- coding: latin-1 -*-\nimport tensorrt as trt\nx = trt.ResizeMode  # caf\xe9\n"
    path.write_bytes(code.encode("latin-1"))

    assert [(one.line, one.rule) for one in scan([path], upgrades("8.6", "11"))] == [(3, "renamed")]


def test_paths_that_overlap_are_read_once(tmp_path: Path) -> None:
    """``[code] paths = [".", "src"]`` does not double what breaks."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("import tensorrt as trt\ntrt.ResizeMode\n")

    assert len(scan([tmp_path, tmp_path / "src"], upgrades("8.6", "11"))) == 1


def test_a_pattern_takes_no_time() -> None:
    """Only a text as short as a version is searched."""
    code = "import re\nimport tensorrt as trt\nv = trt.__version__\n"
    code += "x = re.match(r'([0-9.]+)+x', v + v + v + v)\n"
    start = time.process_time()
    _scan(code)

    assert time.process_time() - start < 2


def test_a_notebook_is_told_not_to_be_read(tmp_path: Path) -> None:
    """In a folder too, if it speaks of TensorRT; silence would look like a clean scan."""
    (tmp_path / "a.ipynb").write_text('{"cells": [{"source": ["import tensorrt as trt"]}]}')
    (tmp_path / "b.ipynb").write_text('{"cells": []}')
    (one,) = scan([tmp_path], upgrades("8.6", "11"))

    assert (one.rule, Path(one.file).name) == ("unread", "a.ipynb")
    assert "nbconvert" in one.message


def test_deep_loops_take_no_time(tmp_path: Path) -> None:
    """Loops are gone round twice, but not 2 to the power of their depth times."""
    lines = ["import tensorrt as trt"]
    lines += ["    " * at + f"for x{at} in y:" for at in range(18)]
    lines.append("    " * 18 + "trt.ResizeMode")
    (one,) = _scan("\n".join(lines) + "\n")

    assert one.line == 20


@pytest.mark.parametrize(
    "text",
    [
        "a = (trt, trt)\n" + "a = (a, a)\n" * 60,
        "a = (1, 1)\n" + "a = (a, a)\n" * 60,
        "a = 'x'\n" + "a = a + a\n" * 60,
        "".join(f"if x{at}:\n    a{at} = trt.Logger()\n" for at in range(4000)),
        "".join(f"def f{at}(a):\n    return f{at + 1}(a)\n" for at in range(1000)),
        "x = 1 << (1 << 62)\ny = 'a' * (1 << 62)\n",
    ],
    ids=["tuples", "constants", "strings", "branches", "functions", "numbers"],
)
def test_code_that_grows_takes_no_time(text: str) -> None:
    """What doubles with each line is let go of; a few seconds at most."""
    begun = time.process_time()

    assert _scan("import tensorrt as trt\n" + text) == []
    assert time.process_time() - begun < 10


def test_a_script_that_names_a_variable_often_takes_no_time() -> None:
    """Its options are told once."""
    script = "X=--fp16\n" * 5000 + "trtexec $X $X --skipInference\n" * 2000
    begun = time.process_time()
    found = scan_text(script, "a.sh", upgrades("10.16", "11"), python=False)

    assert len(found) == 5000
    assert time.process_time() - begun < 10


def test_a_path_that_is_not_there_is_a_users_error(tmp_path: Path) -> None:
    """It names the path."""
    with pytest.raises(PathError, match="nowhere"):
        scan([tmp_path / "nowhere"], upgrades("8.6", "11"))


def test_environments_caches_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    """But not the workflows of CI."""
    code = "import tensorrt as trt\ntrt.ResizeMode\n"
    for name in ("app", ".hidden", "__pycache__", "venv", "lib/site-packages", ".github/workflows"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.py").write_text(code, encoding="utf-8")
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    (tmp_path / ".github" / "workflows" / "ci.yml").write_text(
        "steps:\n  - run: trtexec --onnx=m.onnx --fp16\n", encoding="utf-8"
    )
    found = scan([tmp_path], upgrades("8.6", "11"))
    names = [Path(one.file).relative_to(tmp_path).as_posix() for one in found]

    assert names == [".github/workflows/a.py", ".github/workflows/ci.yml", "app/a.py"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=3),
    st.integers(0, 400),
    st.text(max_size=12),
)
def test_no_text_makes_it_stumble(
    chosen: list[api_quality.Snippet], at: int, inserted: str
) -> None:
    """Snippets one behind the other, with a text in the middle of one."""
    text = "\n".join(one.text for one in chosen)
    text = text[:at] + inserted + text[at:]
    for python in (True, False):
        for one in scan_text(text, "a.py", upgrades("8.6", "11"), python=python):
            assert one.line >= 1
            assert one.column >= 1


def test_both_ways_of_an_unsettled_branch_are_read() -> None:
    """A flag of the user's own settles nothing, a flag named for a version does."""
    head = "import tensorrt as trt\nfrom cfg import {0}\n"
    code = head + "m = trt.ResizeMode if {0} else trt.SliceMode\n"

    assert len(_scan(code.format("FAST"))) == 2
    assert [one.symbol for one in _scan(code.format("TRT_10"))] == ["ResizeMode"]
    assert [one.symbol for one in _scan(code.format("TRT_11"))] == ["SliceMode"]


def test_a_changed_number_names_the_first_release_that_reads_it_otherwise() -> None:
    """``create_network(1)`` from 8.6: bit 0 was EXPLICIT_BATCH up to 10.16."""
    text = "import tensorrt as trt\ntrt.Builder(trt.Logger()).create_network(1)\n"
    (one,) = _scan(text, "8.6", "11")

    assert one.rule == "enum-value"
    assert one.breaks_at == "11.0.0.114"
    assert one.message.startswith("bit 0 was NetworkDefinitionCreationFlag.EXPLICIT_BATCH")


def test_a_release_behind_a_gap_is_told_as_such() -> None:
    """9.x was never on PyPI as a wheel, so what went may have gone there."""
    (one,) = _scan("import tensorrt as trt\ntrt.ResizeMode\n", "8.6", "10.16")

    assert "gone by 10.0.0b6 (9.x was not collected)" in one.message


def test_a_folder_of_samples_is_counted_by_file_and_release(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For its own release it must be clean; what breaks later does not make it fail."""
    (tmp_path / "infer.py").write_text(
        "import tensorrt as trt\nengine = trt.Runtime(trt.Logger()).deserialize_cuda_engine(b'')\n"
        "engine.num_bindings\n",
        encoding="utf-8",
    )
    (tmp_path / "run.sh").write_text("trtexec --onnx=m.onnx --explicitBatch\n", encoding="utf-8")
    (tmp_path / "none.py").write_text("import numpy\n", encoding="utf-8")
    asked = ["--samples", str(tmp_path), "--from"]

    assert api_real_code.main([*asked, "8.6.1", "--to", "10.16", "11"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["infer.py", "8.6.1:", "0", "10.16:", "1", "11:", "1"],
        ["run.sh", "8.6.1:", "0", "10.16:", "1", "11:", "1"],
        ["3", "files", "of", "8.6.1", "8.6.1:", "0", "10.16:", "2", "11:", "2"],
    ]
    assert api_real_code.main([*asked, "10.16", "--tell"]) == 1
    assert "ICudaEngine.num_bindings" in capsys.readouterr().out


def test_trtexec_refuses_what_its_parser_no_longer_knows() -> None:
    """Not in the release that still took it; told once it is passed, with what to write instead."""
    line = "trtexec --onnx=m.onnx --nvtxMode=none --skipInference\n"
    (one,) = _scan(line, "8.6", "10.16", "a.sh")

    assert _scan(line, "8.5", "8.6", "a.sh") == []
    assert (one.symbol, one.breaks_at) == ("trtexec --nvtxMode", "10.0")
    assert one.replacement.startswith("--profilingVerbosity=")
    assert "/sampleOptions.cpp" in one.source


def test_a_value_that_trtexec_no_longer_takes_is_named() -> None:
    """Each of a list's, wherever the sign; the option itself stays."""
    line = "trtexec --onnx=m.onnx --tacticSources=-CUBLAS,+CUDNN --skipInference\n"
    told = [one.message for one in _scan(line, "10.16", "11", "a.sh")]

    assert [one.split(": ")[0].split(" ")[-1] for one in told] == [
        "--tacticSources=CUBLAS",
        "--tacticSources=CUDNN",
    ]
    assert _scan(line, "8.6", "10.16", "a.sh") == []
