"""Variants and claims as a reader of the page, of the summary, and of verdict.json gets them."""

from __future__ import annotations

import json
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from compat import analysis
from compat.analysis import Results
from compat.report import page, summary
from compat.report.verdict_file import verdict_json
from tests import builders

TRT = {"name": "trt", "flavour": "tensorrt", "version": "8.6.0", "provider": "wheel"}
MODELS = ("resnet50", "vit-b16")


@pytest.fixture(scope="module")
def costly() -> Results:
    """Hardware-compatible engines of two models, 22 % slower than the plain ones beside them."""
    items: list[dict[str, Any]] = []
    records: list[dict[str, Any]] = []
    for seed, model in enumerate(MODELS):
        for variant, base in (("plain", 0.01), ("hc-ampere-plus", 0.0122)):
            item = builders.item("latency", model, "fp16", "trt", "trt", "opt", variant)
            items.append(item)
            records += builders.rounds_of(item, seed, base=base)
    plan = builders.plan(items, [{**TRT, "role": "other"}], [], MODELS)
    return analysis.compile(plan, records)


def _section(html: str, name: str) -> Element | None:
    tree = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    return next((e for e in tree.iter("section") if e.get("id") == name), None)


def _text(element: Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def test_the_page_shows_what_a_variant_costs(costly: Results) -> None:
    (only,) = page.render(costly)
    section = _section(only.html, "variants")

    assert section is not None
    rows = [_text(row) for row in section.findall(".//tbody/tr")]
    assert len(rows) == len(MODELS)
    assert all("fp16 strong hc-ampere-plus" in row and "slower" in row for row in rows)


def test_the_page_sets_claims_beside_figures_and_no_gap_is_green(costly: Results) -> None:
    (only,) = page.render(costly)
    section = _section(only.html, "claims")

    assert section is not None
    width = len(section.findall(".//thead/tr/th"))
    for row in section.findall(".//tbody/tr"):
        assert sum(int(cell.get("colspan", "1")) for cell in row) == width
    said = [td for td in section.iter("td") if "p" in (td.get("class") or "").split()]
    assert {td.get("class") for td in said if "not measured here" in _text(td)} == {"p notrun"}
    assert sum("confirmed" in _text(td) for td in said) == len(MODELS)


def test_pages_of_models_have_their_variants_and_the_index_has_the_claims(
    costly: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "CELLS_PER_PAGE", 1)
    pages = {p.name: p.html for p in page.render(costly)}

    index = pages.pop("index.html")
    assert _section(index, "claims") is not None
    assert _section(index, "variants") is None
    for name, html in pages.items():
        section = _section(html, "variants")
        assert section is not None
        assert [_text(th) for th in section.findall(".//tbody/tr/th")] == [
            name.removeprefix("model-").removesuffix(".html")
        ]
        assert _section(html, "claims") is None


def test_a_run_without_tensorrt_has_neither(results: Results) -> None:
    (only,) = page.render(results)

    assert _section(only.html, "claims") is None
    assert _section(only.html, "variants") is None
    assert "Claims" not in summary.markdown(results)


def test_the_summary_lists_what_was_measured_and_counts_the_rest(costly: Results) -> None:
    text = summary.markdown(costly)

    measured = [line for line in text.splitlines() if line.startswith("| hardware-compatible")]
    assert len(measured) == len(MODELS)
    assert all("confirmed" in line and "slower" in line for line in measured)
    missing = sum(claim.word == "not-measured" for claim in costly.claims)
    assert f"{missing} figures are not measured here." in text


def test_machines_get_the_same(costly: Results) -> None:
    content = json.loads(verdict_json(costly))

    assert [v["word"] for v in content["variants"]] == ["slower", "slower"]
    assert content["variants"][0]["low"] <= content["variants"][0]["ratio"]
    assert {c["id"]: c["word"] for c in content["claims"]} == {c.id: c.word for c in costly.claims}
