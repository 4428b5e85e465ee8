"""Where the rows of training come from: which minibatches an epoch has, and the arrays that hold the rows of some."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


# What the rows of one chunk may take; a few chunks lie in memory at a time (training/prefetch.py).
CHUNK_BYTES = 32 * 2**20


class Source(Protocol):
    """Training rows.  What it gives is a function of the rows, the seed and the epoch only."""

    @property
    def rows(self) -> int: ...

    @property
    def rows_at_once(self) -> int | None:
        """About how many rows a chunk should have; None where chunks cost nothing, so that one is as good as many."""
        ...

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        """The minibatches of an epoch: groups [s, b] of rows, in the order of training."""
        ...

    def chunk(self, rows: Array, seed: int, epoch: int) -> tuple[Mapping[str, Array], Array]:
        """The arrays [r, …] that hold the rows of some minibatches [s, b], by the names in ``step.sources``; and where
        in them each row is [s, b].
        """
        ...


@dataclass(frozen=True)
class InMemory:
    """Rows that lie in memory as the network reads them."""

    arrays: Mapping[str, Array]

    @property
    def rows(self) -> int:
        return len(self.arrays["X"])

    @property
    def rows_at_once(self) -> None:
        return None

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        return epoch_batches(self.rows, batch_size, seed, epoch)

    def chunk(self, rows: Array, seed: int, epoch: int) -> tuple[Mapping[str, Array], Array]:
        return self.arrays, rows


@dataclass(frozen=True)
class Made:
    """Rows that are made when they are needed: decoded from files, scaled, augmented.

    ``make(rows, seed, epoch)``: from the numbers of rows [n] to their arrays [n, …], by the names in ``step.sources``;
    what it makes of a row must not depend on the rows beside it.  It is called in another thread than the training.
    ``bytes_a_row``: what a row takes in these arrays, about.
    """

    rows: int
    make: Callable[[Array, int, int], Mapping[str, Array]]
    bytes_a_row: int

    @property
    def rows_at_once(self) -> int:
        return min(self.rows, max(1, CHUNK_BYTES // self.bytes_a_row))

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        return epoch_batches(self.rows, batch_size, seed, epoch)

    def chunk(self, rows: Array, seed: int, epoch: int) -> tuple[Mapping[str, Array], Array]:
        made = self.make(rows.ravel(), seed, epoch)
        # Code is compiled for a number of rows; so every chunk has the same, and the places behind its rows are unread.
        capacity = max(self.rows_at_once, rows.size)
        arrays = {name: _extended(array, capacity) for name, array in made.items()}
        return arrays, np.arange(rows.size).reshape(rows.shape)


def _extended(array: Array, rows: int) -> Array:
    """The array with zeros behind it up to this number of rows."""
    if len(array) == rows:
        return array
    extended = np.zeros((rows, *array.shape[1:]), array.dtype)
    extended[: len(array)] = array
    return extended


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Minibatches an epoch; the last one is smaller where ``batch_size`` does not divide ``rows``."""
    return math.ceil(rows / batch_size)


def epoch_batches(rows: int, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The rows of an epoch in random order: the full minibatches [s, b], then the smaller one of those left over."""
    order = np.random.default_rng((seed, epoch)).permutation(rows)
    full = rows // batch_size
    groups = [order[: full * batch_size].reshape(full, batch_size), order[full * batch_size :][None, :]]
    return [group for group in groups if group.size]
