"""Whether intervals and sets hold what they promise, how narrow they are, and where in its distribution y fell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length

from chainrule.probability.distribution import Distribution
from chainrule.probability.score import Score, share_score

Array = NDArray[Any]


def inside(y: Array, lower: Array, upper: Array) -> Array:
    """Whether each value lies in its interval, the ends included, [b] or [b,o]."""
    return np.asarray((lower <= y) & (y <= upper))


def in_set(t: Array, sets: Array) -> Array:
    """Whether the class t[b] is in the set of each row, sets[b,k] of true and false."""
    return np.asarray(sets[np.arange(len(t)), t])


def coverage(covered: Array) -> Score:
    """The share of rows that are covered [b], with the exact binomial interval."""
    return share_score("coverage", np.ravel(covered))


def coverage_by_group(covered: Array, groups: Any) -> Mapping[Any, Score]:
    """The coverage in each group, by the group of each row [b]."""
    check_consistent_length(covered, groups)
    of = np.asarray(groups)
    return {group: coverage(covered[of == group]) for group in np.unique(of).tolist()}


def sharpness(lower: Array, upper: Array) -> float:
    """The mean width of the intervals, in the unit of y; of two that cover alike, the sharper says more.

    Gneiting, Balabdaoui, Raftery, "Probabilistic forecasts, calibration and sharpness" (2007).
    """
    return float(np.mean(upper - lower))


def mean_set_size(sets: Array) -> float:
    """The mean number of classes in a set, sets[b,k]."""
    return float(sets.sum(axis=1).mean())


def probability_integral_transform(y: Array, distribution: Distribution) -> Array:
    """F(y) of each row, [b] or [b,o]: uniform on [0, 1] where the distributions are the true ones (Dawid 1984)."""
    return np.asarray(distribution.cdf(y))


def randomized_probability_integral_transform(counts: Array, distribution: Distribution, seed: int = 0) -> Array:
    """The same of whole numbers, [b] or [b,o]: uniform between F(y − 1) and F(y).

    Brockwell, "Universal residuals: a multivariate transformation" (2007); Czado, Gneiting, Held, "Predictive model
    assessment for count data" (2009), §2.1.
    """
    high = np.asarray(distribution.cdf(counts))
    low = np.asarray(distribution.cdf(counts - 1))
    return np.asarray(low + np.random.default_rng(seed).random(high.shape) * (high - low))
