"""The closing table in the terminal: a verdict per upgrade, why, and how much was run."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from compat.analysis.results import Results, UpgradeVerdict
from compat.report import figures
from compat.report.figures import Mark

_STYLES = {
    "good": "green",
    "bad": "red",
    "change": "yellow",
    "unclear": "magenta",
    "notrun": "dim",
}


def terminal(results: Results, console: Console) -> None:
    """Print the closing table; ASCII where the stream cannot show the glyphs."""
    if results.upgrades:
        table = Table(show_lines=True)
        table.add_column("upgrade", no_wrap=True)
        table.add_column("why", overflow="fold")
        for upgrade in results.upgrades:
            table.add_row(*_row(upgrade, console))
        console.print(table)
    gate = results.gate
    tail = f" (exit code {gate.exit_code}); {results.coverage.text}"
    console.print(Text.assemble(_marked(figures.gate_mark(gate), console), tail))
    if not results.upgrades or not gate.held:
        for reason in gate.because:
            console.print(Text(_shown(reason, console)))
    for allowed in gate.allowed:
        console.print(Text(_shown(f"let through: {allowed}", console)))


def _row(upgrade: UpgradeVerdict, console: Console) -> tuple[Text, Text]:
    coverage = upgrade.coverage
    name = Text.assemble(
        _shown(upgrade.name, console),
        "\n",
        _marked(figures.mark(upgrade.verdict), console),
        f"\nran {coverage.ran} of {coverage.planned}",
    )
    reasons = [f"{n}. {r.text}" for n, r in enumerate(upgrade.reasons[:3], 1)]
    if len(upgrade.reasons) > 3:
        reasons.append(f"and {len(upgrade.reasons) - 3} more in the report")
    gap = coverage.gap_text.removeprefix("; ")
    why = "\n".join(filter(None, [figures.MEANINGS[upgrade.verdict], gap, *reasons]))
    return name, Text(_shown(why, console))


def _marked(mark: Mark, console: Console) -> Text:
    glyph = mark.glyph if _can_show(mark.glyph, console) else mark.ascii
    return Text(f"{glyph} {mark.word}", style=_STYLES.get(mark.style, ""))


def _can_show(text: str, console: Console) -> bool:
    try:
        text.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _shown(text: str, console: Console) -> str:
    """Text that the stream can encode; anything else would end the run with a traceback."""
    if _can_show(text, console):
        return text
    plain = text.replace("→", "->").replace("\N{MULTIPLICATION SIGN}", "x")
    return plain.encode(console.encoding, "replace").decode(console.encoding)
