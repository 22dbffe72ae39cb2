"""The smallest pieces of HTML, made in Python because a page has many thousand of them.

Everything that comes from outside goes through ``escape``; numbers are our own formatting.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from markupsafe import Markup, escape

from compat.report.figures import Mark


@lru_cache(maxsize=4096)
def state(mark: Mark, note: str = "", link: str = "") -> Markup:
    """A state as glyph and word, with a note below and a link to its cell."""
    word = f'<a href="#{escape(link)}">{escape(mark.word)}</a>' if link else escape(mark.word)
    small = f"<small>{escape(note)}</small>" if note else ""
    shown = f'<span class="m {mark.style}"><b aria-hidden="true">{mark.glyph}</b> {word}</span>'
    return Markup(shown + small)  # noqa: S704 - escaped above


def place(mark: Mark, note: str, link: str, numbers: str = "", span: int = 1) -> Markup:
    """A table cell with a state; ``span`` columns share it."""
    columns = f' colspan="{span}"' if span > 1 else ""
    below = f"<i>{escape(numbers)}</i>" if numbers else ""
    return Markup(f'<td class="p {mark.style}"{columns}>{state(mark, note, link)}{below}</td>')  # noqa: S704 - escaped above


@lru_cache(maxsize=8192)
def text(value: str) -> Markup:
    """Names as text; a table says the same few names in every row."""
    return escape(value)


def head(mark: Mark, model: str, kind: str, *places: str) -> Markup:
    """The beginning of a table row: what the filter looks at, and the coordinates."""
    key = f"{text(kind)}|{text(mark.word)}|{text(model)}"
    cells = "".join(f"<td>{text(place)}</td>" for place in (kind, *places))
    return Markup(f'<tr data-k="{key}"><th scope="row">{text(model)}</th>{cells}')  # noqa: S704 - escaped above


def joined(*parts: Markup) -> Markup:
    """Pieces that are HTML already; adding Markup to Markup escapes anew at every step."""
    return Markup("".join(parts))  # noqa: S704 - Markup only


def numbers(values: Iterable[str]) -> Markup:
    """Right-aligned table cells; the values are what ``figures`` made of numbers, so safe."""
    return Markup("".join(f'<td class="n">{v}</td>' for v in values))  # noqa: S704 - numbers only
