from __future__ import annotations

import itertools

import numpy as np
import pytest

from chainrule.data.buckets import STEPS_ALIKE, Buckets, bucket_sizes
from chainrule.data.ragged import Ragged, in_blocks, rounded


def some_rows(count: int = 101, seed: int = 0) -> tuple[list[np.ndarray], Buckets]:
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(rng.integers(1, 30), 2)) for _ in range(count)]
    return rows, Buckets(Ragged.of(rows), {"T": np.arange(count)})


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_sizes_with_the_least_padding(most: int) -> None:
    rng = np.random.default_rng(most)
    for _ in range(30):
        lengths = rng.integers(1, 12, size=rng.integers(1, 30))
        different = np.unique(lengths)

        def positions(sizes: list[int], lengths: np.ndarray = lengths) -> int:
            return sum(min(size for size in sizes if size >= length) for length in lengths)

        fewer = itertools.combinations(different[:-1].tolist(), min(most, len(different)) - 1)
        least = min(positions([*some, int(different[-1])]) for some in fewer)
        found = bucket_sizes(lengths, most).tolist()
        assert found == sorted(set(found)) and found[-1] == lengths.max() and positions(found) == least


def test_many_lengths() -> None:
    sizes = bucket_sizes(np.arange(1, 100_000, 7), 4)
    assert len(sizes) == 4 and sizes[-1] == np.arange(1, 100_000, 7).max()
    np.testing.assert_allclose(sizes / sizes[-1], [0.25, 0.5, 0.75, 1], atol=0.01)


def test_an_epoch_has_every_row_once() -> None:
    _, source = some_rows()
    batches = source.batches(8, seed=1, epoch=0)
    rows = np.concatenate([group.ravel() for group in batches])
    assert sorted(rows.tolist()) == list(range(101))
    assert sum(len(group) for group in batches) == 13 and batches[-1].shape == (1, 5)
    assert all(len(group) <= STEPS_ALIKE for group in batches)


def test_the_order_follows_from_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate([group.ravel() for group in some_rows()[1].batches(8, seed, epoch)]).tolist()

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1) and order(1, 0) != order(2, 0)


def test_chunks_hold_the_rows_and_little_padding() -> None:
    rows, source = some_rows(400)
    padded = 0
    for group in source.batches(8, seed=0, epoch=3):
        arrays, places = source.chunk(group, 0, 3)
        assert places.shape == group.shape and arrays["X"].shape[1] in source.sizes
        padded += arrays["X"].shape[0] * arrays["X"].shape[1]
        for row, place in zip(group.ravel(), places.ravel(), strict=True):
            length = arrays["LENGTH"][place]
            np.testing.assert_array_equal(arrays["X"][place][:length], rows[row])
            assert not arrays["X"][place][length:].any() and arrays["T"][place] == row
    assert padded < 1.25 * sum(map(len, rows)) < 0.7 * 400 * max(map(len, rows))


def test_fewer_rows_than_a_minibatch() -> None:
    _, source = some_rows(3)
    (only,) = source.batches(8, 0, 0)
    assert sorted(only[0].tolist()) == [0, 1, 2]


def test_blocks_for_computing() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, size=5000)
    seen = []
    for rows, size in in_blocks(lengths, 1000, most=200):
        assert lengths[rows].max() <= size <= 200 and len(rows) * size <= 1000
        seen += rows.tolist()
    assert sorted(seen) == list(range(5000))
    assert rounded(np.arange(1, 14)).tolist() == [1, 2, 3, 4, 6, 6, 8, 8, 12, 12, 12, 12, 16]
