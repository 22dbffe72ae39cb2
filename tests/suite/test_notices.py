"""What a build says beside its result; the texts are from real logs and public threads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from compat.suite.notices import NOTICES, read

H200 = Path(__file__).parents[2] / "reports" / "h200" / "records.jsonl"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "Missing scale and zero-point for tensor (Unnamed Layer* 367) [Convolution]_output, "
            "expect fall back to non-int8 implementation for any layer consuming or producing "
            "given tensor",
            "precision-fallback",
        ),
        (
            "No implementation of layer Conv_70[Conv] + Relu_71[Relu] obeys the requested "
            "constraints in strict mode. No conforming implementation was found i.e. requested "
            "layer computation precision and output precision types are ignored, using the fastest "
            "implementation.",
            "precision-fallback",
        ),
        (
            "Some tactics do not have sufficient workspace memory to run. Increasing workspace "
            "size will enable more tactics, please check verbose output for requested sizes.",
            "workspace-small",
        ),
        (
            "Skipping tactic 3 due to insuficient memory on requested size of 449 detected for "
            "tactic 4.",
            "workspace-small",
        ),
        (
            "Tactic Device request: 9385MB Available: 7649MB. Device memory is insufficient to use "
            "tactic.",
            "workspace-small",
        ),
        (
            "Running layernorm after self-attention in FP16 may cause overflow. Forcing layernorm "
            "layers to run in FP32 precision can help with preserving accuracy.",
            "layernorm-fp16",
        ),
        (
            "No importer registered for op: NonMaxSuppression. Attempting to import as plugin.",
            "unsupported-op",
        ),
        ("Detected invalid timing cache, setup a local cache instead", "timing-cache"),
        ("The incoming ITimingCache is built from a different TensorRT version.", "timing-cache"),
        (
            "The implicit batch dimension mode has been deprecated. Please create the network with "
            "NetworkDefinitionCreationFlag::kEXPLICIT_BATCH flag whenever possible.",
            "deprecated",
        ),
    ],
)
def test_a_message_has_its_kind(text: str, kind: str) -> None:
    assert read([("WARNING", text)]) == ({kind: 1}, ["[WARNING] " + text])


@pytest.mark.parametrize(
    "text",
    [
        "Local timing cache in use. Profiling results in this builder pass will not be stored.",
        "Global timing cache in use. Profiling results in this builder pass will be stored.",
        "Timing cache disabled. Turning it on will improve builder speed.",
        "TensorRT encountered issues when converting weights between types and that could affect "
        "accuracy.",
        "ModelImporter.cpp:807: Make sure input input_ids has Int64 binding.",
    ],
)
def test_ordinary_messages_have_none(text: str) -> None:
    """Level 0 says that the cache is disabled, and so does the inner build of int8 calibration.

    The cache is used and written all the same. What says that weights were converted is only the
    heading of lines that speak for themselves.
    """
    assert read([("INFO", text)]) == ({}, [])


def test_kinds_are_counted_and_the_first_of_each_is_kept() -> None:
    first = "Missing scale and zero-point for tensor a"
    said = [
        ("WARNING", first),
        ("INFO", "Some tactics do not have sufficient workspace memory to run."),
        ("WARNING", "Missing scale and zero-point for tensor b"),
    ]

    counts, kept = read(said)

    assert counts == {"precision-fallback": 2, "workspace-small": 1}
    assert kept == ["[WARNING] " + first, "[INFO] " + said[1][1]]


def test_candidates_that_were_tried_are_no_notice() -> None:
    """The verbose log tells of each of thousands of tactics, most of which lose anyway."""
    assert read([("VERBOSE", "Skipping tactic 3 due to insufficient workspace.")]) == ({}, [])


def test_every_warning_of_the_published_run_is_read() -> None:
    """TensorRT 8.5.2, 8.5.3 and 8.6.0 on an H200; what is left over is heading and advice."""
    rest, kinds = set(), set()
    for line in H200.read_text(encoding="utf-8").splitlines():
        facts = json.loads(line).get("facts") or {}
        for text in (facts.get("parser_messages") or []) + (facts.get("builder_messages") or []):
            found, _ = read([("WARNING", text)])
            kinds |= set(found)
            if not found:
                rest.add(text.removeprefix("[WARNING] "))

    assert kinds == {"int64-cast", "subnormal-weights", "fewer-tactics"}
    assert sorted(rest) == [
        "Check verbose logs for the list of affected weights.",
        "If this is not the desired behavior, please modify the weights or retrain with "
        "regularization to adjust the magnitude of the weights.",
        "TensorRT encountered issues when converting weights between types and that could affect "
        "accuracy.",
    ]


def test_every_row_says_what_it_means_what_to_do_and_where_it_was_seen() -> None:
    assert all(row.meaning and row.remedy and row.seen for row in NOTICES)
    assert all(re.compile(row.pattern) for row in NOTICES)
    assert len({row.kind for row in NOTICES}) == len(NOTICES)
