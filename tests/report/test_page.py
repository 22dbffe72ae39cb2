"""The page as a reader, a screen reader and a browser without network get it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest

from compat import analysis
from compat.analysis import Results
from compat.report import figures, page
from tests import builders

HERE = Path(page.__file__).parent
CSS = (HERE / "style.css").read_text("utf-8")
TONES = ("good", "bad", "change", "unclear")
SCRIPT = (HERE / "page.js").read_text("utf-8")


def parsed(results: Results) -> list[tuple[str, Element]]:
    """Every page, parsed strictly: html5lib raises on any error of the markup."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return [(p.html, parser.parse(p.html)) for p in page.render(results)]


@pytest.fixture(scope="module")
def document(results: Results) -> Element:
    """The one page of the default-like run."""
    ((_, tree),) = parsed(results)
    return tree


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def classes(element: Element) -> list[str]:
    return (element.get("class") or "").split()


@pytest.mark.parametrize("name", ["results", "nasty", "empty"])
def test_every_page_is_valid_html(name: str, request: pytest.FixtureRequest) -> None:
    assert len(parsed(request.getfixturevalue(name))) == 1


def test_split_pages_are_valid_html(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "CELLS_PER_PAGE", 1)
    names = [p.name for p in page.render(results)]
    assert names[-1] == "index.html"
    assert len(parsed(results)) == len(builders.MODELS) + 1


