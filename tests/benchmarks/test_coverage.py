"""The statistics of coverage: the law of split conformal intervals, its tests, and what is said of several of them."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.coverage import (
    LEVELS,
    Counted,
    Intervals,
    binomial_p_value,
    conformal_p_value,
    division,
    exact_level,
    holm,
    law,
    pooled,
    verdicts,
)
from scipy.stats import kstest

from chainrule.probability.nonconformity import conformal_quantile


def test_law_of_one_row_held_out_and_two_tested() -> None:
    # k = 1: the row held out is lowest, middle or highest of three, and so 0, 1 or 2 of the others are not above it.
    assert law([Counted(2, 0, 1)], 0.5) == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert law([Counted(1, 0, 1), Counted(1, 0, 1)], 0.5) == pytest.approx([1 / 4, 1 / 2, 1 / 4])


@pytest.mark.parametrize("level", LEVELS)
def test_law_has_the_mean_of_the_exact_level_and_is_wider_than_binomial(level: float) -> None:
    rows, held_out = 50, 120
    found = law([Counted(rows, 0, held_out)], level)
    covered, p = np.arange(rows + 1), exact_level(held_out, level)
    assert found.sum() == pytest.approx(1)
    assert level <= p < level + 1 / (held_out + 1)
    assert found @ covered == pytest.approx(rows * p)
    inflation = 1 + (rows - 1) / (held_out + 2)
    assert found @ (covered - rows * p) ** 2 == pytest.approx(rows * p * (1 - p) * inflation)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_law_is_that_of_random_divisions_of_any_one_set_of_rows(level: float) -> None:
    rows, held_out, divisions = 15, 25, 2000
    generator = np.random.default_rng(0)
    scores = generator.standard_cauchy(rows + held_out)
    counts = np.zeros(rows + 1)
    for _ in range(divisions):
        shuffled = generator.permutation(scores)
        counts[np.sum(shuffled[held_out:] <= conformal_quantile(shuffled[:held_out], level))] += 1
    expected = law([Counted(rows, 0, held_out)], level)
    assert np.abs(counts / divisions - expected).max() < 4 * np.sqrt(expected.max() / divisions)


def test_p_values_of_what_follows_the_law_are_uniform_and_binomial_ones_are_not() -> None:
    generator = np.random.default_rng(1)
    rows, held_out, level = 200, 50, 0.9
    by_law, binomial = [], []
    for _ in range(100):
        scores = generator.random((3, rows + held_out))
        quantiles = conformal_quantile(scores[:, :held_out].T, level)
        splits = [
            Counted(rows, int(np.sum(of_split[held_out:] <= quantile)), held_out)
            for of_split, quantile in zip(scores, quantiles, strict=True)
        ]
        by_law.append(conformal_p_value(splits, level))
        binomial.append(binomial_p_value(splits, level))
    assert kstest(by_law, "uniform").pvalue > 0.01
    assert np.mean(np.array(binomial) < 0.05) > 0.2


def test_p_value_is_small_on_either_side_and_at_most_1() -> None:
    splits = [Counted(100, 100, 200), Counted(100, 60, 200), Counted(100, 80, 200)]
    high, low, middle = (conformal_p_value([split], 0.8) for split in splits)
    assert high < 1e-6
    assert low < 1e-3
    assert 0.9 < middle <= 1
    assert binomial_p_value([Counted(10, 10)], 0.5) == pytest.approx(2 / 2**10)


def test_holm_on_a_known_case() -> None:
    # The smallest of four times four, the next times three, and never below the one before.
    found = holm(np.array([0.03, 0.005, 0.01, 0.04]))
    assert found == pytest.approx([0.06, 0.02, 0.03, 0.06])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])


def intervals(method: str, covered: int, held_out: int | None) -> Intervals:
    return Intervals("yacht", method, 0.9, (Counted(100, covered, held_out),), (2.0,))


def test_splits_are_pooled_and_each_method_is_judged_by_what_holds_for_it() -> None:
    splits = [[intervals("Gaussian", 70, None), intervals("conformal", covered, 99)] for covered in (88, 93)]
    gaussian, conformal = pooled(splits)
    assert gaussian.coverage == 0.7
    assert conformal.coverage == 0.905
    assert conformal.widths == (2.0, 2.0)
    assert (len(gaussian.p_values), len(conformal.p_values)) == (1, 2)
    *_, of_gaussian, of_conformal, _ = (line.split() for line in verdicts([gaussian, conformal]).splitlines())
    assert of_gaussian[:5] == ["Gaussian", "1", "0", "1", "0"]  # one coverage; of its one test none within, one below
    assert of_conformal[:5] == ["conformal", "1", "1", "0", "0"]
    assert of_conformal[7:10] == ["1", "0", "0"]


def test_splits_of_california_are_random_and_share_no_row() -> None:
    (train, test), (_, other) = (division("california", number, 1000) for number in (0, 1))
    assert len(test) == 100
    assert sorted([*train, *test]) == list(range(1000))
    assert not np.array_equal(test, other)
