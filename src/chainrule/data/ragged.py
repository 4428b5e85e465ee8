"""Rows of different length, one behind the other in memory; padded with zeros only where they are used together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from chainrule.data.reader import Reader

Array = NDArray[Any]


@dataclass(frozen=True)
class Ragged:
    """``values`` [n, …]: the positions of all rows; ``lengths`` [b]: how many of them each row has, in order."""

    values: Array
    lengths: Array

    @staticmethod
    def of(rows: Sequence[Array]) -> Ragged:
        """Rows [t, …] of which only the first axis may differ; at least one."""
        return Ragged(np.concatenate(rows), np.array([len(row) for row in rows], dtype=np.int64))

    @cached_property
    def starts(self) -> Array:
        """Where each row begins in ``values`` [b]."""
        return np.cumsum(self.lengths) - self.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, rows: Array, size: int) -> Array:
        """These rows [b] with zeros behind their ends, [b, size, …]; no row may be longer than ``size``."""
        lengths = self.lengths[rows]
        within = np.arange(size) < lengths[:, None]
        made: Array = np.zeros((*within.shape, *self.values.shape[1:]), dtype=self.values.dtype)
        made[within] = self.values[(self.starts[rows][:, None] + np.arange(size))[within]]
        return made

    def arrays(self, rows: Array | None = None, size: int | None = None) -> dict[str, Array]:
        """What a network reads, x[b,t,…] and length[b]: these rows (None: all), padded to ``size`` or the longest."""
        rows = np.arange(len(self)) if rows is None else rows
        lengths = self.lengths[rows]
        return {"x": self.padded(rows, int(lengths.max()) if size is None else size), "length": lengths}


class SequenceReader(Reader, Protocol):
    """A reader of rows that differ in length."""

    def ragged(self, data: Any, dtype: Any = np.float32) -> Ragged:
        """The rows as the network reads them, without padding."""
        ...


def in_blocks(lengths: Array, at_once: int, most: int | None = None) -> Iterator[tuple[Array, int]]:
    """Rows of similar length [b] and the size to pad them to, for computing on all rows block by block, ``at_once``
    positions at a time.

    The sizes are 1, 2, 3, 4, 6, 8, 12, 16, …, up to ``most``, so that code is made for a few of them, whatever lengths
    occur.
    """
    sizes = rounded(lengths) if most is None else np.minimum(rounded(lengths), most)
    for size in np.unique(sizes):
        rows = np.nonzero(sizes == size)[0]
        count = max(1, at_once // int(size))
        for start in range(0, len(rows), count):
            yield rows[start : start + count], int(size)


def rounded(lengths: Array) -> Array:
    """The next of 1, 2, 3, 4, 6, 8, 12, 16, … for each length."""
    power = 1 << np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
    between = power * 3 // 4
    return np.where((power >= 4) & (lengths <= between), between, power)
