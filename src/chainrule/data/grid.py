"""Arrays with more axes than a table: one mean and one deviation for all of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.reader import FixedShape
from chainrule.errors import ChainruleError

Array = NDArray[Any]

# The names of the axes after the row, by how many there are; more than three are numbered.
AXES = {1: ("i",), 2: ("h", "w"), 3: ("h", "w", "c")}


def axis_sizes(shape: tuple[int, ...]) -> dict[str, int]:
    """The axes of one row and their sizes: ``{"h": 32, "w": 32, "c": 3}``."""
    names = AXES.get(len(shape), tuple(f"i{k}" for k in range(1, len(shape) + 1)))
    return dict(zip(names, shape, strict=True))


@dataclass(frozen=True)
class Cells:
    """Rows of an array [b, …] with more axes than a table, or none."""

    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Array) -> Cells:
        return Cells(self.values[rows])

    def parts(self) -> list[Array]:
        return [self.values]


def as_cells(X: Array) -> Cells:
    """The rows of an array [b, …].  Raises ChainruleError for what are no numbers, and naming a row with a gap."""
    if X.dtype.kind not in "fiub":
        raise ChainruleError(f"X has {X.ndim} axes and holds {X.dtype}; such arrays must hold numbers")
    finite = np.isfinite(X)
    if not finite.all():
        row = int(np.argmin(finite.reshape(len(X), -1).all(axis=1)))
        raise ChainruleError(f"X, row {row + 1} holds a number that is missing or infinite")
    return Cells(X)


@dataclass(frozen=True)
class Grid(FixedShape):
    """Numbers [b, …] brought to mean 0 and deviation 1 by one mean and one deviation; ``shape`` is that of a row."""

    shape: tuple[int, ...]
    mean: float
    deviation: float

    @property
    def sizes(self) -> Mapping[str, int]:
        """The axes of one row and their sizes."""
        return axis_sizes(self.shape)

    def encode(self, data: Any, dtype: Any = np.float32) -> dict[str, Array]:
        """The numbers that the network reads, x[b,…], from ``Cells``.  Raises ChainruleError for another shape."""
        return {"x": self.scaled(self.measured(data, dtype))}

    def measured(self, data: Any, dtype: Any = np.float32) -> Array:
        """The numbers as they were given."""
        shape = data.values.shape[1:] if isinstance(data, Cells) else ("one axis",)
        if shape != self.shape:
            raise ChainruleError(f"X has rows of shape {shape}; the model was trained on {self.shape}")
        numbers: Array = data.values.astype(dtype)
        return numbers

    def scaled(self, images: Array) -> Array:
        """Such numbers at mean 0 and deviation 1; the array given is written over."""
        images -= images.dtype.type(self.mean)
        images /= images.dtype.type(self.deviation)
        return images

    def lines(self) -> list[tuple[str, str]]:
        """What is done to the input."""
        shape = "×".join(map(str, self.shape))
        return [("X", f"{shape} numbers a row, mean {self.mean:.4g}, deviation {self.deviation:.4g}")]

    def to_json(self) -> dict[str, Any]:
        return {"shape": list(self.shape), "mean": self.mean, "deviation": self.deviation}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Grid:
        return Grid(tuple(data["shape"]), float(data["mean"]), float(data["deviation"]))


def fit_grid(cells: Cells, weights: Array) -> Grid:
    """Mean and deviation over all numbers; a row of weight w counts as w rows."""
    X = cells.values
    rows = X.reshape(len(X), -1).astype(np.float64)
    mean = float(np.average(rows.mean(axis=1), weights=weights))
    deviation = float(np.sqrt(np.average(((rows - mean) ** 2).mean(axis=1), weights=weights)))
    return Grid(X.shape[1:], mean, deviation or 1.0)
