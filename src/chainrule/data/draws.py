"""Random numbers for rows: what is drawn for a row does not depend on the rows beside it, nor on when it is drawn."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.equations.philox import philox

Array = NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """Random numbers for the rows [b] in an epoch; ``name`` says what for, so that no two uses share them."""

    seed: int
    epoch: int
    rows: Array
    name: str = ""

    def uniform(self, count: int) -> Array:
        """Numbers from 0 to below 1, [b, count]."""
        blocks = -(-count // 4)
        counter = np.empty((4, len(self.rows), blocks), dtype=np.uint64)
        counter[0] = np.arange(blocks)
        counter[1] = (self.rows & 0xFFFFFFFF)[:, None]
        counter[2] = (self.rows >> 32)[:, None]
        counter[3] = self.epoch
        key = (self.seed & 0xFFFFFFFF, zlib.crc32(self.name.encode()))
        words = philox(counter.reshape(4, -1), key) >> np.uint64(8)
        numbers = (words.astype(np.float64) * 2.0**-24).reshape(4, len(self.rows), blocks)
        return numbers.transpose(1, 2, 0).reshape(len(self.rows), -1)[:, :count]

    def between(self, low: float, high: float, count: int = 1) -> Array:
        """Numbers from ``low`` to below ``high``, [b, count]."""
        return low + (high - low) * self.uniform(count)

    def whole(self, low: int, high: int, count: int = 1) -> Array:
        """Whole numbers from ``low`` to ``high``, both included, [b, count]."""
        return np.floor(self.between(low, high + 1, count)).astype(np.int64)

    def normal(self, count: int) -> Array:
        """Numbers of mean 0 and deviation 1, [b, count], in float32.

        Drawn row by row by NumPy's generator, which is faster where there are many for a row.
        """
        made = np.empty((len(self.rows), count), dtype=np.float32)
        key = (self.seed, zlib.crc32(self.name.encode()))
        for own, row in zip(made, self.rows.tolist(), strict=True):
            bits = np.random.Philox(key=key, counter=(0, 0, row, self.epoch))
            np.random.Generator(bits).standard_normal(dtype=np.float32, out=own)
        return made
