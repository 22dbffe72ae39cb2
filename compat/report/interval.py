"""A confidence interval as a small inline drawing on one scale for the whole page."""

from __future__ import annotations

from math import log

from markupsafe import Markup

WIDTH, HEIGHT = 150, 18
_LIMIT = log(1.5)


def draw(ratio: float, low: float, high: float, band: float, style: str) -> Markup:
    """Draw ratio and interval over the allowed band, log scale from x0.67 to x1.5.

    ``style`` is that of the verdict: a narrow interval of an unstable series is not green.
    """
    left, right = _place(1 / (1 + band)), _place(1 + band)
    a, b, dot = _place(low), _place(high), _place(ratio)
    label = f"ratio {ratio:.3f}, 95% interval {low:.3f} to {high:.3f}, band {band * 100:.3g}%"
    return Markup(  # noqa: S704 - numbers only: nothing of it comes from outside
        f'<svg class="iv {style}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{label}"><rect x="{left}" width="{right - left:.1f}" height="18"/>'
        f'<path class="one" d="M{_place(1)} 0v18"/>'
        f'<path class="ci" d="M{a} 9H{b}M{a} 5v8M{b} 5v8"/>'
        f'<circle cx="{dot}" cy="9" r="2.2"/></svg>'
    )


def _place(ratio: float) -> float:
    """Position of a ratio; beyond the scale it sits at the edge."""
    clipped = min(1.0, max(-1.0, log(ratio) / _LIMIT)) if ratio > 0 else -1.0
    return round((clipped + 1) / 2 * (WIDTH - 8) + 4, 1)
