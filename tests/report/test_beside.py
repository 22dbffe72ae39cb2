"""What is measured beside latency, and what the builder said, as the page and the table show it."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from compat import analysis
from compat.analysis import Results
from compat.report import page
from tests import builders

GPU = {
    "device_bytes": 245_400_000,
    "context_bytes": 31_000_000,
    "sm_clock_mhz": 1980.0,
    "sm_clock_min_mhz": 1755.0,
    "memory_clock_mhz": 3201.0,
    "power_w": 412.0,
    "temperature_c": 63.0,
    "throttled_share": 0.0,
    "samples_nvml": 30,
}
FALLBACK = "[WARNING] Missing scale and zero-point for tensor <a>, expect fall back to non-int8"


def run_of(rounds: list[dict[str, Any]]) -> Results:
    """One engine of TensorRT 8.6 on a GPU; `rounds` are what NVML said in each round."""
    name = "trt-8.6"
    items = list(builders.cell_items("resnet50", "int8", name, name))
    records: list[dict[str, Any]] = []
    for number, item in enumerate(items):
        if item["check"] == "latency":
            measured = builders.rounds_of(item, 1, clock="cuda-event", rounds=len(rounds))
            for record, found in zip(measured, rounds, strict=True):
                record["numbers"] |= found.get("numbers", {})
                record["facts"] |= found.get("facts", {})
            records += measured
        elif item["check"] == "build":
            record = builders.build_record(item, number)
            record["facts"]["notices"] = {"precision-fallback": 12, "of-a-newer-suite": 1}
            record["facts"]["builder_messages"] = [FALLBACK]
            record["facts"]["file"] = {
                "version": "8.6.0.12",
                "built_for": "sm_90",
                "lean_runtime": "embedded",
                "refittable": True,
                "problems": ["declares more bytes than it has"],
            }
            records.append(record)
        elif item["check"] == "load":
            sizes = {"device_bytes": 214_000_000, "context_bytes": 31_000_000}
            records.append(builders.record(item, numbers={"load_s": 0.3, **sizes}))
        elif item["check"] == "accuracy":
            records.append(builders.accuracy_record(item, number))
    targets = [builders.target(name, "current")]
    return analysis.compile(builders.plan(items, targets, [], ["resnet50"]), records)


def tree_of(results: Results) -> Element:
    (only,) = page.render(results)
    tree: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(only.html)
    return tree


def text_of(element: Element | None) -> str:
    assert element is not None
    return " ".join("".join(element.itertext()).split())


@pytest.fixture(scope="module")
def throttled() -> Results:
    """Two rounds, the second a little throttled."""
    facts = {"throttle_reasons": ["GpuIdle"], "throttled": False}
    hot = {"throttle_reasons": ["GpuIdle", "SwPowerCap"], "throttled": True}
    slow = GPU | {"sm_clock_mhz": 1900.0, "temperature_c": 71.0, "throttled_share": 0.2}
    return run_of([{"numbers": GPU, "facts": facts}, {"numbers": slow, "facts": hot}])


def test_the_table_has_a_column_for_each_figure(throttled: Results) -> None:
    row = throttled.table.query("check == 'latency'").iloc[0]

    assert row["latency_sm_clock_mhz"] == 1940
    assert row["latency_sm_clock_min_mhz"] == 1755
    assert row["latency_temperature_c"] == 71
    assert row["latency_throttled_share"] == 0.2
    assert row["latency_device_bytes"] == 245_400_000
    assert row["throttle_reasons"] == "GpuIdle, SwPowerCap"


def test_device_memory_stands_in_the_performance_table(throttled: Results) -> None:
    section = tree_of(throttled).find(".//section[@id='performance']")
    assert section is not None
    heads = [text_of(h) for h in section.findall(".//thead/tr/th")]
    (row,) = section.findall(".//tbody/tr")
    assert heads[-1] == "Device MB"
    assert text_of(list(row)[-1]) == "245.4"
    assert len(row) == len(heads)


def test_clocks_power_and_heat_stand_in_the_cell(throttled: Results) -> None:
    cell = text_of(tree_of(throttled).find(".//section[@id='cells']"))

    assert "214.0 MB of device memory, 31.0 MB of it for one context." in cell
    assert (
        "245.4 MB of device memory, 31.0 MB of it for one context, SM clock 1,940 MHz, at the "
        "lowest 1,755 MHz, 412 W, up to 71 °C, throttled in 20% of a round's samples "
        "(GpuIdle, SwPowerCap)."
    ) in cell


def test_what_could_not_be_read_is_not_made_up() -> None:
    """NVML was not there: the memory came from CUDA, and nothing is said of clocks."""
    sizes = {"device_bytes": 245_400_000}
    results = run_of([{"numbers": sizes, "facts": {"nvml": "NVML Shared Library Not Found"}}])
    cell = text_of(tree_of(results).find(".//section[@id='cells']"))

    assert "245.4 MB of device memory." in cell
    assert "clock 0" not in cell
    assert "throttled" not in cell


def test_without_a_gpu_the_page_is_as_it_was(results: Results) -> None:
    section = tree_of(results).find(".//section[@id='performance']")
    assert "Device MB" not in text_of(section)


def test_kinds_of_messages_say_what_they_mean(throttled: Results) -> None:
    builds = tree_of(throttled).find(".//section[@id='builds']")
    text = text_of(builds)

    assert "2 messages: precision-fallback \N{MULTIPLICATION SIGN}12, of-a-newer-suite" in text
    assert "Layers run in another precision than the one that was asked for." in text
    assert "for tensor <a>, expect fall back" in text


def test_a_file_that_contradicts_its_builder_says_so_in_its_cell() -> None:
    (only,) = page.render(run_of([{"numbers": GPU}]))
    text = only.html

    assert (
        "The file says of itself: built by 8.6.0.12 for sm_90, with a lean runtime inside, "
        "refittable; it declares more bytes"
    ) in text


def test_drift_is_told_once_and_not_again_in_each_record() -> None:
    """A merge writes it into the records; in the cells it was a tenth of a large page."""
    (only,) = page.render(run_of([{"numbers": GPU}]))

    assert "Cosine" in only.html
    assert "golden_cosine" not in only.html
