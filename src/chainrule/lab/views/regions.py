"""Decision regions: what a network with two inputs predicts everywhere, with the rows as points."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chainrule.notation.curves import ticks
from chainrule.notation.markup import number, text

Array = NDArray[np.floating]

# Told apart by people who see few colours: Okabe and Ito, Color universal design (2008).
PALETTE = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233), (160, 150, 30))
SIDE, MARGIN = 360, 34
MOST_POINTS = 400
_SHAPES = 3  # circle, square, triangle: colour is not the only sign of a class


def grid(first: tuple[float, float], second: tuple[float, float], cells: int = 60) -> Array:
    """The middles of the cells of a square grid over two ranges [cell, 2], the second coordinate downwards."""
    across = first[0] + (np.arange(cells) + 0.5) / cells * (first[1] - first[0])
    up = second[1] - (np.arange(cells) + 0.5) / cells * (second[1] - second[0])
    return np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)


def ranges(points: Array) -> tuple[tuple[float, float], tuple[float, float]]:
    """What the points span, with a margin of a tenth on each side."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, (high - low) * 0.1, 1.0)
    return ((low[0] - margin[0], high[0] + margin[0]), (low[1] - margin[1], high[1] + margin[1]))


def regions(
    shares: Array, points: Array, classes: NDArray[np.integer], names: Sequence[str], inputs: Sequence[str]
) -> str:
    """``shares`` [cell, k]: predicted on ``grid(*ranges(points))``; ``points`` [row, 2] of ``classes`` [row]."""
    cells = round(len(shares) ** 0.5)
    (x0, x1), (y0, y1) = ranges(points)
    area = SIDE - MARGIN

    def place(x: float, y: float) -> tuple[float, float]:
        return MARGIN + (x - x0) / (x1 - x0) * area, (y1 - y) / (y1 - y0) * area

    chosen = np.linspace(0, len(points) - 1, min(len(points), MOST_POINTS)).astype(int)
    drawn = "".join(_point(*place(*points[row]), int(classes[row])) for row in chosen)
    marks = "".join(
        f'<text x="{place(value, y0)[0]:.1f}" y="{SIDE - 18}" text-anchor="middle">{number(value, 3)}</text>'
        for value in ticks(x0, x1)
    ) + "".join(
        f'<text x="{MARGIN - 5}" y="{place(x0, value)[1] + 4:.1f}" text-anchor="end">{number(value, 3)}</text>'
        for value in ticks(y0, y1)
    )
    key = "".join(
        f'<span><svg viewBox="0 0 12 12" width="12" aria-hidden="true">{_point(6, 6, at)}</svg> {text(name)}</span>'
        for at, name in enumerate(names)
    )
    across, up = (text(name) for name in inputs)
    predicted = shares.argmax(axis=1)
    said = ", ".join(f"{name} {100 * float((predicted == at).mean()):.0f} %" for at, name in enumerate(names))
    return (
        f'<figure class="regions"><svg viewBox="0 0 {SIDE} {SIDE}" role="img" '
        f'aria-label="{text(f"Share of the plane predicted as each class: {said}")}">'
        f'<image href="{_surface(shares, cells)}" x="{MARGIN}" y="0" width="{area}" height="{area}" '
        f'preserveAspectRatio="none"/>{drawn}{marks}'
        f'<text class="name" x="{MARGIN + area / 2}" y="{SIDE - 2}" text-anchor="middle">{across}</text>'
        f'<text class="name" transform="translate(9 {area / 2}) rotate(-90)" text-anchor="middle">{up}</text></svg>'
        f'<div class="legend-line">{key}</div></figure>'
    )


def _surface(shares: Array, cells: int) -> str:
    """Colours of the classes mixed by their shares."""
    colours = np.array([PALETTE[at % len(PALETTE)] for at in range(shares.shape[1])], dtype=float)
    pixels = np.empty((cells, cells, 4), np.uint8)
    pixels[..., :3] = np.clip(np.nan_to_num(shares) @ colours, 0, 255).reshape(cells, cells, 3)
    pixels[..., 3] = 105
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _point(x: float, y: float, at: int) -> str:
    red, green, blue = PALETTE[at % len(PALETTE)]
    look = f'class="point" fill="rgb({red},{green},{blue})"'
    match at % _SHAPES:
        case 0:
            return f'<circle {look} cx="{x:.1f}" cy="{y:.1f}" r="3.4"/>'
        case 1:
            return f'<rect {look} x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6"/>'
    return f'<path {look} d="M{x:.1f} {y - 3.8:.1f}l3.8 6.6h-7.6z"/>'
