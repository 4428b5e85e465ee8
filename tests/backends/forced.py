"""Small systems through everything that the native compiler does to large ones.

Left alone, a small system runs in one thread, one operation after the other.  Inside ``forced(...)`` the thresholds are
lowered, so that regions, shards, shares, packing, scratch and blocks all occur with a few rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from unittest.mock import patch

from chainrule.backends import threads as allowed
from chainrule.backends.native import products, program, schedule, statements, window_products
from chainrule.backends.native.target import Target, host


@dataclass(frozen=True)
class Way:
    """``threads`` that run; ``cores`` that the work is divided for; ``packing``: every matrix is packed; ``shared``:
    elements that a shard may add up on its own; ``grain``: shards hold whole tiles; ``products``: the smallest
    contraction is a matrix product."""

    threads: int
    cores: int = 3
    block_bytes: int = 256
    packing: bool = True
    shared: int = 16_384
    grain: bool = False
    products: bool = True

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in vars(self).items())


def way(seed: int) -> Way:
    """A way for each seed."""
    random = Random(seed)
    return Way(
        threads=random.choice((1, 2, 3)),
        cores=random.choice((1, 2, 3, 5)),
        block_bytes=random.choice((1, 64, 256, 2048)),
        packing=random.random() < 0.7,
        shared=random.choice((0, 16_384, 16_384)),
        grain=random.random() < 0.3,
        products=random.random() < 0.7,
    )


@contextmanager
def forced(way: Way) -> Iterator[None]:
    """Programs compiled and run inside are divided and packed in this way."""

    def machine() -> Target:
        return replace(host(), cores=way.cores)

    values: list[tuple[Any, str, Any]] = [
        (schedule, "WORTH_THREADS", 0),
        (schedule, "WORTH_DIVIDING", 0),
        (schedule, "FEWEST_POSITIONS", 1),
        (schedule, "SMALL_RESULT", way.shared),
        (schedule, "BLOCK_BYTES", way.block_bytes),
        (window_products, "FEWEST_ROWS", 1),
        (program, "host", machine),
    ]
    if way.packing:
        values += [(products, "FEW_ROWS", 0), (products, "SMALL_B", 0), (products, "SMALL_RESULT", 0)]
    if way.products:
        values.append((statements, "SMALL", 0))
    if not way.grain:
        values.append((products.Product, "tile_rows", lambda product, space: 1))
    with ExitStack() as stack:
        for owner, name, value in values:
            stack.enter_context(patch.object(owner, name, value))
        stack.enter_context(allowed.at_most(way.threads))
        yield


def both_ways(seed: int) -> list[tuple[str, AbstractContextManager[None]]]:
    """As a system is compiled by itself, and forced in the way that belongs to the number."""
    return [("as it comes", nullcontext()), (str(way(seed)), forced(way(seed)))]
