"""Plots as SVG, drawn here: bars by workload and target, lines over sizes. Both axes of values are logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

COLOURS = ("#1b6ca8", "#d1495b", "#2a9d8f", "#e9a03b", "#6a4c93", "#7f8c8d", "#386641", "#b56576")
LEFT, RIGHT, BAR, GAP, TOP = 260, 90, 11, 9, 46
WIDTH = 900


def bars(title: str, values: Mapping[str, Mapping[str, float]]) -> str:
    """Horizontal bars; values: group -> series -> value. A value that is not positive has no bar."""
    names = list(dict.fromkeys(name for group in values.values() for name in group))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    scale = Scale([v for group in values.values() for v in group.values()], LEFT, WIDTH - RIGHT)
    body, y = [], TOP + 18 * ((len(names) + 2) // 3)
    for group, found in values.items():
        height = BAR * len(found)
        body.append(text(LEFT - 8, y + height / 2 + 4, group, anchor="end"))
        for name, value in found.items():
            if value > 0:
                width = max(1.0, scale(value) - LEFT)
                body.append(
                    f'<rect x="{LEFT}" y="{y:.1f}" width="{width:.1f}" height="{BAR - 1}" fill="{colours[name]}"/>'
                )
                body.append(text(LEFT + width + 4, y + BAR - 2, short(value), size=9))
            y += BAR
        y += GAP
    return _page(title, names, colours, body, scale.grid(TOP, y), y + 12)


def lines(title: str, sizes: Sequence[float], values: Mapping[str, Sequence[float]]) -> str:
    """One line a series over the sizes; a value that is not finite breaks off the line."""
    height = 460
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(values)}
    across = Scale(sizes, 70, WIDTH - 220)
    up = Scale([v for found in values.values() for v in found], height - 40, TOP + 20)
    body = [text(across(size), height - 18, f"{size:,.0f}", anchor="middle") for size in sizes]
    for mark in up.marks():
        body.append(f'<line x1="70" x2="{WIDTH - 220}" y1="{up(mark):.1f}" y2="{up(mark):.1f}" stroke="#ddd"/>')
        body.append(text(64, up(mark) + 4, short(mark), anchor="end"))
    for number, (name, found) in enumerate(values.items()):
        points = [f"{across(s):.1f},{up(v):.1f}" for s, v in zip(sizes, found, strict=True) if math.isfinite(v)]
        dash = "" if number < len(COLOURS) else ' stroke-dasharray="5 3"'
        body.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colours[name]}" stroke-width="2"{dash}/>'
        )
        y = TOP + 20 + 16 * number
        body.append(f'<line x1="{WIDTH - 205}" x2="{WIDTH - 185}" y1="{y}" y2="{y}" stroke="{colours[name]}"{dash}/>')
        body.append(text(WIDTH - 180, y + 4, name))
    return _page(title, (), {}, body, [], max(height, TOP + 40 + 16 * len(values)))


class Scale:
    """Logarithmic: values to places from `start` to `end`."""

    def __init__(self, values: Iterable[float], start: float, end: float) -> None:
        found = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
        self.low = math.floor(math.log10(min(found)) - 1e-9)
        self.high = max(self.low + 1, math.ceil(math.log10(max(found)) - 1e-9))
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def marks(self) -> list[float]:
        return [10.0**power for power in range(self.low, self.high + 1)]

    def grid(self, top: float, bottom: float) -> list[str]:
        found = []
        for mark in self.marks():
            x = self(mark)
            found.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom:.1f}" stroke="#ddd"/>')
            found.append(text(x, bottom + 12, short(mark), anchor="middle", size=9))
        return found


def text(x: float, y: float, said: str, *, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(said)}</text>'


def short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _page(
    title: str, names: Sequence[str], colours: Mapping[str, str], body: list[str], grid: list[str], height: float
) -> str:
    legend = []
    for number, name in enumerate(names):
        x, y = 20 + 290 * (number % 3), TOP - 6 + 18 * (number // 3)
        legend.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colours[name]}"/>')
        legend.append(text(x + 15, y, name))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height + 12:.0f}" font-family="sans-serif">'
    )
    back = f'<rect width="{WIDTH}" height="{height + 12:.0f}" fill="#fff"/>'
    return "\n".join([head, back, text(20, 24, title, size=15), *legend, *grid, *body, "</svg>"]) + "\n"
