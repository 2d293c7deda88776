"""The figures as a picture: one bar a row, as a share of its target, with every single run."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.bench.rows import Result

__all__ = ["svg"]

WIDTH, ROW_HEIGHT, TOP, LABELS, BARS = 1180, 26, 64, 210, 480
#: A bar may reach so many times its target; a longer one is cut and says so by its number.
MOST = 2.0
GOOD, BAD, DOT, FLOOR = "#0d9488", "#dc2626", "#111827", "#9ca3af"


def svg(results: Sequence[Result], title: str) -> str:
    """Return the plot as SVG. The line in the middle is the target; whose limit is a maximum should stay left of it."""
    height = TOP + ROW_HEIGHT * len(results) + 20
    target = _x(1.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="12" y="22" font-size="15">make bench</text>',
        f'<text x="12" y="42" fill="#6b7280">{escape(title)}</text>',
        *(part for number, result in enumerate(results) for part in _bar(result, TOP + number * ROW_HEIGHT)),
        f'<line x1="{target}" y1="{TOP - 8}" x2="{target}" y2="{height - 16}" stroke="{DOT}" stroke-dasharray="4 3"/>',
        f'<text x="{target + 4}" y="{TOP - 10}">target</text></svg>',
    ]
    return "\n".join(parts) + "\n"


def _x(share: float) -> float:
    return LABELS + BARS * min(max(share, 0.0), MOST) / MOST


def _bar(result: Result, top: int) -> list[str]:
    row, middle = result.row, top + ROW_HEIGHT / 2
    end = _x(result.value / row.limit)
    colour = GOOD if result.met else BAD
    parts = [
        f'<text x="{LABELS - 8}" y="{middle + 4}" text-anchor="end">{row.name}</text>',
        f'<rect x="{LABELS}" y="{top + 5}" width="{end - LABELS:.1f}" height="{ROW_HEIGHT - 10}" fill="{colour}"'
        ' fill-opacity="0.75"/>',
        *(f'<circle cx="{_x(run / row.limit):.1f}" cy="{middle}" r="2.5" fill="{DOT}"/>' for run in result.runs),
    ]
    if result.floor is not None:
        x = _x(result.floor / row.limit)
        parts.append(f'<rect x="{x - 1.5:.1f}" y="{top + 2}" width="3" height="{ROW_HEIGHT - 4}" fill="{FLOOR}"/>')
    floor = "" if result.ratio is None else f", {result.ratio:.2f} of the floor"
    text = f"{result.value:.4g} {row.unit}{floor} (target {row.target})"
    return [*parts, f'<text x="{LABELS + BARS + 10}" y="{middle + 4}">{escape(text)}</text>']
