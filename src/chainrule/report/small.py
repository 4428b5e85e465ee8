"""Drawings the size of a word: histograms and lines in tables, pictures as PNG, bars beside numbers."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BINS = 32
WIDTH, HEIGHT = 132, 30
MOST_PIXELS = 200  # along a side of a picture
MOST_POINTS = 240  # of a line
RED, BLUE = (196, 84, 26), (38, 120, 178)


def counted(values: Array, bins: int = BINS) -> tuple[Array, Array]:
    """How many finite values lie in each of equal intervals, and the intervals' ends."""
    found = np.asarray(values, dtype=np.float64).ravel()
    found = found[np.isfinite(found)]
    if not len(found):
        return np.zeros(1), np.array([0.0, 1.0])
    low, high = float(found.min()), float(found.max())
    different = np.unique(found)
    if len(different) <= bins and np.array_equal(different, np.round(different)) and high - low < 2 * bins:
        return np.histogram(found, np.arange(low, high + 2) - 0.5)  # a bar for each whole number
    return np.histogram(found, bins, (low, high) if high > low else (low - 0.5, high + 0.5))


def bars(counts: Sequence[float] | Array, label: str) -> str:
    """A histogram without axes."""
    heights = np.asarray(counts, dtype=float)
    heights = heights / max(float(heights.max()), 1e-300)
    step = WIDTH / len(heights)
    gap = 0.15 * step if step > 5 else 0
    path = "".join(
        f"M{k * step + gap:.1f} {HEIGHT}v{-max(height * (HEIGHT - 2), 0.7):.1f}h{step - 2 * gap:.1f}V{HEIGHT}z"
        for k, height in enumerate(heights)
        if height > 0
    )
    return _small(f'<path d="{path}" class="bars"/><path d="M0 {HEIGHT - 0.3}h{WIDTH}" class="base"/>', label)


def line(values: Array, label: str, *, width: int = WIDTH, height: int = HEIGHT) -> str:
    """A line through values [t], or a line for each channel [t, c]."""
    columns = np.asarray(values, dtype=float).reshape(len(values), -1)
    columns = columns[:: max(1, len(columns) // MOST_POINTS)]
    low, high = float(np.nanmin(columns)), float(np.nanmax(columns))
    scale = (height - 4) / ((high - low) or 1.0)
    at = np.linspace(1, width - 1, len(columns))
    lines = []
    for column in columns.T:
        points = " ".join(f"{x:.1f},{height - 2 - (y - low) * scale:.1f}" for x, y in zip(at, column, strict=True))
        lines.append(f'<polyline points="{points}" class="line"/>')
    return _small("".join(lines), label, width, height)


def _small(inside: str, label: str, width: int = WIDTH, height: int = HEIGHT) -> str:
    return (
        f'<svg class="small" role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}">{inside}</svg>'
    )


def bar(value: float, most: float) -> str:
    """A bar to the right for what is positive, to the left for what is negative; its number stands beside it."""
    share = 0.0 if most == 0 else min(1.0, abs(value) / most)
    side = "for" if value >= 0 else "against"
    return f'<span class="bar" aria-hidden="true"><i class="{side}" style="width:{50 * share:.1f}%"></i></span>'


def share(part: float) -> str:
    """A bar from the left for a part of a whole; its number stands beside it."""
    return f'<span class="share" aria-hidden="true"><i style="width:{100 * part:.1f}%"></i></span>'


def picture(pixels: Array, label: str, *, size: int = 96, kind: str = "") -> str:
    """An image [h,w] or [h,w,c] of bytes as PNG; small ones keep their pixels as squares."""
    from PIL import Image

    made = Image.fromarray(pixels)
    if max(made.size) > MOST_PIXELS:
        made.thumbnail((MOST_PIXELS, MOST_PIXELS))
    buffer = io.BytesIO()
    made.save(buffer, "png", optimize=True)
    data = base64.b64encode(buffer.getvalue()).decode()
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    kinds = " ".join(filter(None, ("picture", kind)))
    return (
        f'<img class="{kinds}" src="data:image/png;base64,{data}" alt="{escape(label)}" width="{width * scale:.0f}" '
        f'height="{height * scale:.0f}">'
    )


def as_bytes(values: Array, low: float | None = None, high: float | None = None) -> Array:
    """Numbers as grey levels or colours from 0 to 255, the lowest black."""
    values = np.asarray(values, dtype=float)
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    scaled: Array = np.clip((values - low) / ((high - low) or 1.0), 0, 1) * 255
    return scaled.round().astype(np.uint8)


def shades(values: Array, colour: tuple[int, int, int], most: float) -> Array:
    """Numbers [h,w] as a colour on nothing, [h,w,4]: 0 is transparent, ``most`` is full."""
    made = np.zeros((*values.shape, 4), dtype=np.uint8)
    made[..., :3] = colour
    made[..., 3] = as_bytes(np.maximum(values, 0), 0.0, most or 1.0)
    return made
