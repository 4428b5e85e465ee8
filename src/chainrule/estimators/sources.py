"""Rows that lie ready in memory for training and measuring, and those that are made when they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.augment import Augmentation, Mixup, augmented, mixup_of
from chainrule.data.draws import Draws
from chainrule.data.reader import Data, PictureReader, Reader
from chainrule.errors import ChainruleError
from chainrule.training.source import Made

Array = NDArray[Any]

NUMBERS_IN_MEMORY = 2**28  # a gigabyte of float32; what a network reads of a larger set is made when it is needed
NUMBERS_AT_ONCE = 2**24  # when measuring and predicting on such a set


def numbers_a_row(reader: Reader) -> int:
    """How many numbers a network reads for a row; an axis along which rows differ counts as one."""
    return prod(size or 1 for size in reader.sizes.values())


def fits_in_memory(reader: Reader, rows: int) -> bool:
    """Whether what a network reads of so many rows should lie in memory as a whole."""
    return rows * numbers_a_row(reader) <= NUMBERS_IN_MEMORY


def in_pieces(reader: Reader, data: Data) -> Iterator[Data]:
    """Rows in pieces for which what a network reads fits easily into memory."""
    at_once = max(1, NUMBERS_AT_ONCE // numbers_a_row(reader))
    if len(data) <= at_once:
        yield data
        return
    for start in range(0, len(data), at_once):
        yield data.take(np.arange(start, min(start + at_once, len(data))))


def rows_as_needed(
    reader: Reader,
    data: Data,
    others: Mapping[str, Array],
    x: str,
    augmentations: tuple[Augmentation, ...],
) -> Made:
    """Training rows read from ``data``, and augmented, when they are needed.

    ``others``: what each row has beside its input (targets Y, weights), [r, …]; ``x``: the name of the input among
    them.  Raises ChainruleError for augmentations of what are no images.
    """
    if not augmentations:

        def read(rows: Array, seed: int, epoch: int) -> dict[str, Array]:
            chosen = {name: array[rows] for name, array in others.items()}
            return {x: reader.encode(data.take(rows))["x"], **chosen}

        return Made(len(data), read, 4 * numbers_a_row(reader))

    if not isinstance(reader, PictureReader) or "h" not in reader.sizes:
        axes = ",".join(("b", *reader.sizes))
        raise ChainruleError(f"augmentation is for images, x[b,h,w] or x[b,h,w,c]; these rows are x[{axes}]")
    pictures: PictureReader = reader
    mixup = mixup_of(augmentations)

    def changed(rows: Array, seed: int, epoch: int) -> Array:
        return augmented(pictures.measured(data.take(rows)), augmentations, Draws(seed, epoch, rows))

    def make(rows: Array, seed: int, epoch: int) -> dict[str, Array]:
        chosen = {name: array[rows] for name, array in others.items()}
        images = changed(rows, seed, epoch)
        if mixup is not None:
            partners, shares = mixup.partners(Draws(seed, epoch, rows, Mixup.__name__), len(data))
            images = _mixed(images, changed(partners, seed, epoch), shares)
            chosen["Y"] = _mixed(chosen["Y"], others["Y"][partners], shares)
        return {x: pictures.scaled(images), **chosen}

    return Made(len(data), make, 4 * numbers_a_row(reader))


def _mixed(one: Array, other: Array, shares: Array) -> Array:
    """λ of the one and 1 - λ of the other, row by row."""
    share = shares.astype(np.float32).reshape(-1, *[1] * (one.ndim - 1))
    return np.asarray(share * one + (1 - share) * other)
