"""Training rows of different length: minibatches of rows of similar length, padded to one of a few sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.ragged import Ragged

Array = NDArray[Any]

MOST_SIZES = 4  # code is made for each of them
FINEST = 512  # different lengths between which sizes are chosen
STEPS_ALIKE = 8  # at most so many steps on rows of one size follow each other


@dataclass(frozen=True)
class Buckets:
    """A ``Source`` of rows that differ in length.

    ``arrays``: what each row has beside its sequence (target, weight), [r, …], by the names in ``step.sources``.
    """

    sequences: Ragged
    arrays: Mapping[str, Array]

    @property
    def rows(self) -> int:
        return len(self.sequences)

    @property
    def rows_at_once(self) -> None:
        return None

    @cached_property
    def sizes(self) -> Array:
        """The sizes that rows are padded to, ascending."""
        return bucket_sizes(self.sequences.lengths, MOST_SIZES)

    @cached_property
    def bucket(self) -> Array:
        """The number of each row's size [r]."""
        return np.searchsorted(self.sizes, self.sequences.lengths)

    def batches(self, batch_size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        """The minibatches of an epoch: rows drawn in random order, put together by size; runs of minibatches of one
        size in random order, then the smaller minibatch of the rows left over.
        """
        generator = np.random.default_rng((seed, epoch))
        order = generator.permutation(self.rows)
        full = self.rows // batch_size
        drawn, left = order[: full * batch_size], order[full * batch_size :]
        batches = drawn[np.argsort(self.bucket[drawn], kind="stable")].reshape(full, batch_size)
        size = self.bucket[batches].max(axis=1, initial=0)
        runs = []
        for number in np.unique(size):
            alike = generator.permutation(batches[size == number])
            runs += [alike[start : start + STEPS_ALIKE] for start in range(0, len(alike), STEPS_ALIKE)]
        runs = [runs[k] for k in generator.permutation(len(runs))]
        return runs + ([left[None, :]] if len(left) else [])

    def chunk(self, rows: Array, seed: int, epoch: int) -> tuple[Mapping[str, Array], Array]:
        """The rows of some minibatches [s, b], padded to the size of the longest of them."""
        chosen = rows.ravel()
        size = int(self.sizes[self.bucket[chosen].max()])
        x = self.sequences.arrays(chosen, size)
        others = {name: array[chosen] for name, array in self.arrays.items()}
        return {"X": x["x"], "LENGTH": x["length"], **others}, np.arange(len(chosen)).reshape(rows.shape)


def bucket_sizes(lengths: Array, most: int) -> Array:
    """At most ``most`` sizes, ascending, such that rows padded to the next of them have the fewest positions in all.

    With c(n) the fewest positions for the rows up to the nth length, one size more gives min over m < n of c(m) + (rows
    between) · length n: a shortest path with ``most`` edges.  Lengths above 512 are rounded up, to 512 different ones.
    """
    step = -(-int(lengths.max()) // FINEST)
    different, counts = np.unique(-(-lengths // step) * step, return_counts=True)
    rows = np.concatenate([[0], np.cumsum(counts)])
    number = len(different)
    # [m, n]: the positions of the rows of the lengths from m to before n, padded to the longest of these.
    cost = np.full((number + 1, number + 1), np.inf)
    for n in range(1, number + 1):
        cost[:n, n] = (rows[n] - rows[:n]) * different[n - 1]
    best, choices = cost[0], []
    for _ in range(min(most, number) - 1):
        total = best[:, None] + cost
        choices.append(total.argmin(axis=0))
        best = total.min(axis=0)
    ends = [number]
    for choice in reversed(choices):
        ends.append(int(choice[ends[-1]]))
    sizes = np.array([different[end - 1] for end in reversed(ends)], dtype=np.int64)
    return np.asarray(np.minimum(sizes, lengths.max()))
