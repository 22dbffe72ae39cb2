"""A refusal is classified by stable words; the texts are from public threads and real logs."""

from __future__ import annotations

import re

import pytest

from compat.suite.refusals import MESSAGES, classify


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "6: The engine plan file is not compatible with this version of TensorRT, expecting "
            "library version 8.5.1.7 got 8.5.3.1, please rebuild.",
            "version-mismatch",
        ),
        (
            "Error Code 6: API Usage Error (The engine plan file is not compatible with this "
            "version of TensorRT, expecting library version 10.12.0.36 got .",
            "version-mismatch",
        ),
        (
            "1: [stdArchiveReader.cpp::StdArchiveReader::42] Error Code 1: Serialization "
            "(Serialization assertion stdVersionRead == serializationVersion failed.Version tag "
            "does not match. Note: Current Version: 205, Serialized Engine Version: 213)",
            "version-mismatch",
        ),
        (
            "IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion "
            "plan.header.size == blobSize failed. In parsePlan)",
            "not-an-engine",
        ),
        ("Magic tag does not match", "not-an-engine"),
        (
            "Error Code 6: API Usage Error (The engine plan file is generated on an incompatible "
            "device, expecting compute 8.6 got compute 7.5, please rebuild.)",
            "wrong-gpu",
        ),
        ("Unexpected call to stub loadRunner for ReformatRunner.", "plain-plan-in-lean-runtime"),
        ("Cannot deserialize engine with lean runtime", "host-code-not-allowed"),
        (
            "IRuntime::deserializeCudaEngine: Error Code 1: Internal Error (Failed due to an old "
            "deserialization call on a newer plan file. This might happen when the plan file was "
            "built from an older TensorRT version.",
            "version-mismatch",
        ),
        (
            "Error Code 6: API Usage Error (Engine Version Forward Compatibility supported "
            "starting TensorRT \n.0. This Engine was created with TensorRT \b.\x06.",
            "version-mismatch",
        ),
        (
            "1: [dispatchStubs.cpp::deserializeEngine::14] Error Code 1: Internal Error "
            "(Unexpected call to stub)",
            "lean-runtime-missing",
        ),
        ("CUDA initialization failure with error: 35", "cuda-initialization"),
        ("something new", "unclassified"),
    ],
)
def test_a_message_is_classified_by_its_stable_words(text: str, reason: str) -> None:
    """Versions, files and line numbers differ from release to release."""
    assert classify([text]) == reason


def test_every_message_has_cause_remedy_and_source() -> None:
    """The catalogue is what a user reads at night."""
    assert all(m.cause and m.remedy and m.seen for m in MESSAGES)
    assert all(re.compile(m.pattern) for m in MESSAGES)