def test_the_index_of_split_pages_has_the_latency_of_what_an_upgrade_compares(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faster or slower is asked of the whole upgrade, not model by model."""
    monkeypatch.setattr(page, "CELLS_PER_PAGE", 1)
    _, index = parsed(results)[-1]

    (section,) = [e for e in index.iter("section") if e.get("id") == "performance"]
    (body,) = section.iter("tbody")
    rows = [[text_of(cell) for cell in row] for row in body]
    compared = results.table[results.table["ratio"].notna()]
    assert len([row for row in rows if row[6] != "\N{EN DASH}"]) == len(compared) > 0
    quiet = [row for row in rows if "holds" in row[4] or row[5] == "current"]
    assert rows[-len(quiet) :] == quiet  # trouble stands first
    for before, after in pairwise(quiet):  # a ratio stands below what it is held against
        if after[5] != "current":
            assert (before[0], before[1], before[3]) == (after[0], after[1], after[3])


def test_a_model_page_tells_trouble_only_and_fills_every_link(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "CELLS_PER_PAGE", 1)
    for _, tree in parsed(results):
        assert_links(tree)


def assert_links(tree: Element) -> None:
    ids = Counter(e.get("id") for e in tree.iter() if e.get("id"))
    assert max(ids.values()) == 1
    for link in tree.iter("a"):
        target = link.get("href") or ""
        assert not target.startswith("#") or target[1:] in ids


def test_every_fragment_leads_somewhere_and_ids_are_unique(document: Element) -> None:
    assert_links(document)


def test_nothing_is_loaded_from_anywhere(results: Results) -> None:
    ((html, tree),) = parsed(results)
    for element in tree.iter():
        for name in ("src", "srcset", "data", "poster", "action"):
            assert element.get(name) is None
        assert element.tag != "link"
        assert not (element.get("href") or "").startswith(("http", "//"))
    assert "url(http" not in html
    assert "@import" not in CSS
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(", SCRIPT)


def test_the_first_screen_answers_the_question(document: Element) -> None:
    text = text_of(document.find("body/main/section"))  # type: ignore[arg-type]
    for words in ("The gate says stop", "ran 380 of 768 planned", "✗ blocked", "◌ not run"):
        assert words in text
    header = text_of(document.find("body/header"))  # type: ignore[arg-type]
    assert "2026-11-20 12:00 UTC" in header
    assert "Linux-6.1" in header
    assert "no GPU" in header


def test_headings_do_not_jump(document: Element) -> None:
    levels = [int(e.tag[1]) for e in document.iter() if re.fullmatch(r"h[1-6]", str(e.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_tables_have_a_caption_and_scoped_headers(document: Element) -> None:
    tables = list(document.iter("table"))
    assert len(tables) >= 8
    for table in tables:
        assert table.find("caption") is not None
        assert all(th.get("scope") in ("col", "row") for th in table.iter("th"))


def test_rows_are_as_wide_as_their_head(document: Element) -> None:
    for table in document.iter("table"):
        width = len(table.findall("thead/tr/th"))
        for row in table.findall("tbody/tr"):
            assert sum(int(c.get("colspan", "1")) for c in row) == width


def test_form_controls_have_labels_and_drawings_a_text(document: Element) -> None:
    inside_labels = {id(e) for label in document.iter("label") for e in label.iter()}
    for control in ("input", "select"):
        assert all(id(e) in inside_labels for e in document.iter(control))
    for svg in document.iter("svg"):
        assert svg.get("aria-hidden") == "true" or svg.get("aria-label")


def test_every_table_scrolls_in_a_focusable_region(document: Element) -> None:
    regions = [e for e in document.iter("div") if "scroll" in classes(e)]
    assert len(regions) == len(list(document.iter("table")))
    assert all(e.get("tabindex") == "0" and e.get("aria-label") for e in regions)


def test_every_state_is_a_word_and_not_a_colour_alone(document: Element) -> None:
    marks = [e for e in document.iter("span") if "m" in classes(e)]
    assert len(marks) > 300
    assert all(len(text_of(e)) >= 4 for e in marks)


def test_not_run_says_not_run_and_why_and_is_hatched(document: Element) -> None:
    cells = [e for e in document.iter("td") if "notrun" in classes(e)]
    assert len(cells) > 60
    for cell in cells:
        assert "not run" in text_of(cell)
        assert "no-cuda-driver" in text_of(cell) or "load-refused" in text_of(cell)
        assert "good" not in classes(cell)
    assert re.search(r"\.p\.notrun[^}]*repeating-linear-gradient[^}]*dashed", CSS)


def test_a_mixed_count_has_the_colour_of_its_worst_state(document: Element) -> None:
    overviews = [t for t in document.iter("table") if "overview" in classes(t)]
    cell = overviews[1].findall("tbody/tr")[1].findall("td")[1]
    assert "crashed" in text_of(cell)
    assert "bad" in classes(cell)


def _loads(runtimes: int) -> Element:
    """Return the overview of two builders' engines in so many runtimes; some are refused."""
    names = [f"trt-{n}.0" for n in range(runtimes)]
    items = [builders.item("load", "resnet50", "fp32", b, r) for b in names[:2] for r in names]
    records = [
        builders.record(i, "ok" if i["builder"] == i["runtime"] else "refused") for i in items
    ]
    targets = [builders.target(name) for name in names]
    plan = builders.plan(items, targets, [], ["resnet50"])
    ((_, tree),) = parsed(analysis.compile(plan, records))
    return next(t for t in tree.iter("table") if "overview" in classes(t))


@pytest.mark.parametrize(("runtimes", "corner"), [(8, "Built by"), (9, "Runtime")])
def test_the_overview_of_many_runtimes_grows_down_and_not_across(
    runtimes: int, corner: str
) -> None:
    """A screen cuts off what is too wide, and a reader takes the rest for all there is."""
    table = _loads(runtimes)

    head = [text_of(cell) for cell in table.findall("thead/tr/th")]
    rows = {text_of(row.findall("th")[0]): row.findall("td") for row in table.findall("tbody/tr")}
    assert head[0] == corner
    assert (len(head) - 1, len(rows)) == ((8, 2) if runtimes == 8 else (2, 9))
    first, second = list(rows.values())[:2]
    assert [text_of(cell).split()[1] for cell in first[:2]] == ["holds", "refused"]
    assert [text_of(cell).split()[1] for cell in second[:2]] == ["refused", "holds"]
    if runtimes == 9:
        assert head[1:] == ["built bytrt-0.0", "built bytrt-1.0"]
        assert list(rows)[8] == "trt-8.08.0.0"


def test_cells_say_how_to_repeat_them(document: Element) -> None:
    details = next(
        d for d in document.iter("details") if "crashed" in text_of(d) and "cell" in classes(d)
    )
    item = "accuracy/clip-vit-b32-image/int8-strong/plain/ort-1.31/ort-1.31/max"
    assert f"nox -s compat -- --item {item}" in text_of(details)
    assert "signal-SIGSEGV" in text_of(details)


def test_equal_failures_are_one_row(document: Element) -> None:
    findings = document.find(".//section[@id='findings']")
    assert findings is not None
    rows = findings.findall(".//tbody/tr")
    assert len(rows) == 4
    assert "and 2 more" in text_of(rows[0])


def test_a_finding_names_its_model_before_what_was_said(document: Element) -> None:
    """On a narrow screen only the first columns are seen."""
    findings = document.find(".//section[@id='findings']")
    assert findings is not None
    _, where, said, *_ = findings.findall(".//tbody/tr")[0]
    assert "clip-vit-b32-image" in text_of(where)
    assert "wrap" in classes(said)


def test_models_with_trouble_lead_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise they stand in the order of the configuration."""
    monkeypatch.setattr(page, "CELLS_PER_PAGE", 1)
    models = ["d", "c", "b", "a"]
    items = [builders.item("load", m, "fp32", "ort-1.30", "ort-1.30") for m in models]
    statuses = ("ok", "crashed", "ok", "crashed")
    records = [builders.record(i, s) for i, s in zip(items, statuses, strict=True)]
    plan = builders.plan(items, [builders.target("ort-1.30")], [], models)
    _, index = parsed(analysis.compile(plan, records))[-1]
    (section,) = [e for e in index.iter("section") if e.get("id") == "models"]
    (body,) = section.iter("tbody")
    assert [text_of(row[0]) for row in body] == ["c", "a", "d", "b"]


def test_names_and_messages_are_text(nasty: Results) -> None:
    ((html, tree),) = parsed(nasty)
    assert html.count("<script>") == 1
    assert "<b>&" not in html
    assert any("</pre><script>alert(1)" in text_of(e) for e in tree.iter("small"))


def test_style_and_script_stay_in_their_budget() -> None:
    assert len(CSS.encode()) <= 10_000
    assert len(SCRIPT.encode()) <= 5_000


def test_light_dark_print_and_reduced_motion_are_served() -> None:
    for feature in ("prefers-color-scheme:dark", "@media print", ":focus-visible"):
        assert feature in CSS
    assert not re.search("animation|transition|scroll-behavior", CSS)  # nothing moves at all


def palettes() -> list[dict[str, str]]:
    """The colours of the light and of the dark scheme."""
    blocks = re.findall(r":root\{([^}]*)\}", CSS)
    return [dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", b)) for b in blocks]


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    channels = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        *((ink, paper) for ink in ("ink", "dim", "link") for paper in ("bg", "soft")),
        *((ink, f"{tone}-bg") for tone in TONES for ink in ("dim", "ink", tone)),
        *((tone, "bg") for tone in TONES),
    ],
)  # fmt: skip
def test_contrast_is_at_least_that_of_wcag_aa(scheme: int, ink: str, paper: str) -> None:
    palette = palettes()[scheme]
    bright, dark = sorted((luminance(palette[ink]), luminance(palette[paper])), reverse=True)
    assert (bright + 0.05) / (dark + 0.05) >= 4.5


def test_every_state_that_can_be_shown_has_a_rank() -> None:
    ranks = {figures.rank(m) for m in figures.MARKS.values()}
    assert figures.rank(figures.mark("anything else")) == 0
    assert ranks == set(range(6))


@pytest.mark.parametrize(
    ("upgrades", "words"),
    [
        ([], "Do these engines hold?"),
        ([("ort-1.30", "ort-1.31")], "What happens if you move from ort-1.30 to ort-1.31?"),
        ([("a-1", "b-1"), ("b-1", "c-1")], "these 2 upgrades?"),
    ],
)
def test_the_question_names_the_upgrade(upgrades: list[tuple[str, str]], words: str) -> None:
    results = analysis.compile(builders.plan([], [], upgrades), [])
    assert page.question(results).endswith(words)


def test_targets_that_build_otherwise_say_how() -> None:
    """Two targets of one release differ in nothing else."""
    targets = [builders.target(f"trt-8.{n}") for n in (5, 6)]
    targets[1]["build"] = {"workspace": 64 * 2**20, "optimization-level": 0, "timing-cache": False}
    ((html, _),) = parsed(analysis.compile(builders.plan([], targets, []), []))

    assert "workspace 64 MiB, optimization level 0, no timing cache" in html
    ((html, _),) = parsed(analysis.compile(builders.plan([], targets[:1], []), []))
    assert "Builder told" not in html


def test_a_long_record_is_cut_and_says_so() -> None:
    item: dict[str, Any] = builders.item("build", "m", "fp32", "ort-1.30", "ort-1.30")
    record = builders.record(item, facts={"builder_messages": ["x" * 5_000]})
    plan = builders.plan([item], [builders.target("ort-1.30")], [], ["m"])
    (only,) = page.render(analysis.compile(plan, [record]))
    assert "more characters in records.jsonl" in only.html
