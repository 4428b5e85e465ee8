"""Rows with their targets and weights, and which of them are the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.reader import Data
from chainrule.data.rows import merge

Array = NDArray[Any]

MERGE_UP_TO = 20_000  # rows; in larger sets rows that are the same are left as they are


@dataclass(frozen=True)
class Rows:
    """Rows as they were given, with their targets and weights."""

    X: Data
    y: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.X)

    def take(self, rows: Array) -> Rows:
        return Rows(self.X.take(rows), self.y[rows], self.weights[rows])


def distinct(rows: Rows) -> Rows:
    """Rows that are the same made one, with the sum of their weights; rows of weight 0 left out."""
    if len(rows) <= MERGE_UP_TO:
        codes = np.unique(rows.y, return_inverse=True)[1].reshape(len(rows), -1)
        kept, weights = merge([*rows.X.parts(), codes], rows.weights)
    else:
        kept = np.nonzero(rows.weights)[0]
        weights = rows.weights[kept]
    chosen = rows.take(kept)
    return Rows(chosen.X, chosen.y, weights)
