"""The numbers of a tensor laid out to be looked at: in sheets of rows and columns, shaded by their size.

A tensor with more than two axes is a row of sheets, one for each position on its other axes: the feature maps of a
convolution, the heads of an attention.  Axes of size 1 take no room.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.notation.layout import Box, Script, Symbol

Array = NDArray[Any]

LEVELS = 9  # shades of each sign
_IMAGES = (("h", "w"), ("u", "v"))  # axes that are rows and columns of an image or of a window


@dataclass(frozen=True, eq=False)
class Sheet:
    """Rows and columns of numbers, at one position on the other axes; ``at``: where the number at (row, column) is."""

    others: tuple[int, ...]
    numbers: Array
    at: Array


@dataclass(frozen=True, eq=False)
class Sheets:
    """A tensor in sheets.  ``row``, ``column`` and ``others``: its axes by number, None where there is none."""

    row: int | None
    column: int | None
    others: tuple[int, ...]
    sheets: tuple[Sheet, ...]

    @property
    def rows(self) -> int:
        return int(self.sheets[0].numbers.shape[0]) if self.sheets else 0

    @property
    def columns(self) -> int:
        return int(self.sheets[0].numbers.shape[1]) if self.sheets else 0


def sheets(axes: tuple[Box, ...], numbers: Array) -> Sheets:
    """The numbers in sheets; rows and columns are those of an image where there is one, else the two longest axes."""
    long = [axis for axis, size in enumerate(numbers.shape) if size != 1]
    row, column = _rows_and_columns(long, axes, numbers.shape)
    others = tuple(axis for axis in long if axis not in (row, column))
    flat = np.arange(numbers.size).reshape(numbers.shape)
    ones = [axis for axis in range(numbers.ndim) if axis not in (row, column, *others)]
    order = [*ones, *others, *(axis for axis in (row, column) if axis is not None)]
    shape = [1 if axis is None else numbers.shape[axis] for axis in (row, column)]
    values, at = (array.transpose(order).reshape(-1, *shape) for array in (numbers, flat))
    places = np.ndindex(*(numbers.shape[axis] for axis in others))
    return Sheets(row, column, others, tuple(map(Sheet, places, values, at)))


def _rows_and_columns(long: list[int], axes: tuple[Box, ...], shape: tuple[int, ...]) -> tuple[int | None, int | None]:
    if len(long) < 2:
        return None, long[0] if long else None
    letters = [_letter(axes[axis]) for axis in long]
    for pair in _IMAGES:
        if all(letters.count(letter) == 1 for letter in pair):
            return long[letters.index(pair[0])], long[letters.index(pair[1])]
    first, second = sorted(sorted(long, key=lambda axis: -shape[axis])[:2])
    return first, second


def _letter(axis: Box) -> str:
    while isinstance(axis, Script):
        axis = axis.base
    return axis.text if isinstance(axis, Symbol) else ""


def levels(numbers: Array) -> Array:
    """The shade of each number, from −9 to 9: how large it is beside the largest; 0 where it is none."""
    values = np.where(np.isfinite(numbers.astype(float)), numbers, 0).astype(float)
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0:
        return np.zeros(numbers.shape, int)
    shades: Array = np.rint(values / largest * LEVELS).astype(int)
    return shades


def shown(value: Any, digits: int = 3) -> str:
    """A number with a few digits; a whole one in full."""
    if isinstance(value, int | np.integer):
        return str(int(value)).replace("-", "−")
    text = f"{float(value):.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−") if exponent else mantissa.replace("-", "−")


def alike(numbers: Array) -> bool:
    """Whether all are one number, so that there is nothing more to see."""
    return numbers.size == 0 or bool(np.isfinite(numbers).all() and numbers.min() == numbers.max())


def described(numbers: Array) -> str:
    """The smallest, the largest and the mean of the numbers, and how many there are."""
    if numbers.size == 0:
        return "no numbers"
    values = numbers.astype(float)
    wrong = int(np.size(values) - np.isfinite(values).sum())
    finite = values[np.isfinite(values)]
    note = f", {wrong:,} not finite" if wrong else ""
    if not finite.size:
        return f"{numbers.size:,} numbers, none finite"
    low, high = finite.min(), finite.max()
    if low == high:
        count = "1 number," if numbers.size == 1 else f"{numbers.size:,} numbers, all"
        return f"{count} {shown(_typed(low, numbers))}{note}"
    return (
        f"{numbers.size:,} numbers from {shown(_typed(low, numbers))} to {shown(_typed(high, numbers))}, "
        f"mean {shown(finite.mean())}{note}"
    )


def _typed(value: Any, numbers: Array) -> Any:
    return int(value) if numbers.dtype.kind in "iu" else value


def coarse(matrix: Array, most: int) -> tuple[Array, int, int]:
    """A matrix of at most ``most`` rows and columns: of each patch the number of largest size; the patch's sides."""
    sides = [max(1, -(-size // most)) for size in matrix.shape]
    if prod(sides) == 1:
        return matrix, 1, 1
    padded = np.zeros([-(-size // side) * side for size, side in zip(matrix.shape, sides, strict=True)], float)
    padded[: matrix.shape[0], : matrix.shape[1]] = matrix
    rows, columns = (size // side for size, side in zip(padded.shape, sides, strict=True))
    patches = padded.reshape(rows, sides[0], columns, sides[1]).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    largest = np.abs(patches).argmax(-1)[..., None]
    return np.take_along_axis(patches, largest, -1)[..., 0], sides[0], sides[1]


def positions(at: Array, shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The positions in the tensor of a row of a sheet."""
    for flat in at:
        yield tuple(int(place) for place in np.unravel_index(int(flat), shape))
