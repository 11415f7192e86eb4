"""A drawing of one part's ratios: a bar from the control to the median, a line over the rounds' spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from tests.benchmarks.figures import LOWER, Comparison, Spread

WIDTH: Final = 960
LEFT: Final = 330
RIGHT: Final = 110
ROW: Final = 20
HEAD: Final = 30
BETTER: Final = "#2a7f62"
WORSE: Final = "#b4593a"

_Scale = Callable[[float], float]


def ratios(title: str, comparisons: Sequence[Comparison]) -> str:
    """An SVG image on a logarithmic scale: twice as much and half as much are equally far from the control."""
    spreads = [one.ratio(name) for one in comparisons for name in _others(one)]
    reach = max([math.log2(4), *(abs(math.log2(end)) for s in spreads for end in (s.least, s.most) if end > 0)]) * 1.05

    def x(ratio: float) -> float:
        place = math.log2(ratio) if ratio > 0 else -reach
        return LEFT + (place + reach) / (2 * reach) * (WIDTH - LEFT - RIGHT)

    drawn, y = [_text(10, 20, title, weight="bold")], HEAD + 10.0
    for comparison in comparisons:
        lower = comparison.better == LOWER
        y += ROW * 0.4
        drawn.append(_text(10, y + 14, f"{comparison.title} ({comparison.unit}; control: {comparison.control})"))
        y += ROW
        for name in _others(comparison):
            spread = comparison.ratio(name)
            drawn += _bar(name, spread, x, y, colour=BETTER if (spread.median < 1) == lower else WORSE)
            y += ROW
    height = y + ROW * 1.5
    drawn += _axis(reach, x, height)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _others(comparison: Comparison) -> list[str]:
    return [name for name in comparison.rounds if name != comparison.control]


def _bar(name: str, spread: Spread, x: _Scale, y: float, *, colour: str) -> list[str]:
    start, end = sorted((x(1), x(spread.median)))
    middle = y + ROW / 2
    return [
        _text(LEFT - 8, y + 14, name, anchor="end"),
        f'<rect x="{start:.1f}" y="{y + 4:.1f}" width="{max(end - start, 1):.1f}" height="{ROW - 8}" fill="{colour}"/>',
        f'<line x1="{x(spread.least):.1f}" x2="{x(spread.most):.1f}" y1="{middle}" y2="{middle}" stroke="black"/>',
        _text(WIDTH - RIGHT + 8, y + 14, f"{spread.median:.2f} x"),
    ]


def _axis(reach: float, x: _Scale, height: float) -> list[str]:
    step = max(1, round(reach / 4))
    drawn = []
    for power in range(-math.floor(reach / step) * step, math.floor(reach) + 1, step):
        label = f"{2**power} x" if power >= 0 else f"1/{2**-power} x"
        place = x(2.0**power)
        colour, dash = ("black", "") if power == 0 else ("#bbbbbb", ' stroke-dasharray="2 3"')
        drawn.append(
            f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{HEAD}" y2="{height - 18:.0f}" stroke="{colour}"{dash}/>'
        )
        drawn.append(_text(place, height - 5, label, anchor="middle"))
    return drawn


def _text(x: float, y: float, words: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(words)}</text>'
