"""The HTML page: one self-contained file, or beyond the size budget an index and one per model."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from compat.analysis.results import Results
from compat.report import (
    claims,
    code,
    crosschecks,
    damage,
    details,
    figures,
    findings,
    headline,
    matrix,
    tables,
)
from compat.report.cells import CellView, collect
from compat.report.html import state as state_html
from compat.report.rows import Row, rows
from compat.report.surprises import surprises

#: Cells with evidence on one page; 500 make about 1 MB (field.md, "Page").
CELLS_PER_PAGE = 500
_HERE = Path(__file__).parent
#: What HTML cannot hold, even as a character reference.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class PageFile:
    """A page by its name in the output folder."""

    name: str
    html: str


@dataclass(frozen=True, slots=True)
class ModelPage:
    """A link from the index to the page of one model."""

    name: str
    file: str
    states: list[tuple[figures.Mark, int]]
    ran: int
    planned: int

    @property
    def is_quiet(self) -> bool:
        """Whether nothing broke on it."""
        return all(mark.style != "bad" for mark, _ in self.states)


def render(
    results: Results,
    listed: Sequence[Row] | None = None,
    read_in: Sequence[Mapping[str, Any]] = (),
) -> Iterator[PageFile]:
    """Render the page or pages one at a time, the index last so that no link of it is dead.

    ``listed`` are the rows of the table where a caller has them, ``read_in`` the cross-check rows
    that came in after the run.
    """
    items = list(rows(results.table)) if listed is None else listed
    others = [*crosschecks.of_run(items, results.records), *read_in]
    cells = collect(items)
    if sum(1 for c in cells if c.ran) <= CELLS_PER_PAGE:
        content = _content(results, items, cells, others)
        yield PageFile("index.html", _render(results, content, [], ""))
        return
    by_model: dict[str, list[CellView]] = defaultdict(list)
    for cell in cells:
        by_model[cell.key[2]].append(cell)
    pages = []
    for model, own in by_model.items():
        name = f"model-{_slug(model)}.html"
        own_items = [r for c in own for r in c.items]
        content = _content(results, own_items, own, others, only_trouble=True)
        yield PageFile(name, _render(results, content, [], model))
        ran = sum(1 for r in own_items if r.ran)
        pages.append(ModelPage(model, name, matrix.page_states(own), ran, len(own_items)))
    summary = _content(results, items, cells, others, summary_only=True)
    pages.sort(key=lambda page: page.is_quiet)
    yield PageFile("index.html", _render(results, summary, pages, ""))


def _slug(model: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", model)
    return plain if plain == model else f"{plain}-{sha256(model.encode()).hexdigest()[:8]}"


def _content(
    results: Results,
    items: Sequence[Row],
    cells: Sequence[CellView],
    others: Sequence[Mapping[str, Any]],
    *,
    only_trouble: bool = False,
    summary_only: bool = False,
) -> dict[str, Any]:
    """What the template needs about these items."""
    told = [] if summary_only else details.worth_telling(cells, only_trouble=only_trouble)
    linked = {c.anchor for c in told}
    shown = [] if summary_only else items
    timed = tables.of_upgrades(items) if summary_only else items
    band = float(results.plan["limits"]["latency"])
    models = list(dict.fromkeys(c.key[2] for c in cells))
    names = [] if summary_only else models
    device = tables.has_device_memory(timed)
    return {
        "families": matrix.families(results.plan["targets"], cells, linked),
        "drift": tables.drift_rows(shown, linked),
        "labels": tables.label_rows(shown, linked),
        "latency": tables.latency_rows(timed, band, linked, device=device),
        "device_memory": device,
        "crosschecks": crosschecks.rows(shown, others, band, linked),
        "variants": claims.variant_rows(results.variants, names, linked),
        "builds": tables.build_rows(shown, linked),
        "damage": damage.table(items, linked),
        "details": [details.detail(c, results.records) for c in told],
        "surprises": surprises(items),
        "failures": findings.failures(items),
        "missing": findings.missing(items),
        "unrun": headline.unrun(items),
        "speed": {u.name: headline.latency(items, u, results.plan) for u in results.upgrades},
        "models": models,
        "precisions": list(dict.fromkeys(c.key[3] for c in cells)),
        "full": not summary_only,
        "band": band,
    }


def _render(results: Results, content: dict[str, Any], pages: list[ModelPage], model: str) -> str:
    html = _template().render(
        content,
        results=results,
        plan=results.plan,
        gate=results.gate,
        upgrades=results.upgrades,
        coverage=results.coverage,
        claims=[] if model else claims.statements(results.claims),
        code=[] if model else code.your_code(results),
        question=question(results),
        machine=machine(results),
        pages=pages,
        model=model,
    )
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", html)


def question(results: Results) -> str:
    """The question that the page answers."""
    match results.upgrades:
        case ():
            return "Do these engines hold?"
        case (only,):
            return f"What happens if you move from {only.current} to {only.candidate}?"
        case many:
            return f"What happens if you make these {len(many)} upgrades?"


def machine(results: Results) -> str:
    """The machine in a few words: platform and GPUs as the targets saw them."""
    facts = [f for f in results.environment.values() if f]
    platforms = dict.fromkeys(str(f["platform"]) for f in facts if f.get("platform"))
    gpus = dict.fromkeys(str(gpu) for f in facts for gpu in f.get("gpus") or ())
    return f"{', '.join(platforms) or 'unknown machine'} · {', '.join(gpus) or 'no GPU'}"


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        mark=figures.mark,
        gate_mark=figures.gate_mark,
        state=state_html,
        plural=figures.plural,
        claim_words=claims.WORDS,
        build_settings=figures.build_settings,
        code_of=code.of_upgrade,
        marks=figures.MARKS,
        meanings=figures.MEANINGS,
        advice=findings.advice,
        css=Markup((_HERE / "style.css").read_text("utf-8")),  # noqa: S704 - our own file
        script=Markup((_HERE / "page.js").read_text("utf-8")),  # noqa: S704 - our own file
    )
    return environment.get_template("page.html.j2")
