"""One engine in one runtime: the answer, the rule, and what is not known."""

from __future__ import annotations

import pytest

from compat.engine.prediction import Engine, Runtime, predict

PLAIN = Engine("a.engine", "tensorrt", "10.16.1.11", variant="plain", arch=80)
VC = Engine("a.engine", "tensorrt", "8.6.0.12", variant="vc", arch=90)


@pytest.mark.parametrize(
    ("engine", "runtime", "answer", "rule"),
    [
        (PLAIN, Runtime("tensorrt", "10.16.1.11"), "must-load", "trt-same-version"),
        (PLAIN, Runtime("tensorrt", "10.16.1.11.post1"), "must-load", "trt-same-version"),
        (PLAIN, Runtime("tensorrt", "10.16.1.12"), "must-refuse", "trt-plain-engine-elsewhere"),
        (
            PLAIN,
            Runtime("tensorrt_lean", "10.16.1.11", host_code=True),
            "must-refuse",
            "trt-lean-needs-version-compatible",
        ),
        (VC, Runtime("tensorrt", "8.6.0", host_code=True), "must-load", "trt-vc-same-version"),
        (VC, Runtime("tensorrt", "8.6.0"), "must-refuse", "trt-host-code-denied"),
        (
            VC,
            Runtime("tensorrt_lean", "10.16.1.11", host_code=True),
            "must-load",
            "trt-vc-across-majors",
        ),
        (VC, Runtime("tensorrt_lean", "11.4.0.106"), "must-refuse", "trt-vc-8-not-on-11"),
        (VC, Runtime("tensorrt", "9.3.0", host_code=True), "undocumented", "trt-vc-9-in-between"),
        (VC, Runtime("tensorrt_rtx", "1.7.1.116"), "undocumented", "no-rule"),
    ],
)
def test_the_rule_that_decides_stands_first(
    engine: Engine, runtime: Runtime, answer: str, rule: str
) -> None:
    """The planner's rules, and the permission to run host code beside them."""
    found = predict(engine, runtime)

    assert (found.answer, found.statements[0].rule) == (answer, rule)
    assert found.answer == "must-load" or found.statements[0].remedy


@pytest.mark.parametrize(
    ("variant", "built", "gpu", "rule"),
    [
        ("plain", 80, 80, "must-load"),
        ("plain", 80, 86, "must-refuse"),
        ("hc-ampere-plus", 80, 90, "must-load"),
        ("hc-ampere-plus", 80, 75, "must-refuse"),
        ("hc-same-cc", 86, 86, "must-load"),
        ("hc-same-cc", 86, 89, "must-refuse"),
    ],
)
def test_the_hardware_level_says_which_gpus_take_an_engine(
    variant: str, built: int, gpu: int, rule: str
) -> None:
    """Same release: only the GPU is in question."""
    engine = Engine("a.engine", "tensorrt", "10.16.1.11", variant=variant, arch=built)

    assert predict(engine, Runtime("tensorrt", "10.16.1.11", gpu)).answer == rule


def test_an_engine_that_does_not_say_for_which_gpu_it_is_leaves_that_open() -> None:
    """No guess: the file states nothing, so the answer is unknown and says why."""
    engine = Engine("a.engine", "tensorrt", "10.16.1.11", variant="plain")
    found = predict(engine, Runtime("tensorrt", "10.16.1.11", 90))

    assert found.answer == "unknown"
    assert found.statements[0].rule == "gpu-not-stated"


def test_a_gpu_that_the_release_dropped_decides() -> None:
    """The catalogue of GPUs says it, the rules of versions cannot."""
    runtime = Runtime("tensorrt", "10.16.1.11", 80, untaken="it does not take sm_80")

    assert predict(PLAIN, runtime).answer == "must-refuse"


def test_an_unstated_variant_matters_only_where_the_answers_differ() -> None:
    """8 to 11 is refused however it was built; 10.15 to 10.16 depends on it."""
    old = Engine("a.engine", "tensorrt", "8.6.1.6")
    assert predict(old, Runtime("tensorrt", "11.4.0.106", host_code=True)).answer == "must-refuse"

    new = Engine("a.engine", "tensorrt", "10.15.1.29")
    found = predict(new, Runtime("tensorrt", "10.16.1.11", host_code=True))
    assert found.answer == "unknown"
    assert found.possible["plain"] == "must-refuse"
    assert found.possible["vc"] == "must-load"
    assert "version compatibility" in found.depends_on[0]


def test_a_version_with_parts_left_out_is_not_taken_for_the_same() -> None:
    """8.6.1.2 of the images and 8.6.1.6 of the wheels do not load each other's engines."""
    engine = Engine("a.engine", "tensorrt", "8.6.1.6", variant="plain")
    found = predict(engine, Runtime("tensorrt", "8.6.1"))

    assert found.answer == "unknown"
    assert found.possible["same version"] == "must-load"


def test_before_version_compatibility_there_was_one_kind_of_plan() -> None:
    """8.5 knows neither version compatibility nor hardware levels: nothing is left open."""
    engine = Engine("a.engine", "tensorrt", "8.5.3.1", arch=90)

    assert predict(engine, Runtime("tensorrt", "8.5.3.1", 90)).answer == "must-load"


def test_another_platform_refuses_and_an_unknown_one_is_unknown() -> None:
    """It is asked only where the runtime's is given; RTX engines travel."""
    there = Runtime("tensorrt", "10.16.1.11", platform="windows-x86_64")
    linux = Engine("a", "tensorrt", "10.16.1.11", variant="plain", platform="linux-x86_64")
    rtx = Engine("a", "tensorrt_rtx", "1.7.1.116", platform="linux-x86_64")

    assert predict(PLAIN, there).answer == "unknown"
    assert predict(linux, there).answer == "must-refuse"
    there = Runtime("tensorrt_rtx", "1.7.1.116", platform="windows-x86_64")
    assert predict(rtx, there).answer == "must-load"


def test_a_file_that_is_no_engine_is_told_so() -> None:
    """No rule is asked of it."""
    found = predict(Engine("a", problems=("is cut",)), Runtime("tensorrt", "10.16.1.11"))

    assert found.answer == "broken"
    assert found.as_dict()["statements"][0]["text"] == "is cut"


def test_two_products_are_not_told_to_try_each_other() -> None:
    """The matrix never gives an engine of TensorRT-RTX to TensorRT."""
    found = predict(Engine("a", "tensorrt_rtx", "1.7.1.116"), Runtime("tensorrt", "10.16.1.11"))

    assert "different products" in found.statements[0].remedy
