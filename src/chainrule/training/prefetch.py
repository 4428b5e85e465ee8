"""Chunks of training rows, in the order of training; the next ones are made while the present one is trained on.

Making a chunk is decoding and arithmetic of whole arrays, which let other threads run; so do compiled steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.training.source import Source

Array = NDArray[Any]

AHEAD = 2  # chunks that are made, or waiting, beside the one that is trained on


@dataclass(frozen=True)
class Chunk:
    """Arrays [r, …] by the names in ``step.sources``, and where in them the rows of minibatches are, [s, b].

    ``ends``: it is the last of its epoch.
    """

    arrays: Mapping[str, Array]
    places: Array
    ends: bool


@dataclass(frozen=True)
class _Order:
    """The minibatches [s, b] that a chunk is to hold."""

    rows: Array
    epoch: int
    ends: bool


@contextmanager
def chunks(source: Source, batch_size: int, seed: int, epochs: Iterable[int]) -> Iterator[Iterator[Chunk]]:
    """The chunks of these epochs.  An error in making one is raised where it would have been used; when the context is
    left, however it is left, no thread stays behind.
    """
    orders = (order for epoch in epochs for order in _orders(source, batch_size, seed, epoch))

    def make(order: _Order) -> Chunk:
        arrays, places = source.chunk(order.rows, seed, order.epoch)
        return Chunk(arrays, places, order.ends)

    if source.rows_at_once is None:
        yield map(make, orders)
        return
    with ThreadPoolExecutor(AHEAD, "chainrule-rows") as pool:
        waiting: deque[Future[Chunk]] = deque()

        def made() -> Iterator[Chunk]:
            waiting.extend(pool.submit(make, order) for order in islice(orders, AHEAD))
            while waiting:
                chunk = waiting.popleft().result()
                waiting.extend(pool.submit(make, order) for order in islice(orders, 1))
                yield chunk

        try:
            yield made()
        finally:
            pool.shutdown(cancel_futures=True)


def _orders(source: Source, batch_size: int, seed: int, epoch: int) -> Iterator[_Order]:
    """The minibatches of an epoch, cut into pieces of as many rows as a chunk should have."""
    groups = source.batches(batch_size, seed, epoch)
    pieces = []
    for group in groups:
        at_once = len(group) if source.rows_at_once is None else max(1, source.rows_at_once // group.shape[1])
        pieces += [group[start : start + at_once] for start in range(0, len(group), at_once)]
    for piece in pieces:
        yield _Order(np.asarray(piece), epoch, piece is pieces[-1])
