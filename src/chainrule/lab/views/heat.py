"""Tensors as pictures whose cells can be chosen: negative blue, zero clear, positive orange.

A tensor of any number of axes becomes rows and columns: one axis is a row; two are a matrix; of more, two are the
rows and columns of tiles (the axes of an image or a window where there are such, else the last two) and the others
count the tiles.  ``Tiling`` says which element a cell shows.
"""

from __future__ import annotations

import base64
import io
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chainrule.notation.markup import number, plural, text

Array = NDArray[Any]

# Wider or higher than this, a picture shows the largest value of each block of cells.
MOST_CELLS = 224
# A picture of one row of this many cells or fewer shows its numbers, too.
NUMBERED = 12
POSITIVE, NEGATIVE = (214, 96, 20), (38, 116, 190)
BETWEEN = (128, 134, 145, 60)  # tiles
# Pairs of axes along which a picture or a window extends.
_SPATIAL = (("h", "w"), ("u", "v"), ("p", "q"))


@dataclass(frozen=True)
class Tiling:
    """How a tensor lies on a surface: ``across`` and ``down`` tiles of ``rows`` × ``columns`` cells.

    ``fixed``: axis number → where on it the picture is.  ``order``: the other axes: those of the tiles, then rows and
    columns (-1 stands for none).
    """

    shape: tuple[int, ...]
    fixed: tuple[tuple[int, int], ...]
    tiles: tuple[int, ...]
    inner: tuple[int, ...]

    @property
    def rows(self) -> int:
        return self.shape[self.inner[0]] if len(self.inner) == 2 else 1

    @property
    def columns(self) -> int:
        return self.shape[self.inner[-1]] if self.inner else 1

    @property
    def count(self) -> int:
        return math.prod(self.shape[axis] for axis in self.tiles)

    @cached_property
    def across(self) -> int:
        """Tiles side by side: the last tile axis where there are two, else about as many as make a wide rectangle, and
        a divisor of how many there are where one is near.
        """
        if len(self.tiles) > 1:
            return self.shape[self.tiles[-1]]
        ideal = min(self.count, max(1, round(math.sqrt(5 * self.count * self.rows / self.columns))))
        whole = [across for across in range(1, self.count + 1) if self.count % across == 0]
        near = [across for across in whole if ideal / 1.7 <= across <= ideal * 1.7]
        return min(near, key=lambda across: abs(math.log(across / ideal)), default=ideal)

    @property
    def down(self) -> int:
        return -(-self.count // self.across)

    def surface(self, value: Array) -> Array:
        """The tensor as rows × columns, NaN between tiles."""
        chosen: Any = [slice(None)] * value.ndim
        for axis, at in self.fixed:
            chosen[axis] = at
        kept = [axis for axis in range(value.ndim) if axis not in dict(self.fixed)]
        order = [kept.index(axis) for axis in (*self.tiles, *self.inner)]
        flat = value[tuple(chosen)].transpose(order).reshape(self.count, self.rows, self.columns)
        if self.count == 1:
            return np.asarray(flat[0])
        board = np.full((self.down * (self.rows + 1), self.across * (self.columns + 1)), np.nan)
        for tile in range(self.count):
            top, left = self._corner(tile)
            board[top : top + self.rows, left : left + self.columns] = flat[tile]
        return board[:-1, :-1]

    def _corner(self, tile: int) -> tuple[int, int]:
        return tile // self.across * (self.rows + 1), tile % self.across * (self.columns + 1)

    def position(self, row: int, column: int) -> tuple[int, ...] | None:
        """The element that a cell of the surface shows; None between tiles."""
        if self.count == 1:
            tile, inside = 0, (row, column)
        else:
            tile = row // (self.rows + 1) * self.across + column // (self.columns + 1)
            inside = (row % (self.rows + 1), column % (self.columns + 1))
        if tile >= self.count or not (0 <= inside[0] < self.rows and 0 <= inside[1] < self.columns):
            return None
        found = dict(self.fixed)
        sizes = [self.shape[axis] for axis in self.tiles]
        for axis, at in zip(self.tiles, np.unravel_index(tile, sizes) if sizes else (), strict=True):
            found[axis] = int(at)
        found |= dict(zip(reversed(self.inner), reversed(inside), strict=False))
        return tuple(found[axis] for axis in range(len(self.shape)))

    def cell(self, position: Sequence[int]) -> tuple[int, int] | None:
        """The cell that shows an element; None where the picture does not."""
        if any(position[axis] != at for axis, at in self.fixed):
            return None
        inner = [position[axis] for axis in self.inner]
        row, column = (inner[0] if len(inner) == 2 else 0), (inner[-1] if inner else 0)
        if self.count > 1:
            tile = int(np.ravel_multi_index([position[a] for a in self.tiles], [self.shape[a] for a in self.tiles]))
            top, left = self._corner(tile)
            row, column = top + row, left + column
        return row, column


def tiling(axes: Sequence[str], shape: Sequence[int], row: int | None = None) -> Tiling:
    """How a tensor with these axes is laid out; ``row``: the only one shown of the axis ``b``, None: all of them.

    Of a tensor with two axes or more beside ``b``, one row is shown in any case.
    """
    names = list(axes)
    fixed: tuple[tuple[int, int], ...] = ()
    if "b" in names and (row is not None or len(names) > 2):
        at = names.index("b")
        fixed = ((at, min(row or 0, shape[at] - 1)),)
    kept = [axis for axis in range(len(names)) if axis not in dict(fixed)]
    inner = _spatial(names, kept) or tuple(kept[-2:])
    return Tiling(tuple(shape), fixed, tuple(axis for axis in kept if axis not in inner), inner)


def _spatial(names: Sequence[str], kept: Sequence[int]) -> tuple[int, int] | None:
    letters = {axis: re.sub(r"[\d']+$", "", names[axis]) for axis in kept}
    for first, second in itertools.pairwise(kept):
        if len(kept) > 2 and (letters[first], letters[second]) in _SPATIAL:
            return first, second
    return None


def blocks(surface: Array) -> tuple[Array, int]:
    """The surface with at most ``MOST_CELLS`` rows and columns, and how many cells each of its blocks is wide."""
    block = -(-max(surface.shape) // MOST_CELLS)
    if block == 1:
        return surface, 1
    rows, columns = (-(-size // block) for size in surface.shape)
    padded = np.full((rows * block, columns * block), np.nan)
    padded[: surface.shape[0], : surface.shape[1]] = surface
    parts = padded.reshape(rows, block, columns, block).swapaxes(1, 2).reshape(rows, columns, -1)
    largest = np.argmax(np.where(np.isnan(parts), -1, np.abs(parts)), axis=-1)
    return np.take_along_axis(parts, largest[..., None], axis=-1)[..., 0], block


def picture(surface: Array, scale: float) -> str:
    """The surface as the address of a PNG: the hue says the sign, the opacity the size in units of ``scale``."""
    finite = np.nan_to_num(surface, nan=0.0, posinf=scale, neginf=-scale)
    pixels = np.empty((*surface.shape, 4), np.uint8)
    pixels[..., :3] = np.where(finite[..., None] < 0, NEGATIVE, POSITIVE)
    pixels[..., 3] = np.rint(255 * np.sqrt(np.clip(np.abs(finite) / max(scale, 1e-30), 0, 1)))
    pixels[np.isnan(surface)] = BETWEEN
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def span(value: Array) -> float:
    """The largest size of the finite numbers of a tensor: the scale of its picture."""
    sizes = np.abs(value[np.isfinite(value)])
    return float(sizes.max()) if sizes.size else 0.0


def heat(
    name: str, axes: Sequence[str], value: Array, row: int | None = None, chosen: Sequence[int] | None = None
) -> str:
    """A tensor as a picture: one thing to focus, its cells chosen with a pointer or with arrow keys and Enter.

    ``chosen``: the element that is marked.
    """
    laid = tiling(axes, value.shape, row)
    surface = laid.surface(np.asarray(value, dtype=float))
    shown, block = blocks(surface)
    rows, columns = shown.shape
    marked = None if chosen is None else laid.cell(chosen)
    mark = ""
    if marked is not None:
        top, left = marked[0] // block, marked[1] // block
        mark = (
            f'<i class="mark" style="left:{100 * left / columns:.3f}%;top:{100 * top / rows:.3f}%;'
            f'width:{100 / columns:.3f}%;height:{100 / rows:.3f}%"></i>'
        )
    label = f"{_described(name, surface)}. Arrow keys choose an element, Enter opens it."
    return (
        f'<div class="heat" style="{_size(rows, columns)}" tabindex="0" role="button" aria-label="{text(label)}" '
        f'data-tensor="{text(name)}" data-rows="{rows}" data-columns="{columns}" data-block="{block}">'
        f'<img alt="" src="{picture(shown, span(value))}">{mark}</div>' + _numbers(surface)
    )


def still(name: str, axes: Sequence[str], value: Array) -> str:
    """A picture of values that are no elements of one tensor, so that nothing opens."""
    surface = tiling(axes, value.shape).surface(np.asarray(value, dtype=float))
    shown, _ = blocks(surface)
    return (
        f'<div class="heat" style="{_size(*shown.shape)}" role="img" aria-label="{text(_described(name, surface))}">'
        f'<img alt="" src="{picture(shown, span(value))}"></div>{_numbers(surface)}'
    )


def _described(name: str, surface: Array) -> str:
    rows, columns = surface.shape
    finite = surface[np.isfinite(surface)]
    words = f"smallest {number(finite.min())}, largest {number(finite.max())}" if finite.size else "no numbers"
    return f"{name}, {plural(rows, 'row')} of {columns}, {words}"


def _numbers(surface: Array) -> str:
    """The numbers of a short row below its picture, in units of a power of ten that keeps them short."""
    if surface.shape[0] != 1 or surface.shape[1] > NUMBERED:
        return ""
    largest = float(f"{span(surface):.3g}")  # what is 0.001 but for its rounding is one thousandth
    exponent = 3 * math.floor(math.log10(largest) / 3) if largest > 0 else 0
    unit = 10.0**exponent
    parts = "".join(f"<span>{_short(value / unit)}</span>" for value in surface[0].tolist())
    return f'<div class="cells">{parts}</div>' + (f"<small>in units of {number(unit)}</small>" if exponent else "")


def _short(value: float) -> str:
    """A number below 1,000 in at most four characters."""
    return number(round(value, 0 if abs(value) >= 10 else 1) + 0.0, 3)


def _size(rows: int, columns: int) -> str:
    """Cells as large as fit: squares, but in a single row higher than wide."""
    if rows == 1:
        wide = 2.2 if columns <= NUMBERED else 1.0
        return f"height:1.5rem;width:min(100%, {wide * columns:.1f}rem)"
    cell = max(2.0, min(16.0, 150 / rows, 560 / columns))
    return f"aspect-ratio:{columns}/{rows};width:min(100%, {cell * columns:.0f}px)"


def element_at(
    axes: Sequence[str], value: Array, row: int | None, cell: tuple[int, int], block: int
) -> tuple[int, ...] | None:
    """The element that a cell of ``heat`` shows: where a cell stands for a block, the largest of it."""
    laid = tiling(axes, value.shape, row)
    surface = laid.surface(np.asarray(value, dtype=float))
    top, left = cell[0] * block, cell[1] * block
    part = surface[top : top + block, left : left + block]
    if not part.size:
        return None
    down, right = np.unravel_index(int(np.argmax(np.where(np.isnan(part), -1, np.abs(part)))), part.shape)
    return laid.position(top + int(down), left + int(right))
