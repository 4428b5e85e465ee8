"""Where the rows of training come from: which minibatches an epoch has, and the arrays that hold the rows of some."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Source(Protocol):
    """Training rows.  What it gives is a function of the rows, the seed and the epoch only."""

    @property
    def rows(self) -> int: ...

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

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        return epoch_batches(self.rows, batch_size, seed, epoch)

    def chunk(self, rows: Array, seed: int, epoch: int) -> tuple[Mapping[str, Array], Array]:
        return self.arrays, rows


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Minibatches an epoch; the last one is smaller where ``batch_size`` does not divide ``rows``."""
    return math.ceil(rows / batch_size)


def epoch_batches(rows: int, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """The rows of an epoch in random order: the full minibatches [s, b], then the smaller one of those left over."""
    order = np.random.default_rng((seed, epoch)).permutation(rows)
    full = rows // batch_size
    groups = [order[: full * batch_size].reshape(full, batch_size), order[full * batch_size :][None, :]]
    return [group for group in groups if group.size]
