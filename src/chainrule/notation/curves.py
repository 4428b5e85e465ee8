"""What changes with the steps, as lines: loss, metrics, learning rate, norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from chainrule.notation.markup import count, note, number, text

WIDTH, HEIGHT = 340, 124
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 22
# A line of more points than the picture has columns is drawn through the mean of each few of them.
MOST_POINTS = 300

# For pages with the style of ``notation/page.py``, whose accents are the first two lines.
STYLE = """
.chainrule { --line0: var(--accent); --line1: var(--matrix); }
.chainrule .figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 21rem)); gap: .9rem 1.6rem; }
.chainrule figure.curves { margin: 0; }
.chainrule figure.curves figcaption { font-size: .85rem; font-weight: 600; margin-bottom: .15rem; }
.chainrule figure.curves svg { width: 100%; height: auto; display: block; overflow: visible; }
.chainrule figure.curves text { font: 11px system-ui, "Segoe UI", "Noto Sans", sans-serif; fill: var(--soft); }
.chainrule figure.curves .grid { stroke: var(--line); }
.chainrule figure.curves polyline { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.chainrule .line0 { stroke: var(--line0); } .chainrule .line1 { stroke: var(--line1); }
.chainrule figure.curves circle.line0 { fill: var(--line0); }
.chainrule figure.curves circle.line1 { fill: var(--line1); }
.chainrule .legend-line { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .8rem; color: var(--soft);
  font-variant-numeric: tabular-nums; }
.chainrule .legend-line b { color: var(--ink); font-weight: 600; }
.chainrule .legend-line [class^=key]::before { content: ""; display: inline-block; width: 1.1em;
  border-top: 2px solid; vertical-align: .28em; margin-right: .35em; }
.chainrule .key0::before { color: var(--line0); } .chainrule .key1::before { color: var(--line1); }
.chainrule .legend-line .dashed::before { border-top-style: dashed; }
"""


@dataclass(frozen=True)
class Curve:
    """A line: its name, its points, and which of the page's line colours it has (0 first)."""

    name: str
    x: Sequence[float] | NDArray[Any]
    y: Sequence[float] | NDArray[Any]
    colour: int = 0
    dashed: bool = False


def curves(title: str, lines: Sequence[Curve], *, logarithmic: bool = False, along: str = "step") -> str:
    """Lines over a common axis, with the last value of each in the legend."""
    drawn = [(line, _points(line, logarithmic)) for line in lines]
    points = [point for _, found in drawn for point in found]
    if not points:
        return f'<figure class="curves"><figcaption>{text(title)}</figcaption>{note("nothing measured yet")}</figure>'
    (x0, x1), (y0, y1) = _range([x for x, _ in points]), _range([y for _, y in points])

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT),
            TOP + (y1 - y) / (y1 - y0) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [_grid(y0, y1, logarithmic, place, x0), _ends(x0, x1, place, y0, along)]
    for line, found in drawn:
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in (place(x, y) for x, y in found))
        dashed = ' stroke-dasharray="5 3"' if line.dashed else ""
        if len(found) == 1:
            px, py = place(*found[0])
            parts.append(f'<circle class="line{line.colour}" cx="{px:.1f}" cy="{py:.1f}" r="2.5"/>')
        elif found:
            parts.append(f'<polyline class="line{line.colour}"{dashed} points="{path}"/>')
    said = "; ".join(f"{line.name} now {number(_last(line))}" for line in lines if len(line.y))
    key = "".join(
        f'<span class="key{line.colour}{" dashed" if line.dashed else ""}">{text(line.name)} '
        f"<b>{number(_last(line))}</b></span>"
        for line in lines
        if len(line.y)
    )
    return (
        f'<figure class="curves"><figcaption>{text(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(f"{title}: {said}")}">{"".join(parts)}</svg>'
        f'<div class="legend-line">{key}</div></figure>'
    )


def _last(line: Curve) -> float:
    return float(line.y[-1])


def _points(line: Curve, logarithmic: bool) -> list[tuple[float, float]]:
    """The points that can be drawn, thinned to means of neighbours."""
    found = [
        (float(x), math.log10(y) if logarithmic else float(y))
        for x, y in zip(line.x, line.y, strict=True)
        if math.isfinite(y) and (y > 0 or not logarithmic)
    ]
    group = -(-len(found) // MOST_POINTS) if found else 1
    if group == 1:
        return found
    parts = [found[start : start + group] for start in range(0, len(found), group)]
    means = [tuple(sum(values) / len(part) for values in zip(*part, strict=True)) for part in parts]
    return [found[0], *((x, y) for x, y in means), found[-1]]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.04 or abs(high) * 0.1 or 1.0
    return (low - margin, high + margin) if high == low else (low, high + (0 if low >= 0 else margin))


def ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Round numbers between two: steps of 1, 2 or 5 times a power of ten."""
    step = 10 ** math.floor(math.log10((high - low) / wanted))
    step = next(step * factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= wanted + 0.5)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def _grid(low: float, high: float, logarithmic: bool, place: object, x: float) -> str:
    assert callable(place)
    parts = []
    found = ticks(low, high)
    # As many digits as tell neighbours apart.
    ratio = max(map(abs, found)) / (found[1] - found[0]) if len(found) > 1 else 1.0
    digits = max(3, math.floor(math.log10(max(ratio, 1.0))) + 2)
    for value in found:
        _, y = place(x, value)
        label = number(10**value, 2) if logarithmic else number(value, digits)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{label}</text>')
    return "".join(parts)


def _ends(first: float, last: float, place: object, y: float, along: str) -> str:
    assert callable(place)
    low, high = count(round(first)), count(round(last))
    base = HEIGHT - 6
    return (
        f'<text x="{LEFT}" y="{base}">{low}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{base}" text-anchor="end">{text(along)} {high}</text>'
    )
