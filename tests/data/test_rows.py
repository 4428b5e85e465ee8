"""Weights, rows that are the same, and the validation split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data.rows import class_weights, merge, read_weights, split
from chainrule.data.target import Labels
from chainrule.errors import ChainruleError


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.integers(0, 9))
def test_merging_does_not_see_order_or_copies(rows: list[int], seed: int) -> None:
    X = np.random.default_rng(0).normal(size=(5, 3))
    given = np.array(rows)
    kept, weights = merge([X[given], given], np.ones(len(given)))
    again, same = merge([X, np.arange(5)], np.bincount(given, minlength=5).astype(float))
    np.testing.assert_array_equal(X[given][kept], X[again])
    np.testing.assert_array_equal(weights, same)
    shuffled = np.random.default_rng(seed).permutation(given)
    other, _ = merge([X[shuffled], shuffled], np.ones(len(given)))
    np.testing.assert_array_equal(X[shuffled][other], X[given][kept])


def test_zero_and_minus_zero_are_the_same() -> None:
    kept, weights = merge([np.array([[0.0], [-0.0]])], np.ones(2))
    assert len(kept) == 1 and weights[0] == 2


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"shape \(2,\); X has 3 rows"),
        ([1, 2, -1], "row 3: -1.0 is no weight"),
        ([1, np.nan, 1], "row 2"),
        ([0, 0, 0], "all weights are zero"),
        (["a", "b", "c"], "not a number"),
    ],
)
def test_bad_weights(weights: Any, message: str) -> None:
    with pytest.raises(ChainruleError, match=message):
        read_weights(weights, 3)


def test_class_weights() -> None:
    labels, y = Labels(np.array(["a", "b"], dtype=object)), np.array([0, 0, 0, 1])
    np.testing.assert_allclose(class_weights("balanced", labels, y, np.ones(4)), [2 / 3, 2 / 3, 2 / 3, 2])
    np.testing.assert_allclose(class_weights({"b": 5}, labels, y, np.ones(4)), [1, 1, 1, 5])
    with pytest.raises(ChainruleError, match="class_weight: 'c' is not one of the classes a, b"):
        class_weights({"c": 1}, labels, y, np.ones(4))


def test_split_keeps_proportions() -> None:
    strata = np.array([0] * 70 + [1] * 25 + [2] * 5)
    kept, aside = split(100, 0.2, strata, np.random.default_rng(0))
    assert sorted([*kept, *aside]) == list(range(100))
    assert list(np.bincount(strata[aside])) == [14, 5, 1]
    kept, _ = split(3, 0.9, np.array([0, 1, 2]), np.random.default_rng(0))
    assert len(kept) == 3
