"""Proper scores: means over rows that are lowest, in expectation, for the true distribution and for no other.

Of classes scikit-learn has them (``log_loss``, ``brier_score_loss``); what is here is the contribution of each row,
of which intervals are made.  The continuous ranked probability score of a predicted F and what came true is

    CRPS(F, y) = ∫ (F(x) − [x ≥ y])² dx = E|X − y| − ½ E|X − X′|,   X, X′ ~ F

(Matheson and Winkler, "Scoring rules for continuous probability distributions", 1976; Gneiting and Raftery, "Strictly
proper scoring rules, prediction, and estimation", 2007, eq. 20 and 21), in the unit of y, and |y − ŷ| for a point.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from chainrule.errors import ChainruleError
from chainrule.probability.distribution import Distribution, Mixture, Normal, at_places, equal_mixture

Array = NDArray[Any]

# The integral over F is cut at these quantiles of all that a distribution is mixed of, and each piece is left to a
# Gauss–Legendre rule.  Far out they are sparse: what is integrated is the square of the tail there.
CUTS = (1e-9, 1e-6, 1e-4, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 1 - 1e-4, 1 - 1e-6, 1 - 1e-9)
MOST_CUTS = 75  # of a row: of many members every second quantile will do, or every third
NODES = 4
COUNTS = 500  # so many counts are summed; a distribution over more of them is integrated as if it were continuous
AT_ONCE = 200_000  # cuts, or counts, of the rows that are scored together


def log_scores(t: Array, probabilities: Array) -> Array:
    """Minus the log-probability of the class t[b] in p[b,k], for each row [b], in nats (Good 1952).

    A probability below the rounding of 1 in its type (``eps``) counts as that, as in ``sklearn.metrics.log_loss``.
    """
    of_class = np.take_along_axis(probabilities, t[:, None], axis=1)[:, 0]
    return np.asarray(-np.log(np.maximum(of_class, np.finfo(probabilities.dtype).eps), dtype=np.float64))


def brier_scores(t: Array, probabilities: Array) -> Array:
    """Σ_k (p[b,k] − [k = t[b]])² for each row [b] (Brier 1950); of two classes half of that, the square of one."""
    true = np.eye(probabilities.shape[1])[t]
    squares = ((probabilities - true) ** 2).sum(axis=1)
    return np.asarray(squares / 2 if probabilities.shape[1] == 2 else squares)


def negative_log_likelihood(y: Array, distribution: Distribution) -> Array:
    """Minus the log-density of y at each row, [b] or [b,o], in nats; it depends on the unit of y."""
    return -np.asarray(distribution.log_prob(y))


def crps(y: Array, distribution: Distribution) -> Array:
    """The continuous ranked probability score of each row, [b] or [b,o], in the unit of y.

    In closed form for normal distributions and their mixtures, a sum for counts (``crps_of_counts``), else an integral
    (``crps_of_integral``).
    """
    y = np.broadcast_to(at_places(y, distribution.shape), distribution.shape).astype(np.float64)
    if isinstance(distribution, Normal):
        return crps_of_normal(y, distribution.mean, distribution.std)
    mixed = distribution.parts() if isinstance(distribution, Mixture) else equal_mixture([distribution])
    if all(isinstance(one, Normal) for one in mixed.components):
        means = np.stack([one.mean for one in mixed.components])
        deviations = np.stack([one.std for one in mixed.components])
        return crps_of_normal_mixture(y, mixed.weights, means, deviations)
    return (crps_of_counts if mixed.discrete else crps_of_integral)(y, mixed)


def crps_of_normal(y: Array, mean: Array, std: Array) -> Array:
    """Of normal distributions; all [b] or [b,o].

    Gneiting, Raftery, Westveld, Goldman, "Calibrated probabilistic forecasting using ensemble model output statistics
    and minimum CRPS estimation" (2005), eq. 5.
    """
    return np.asarray(_expected_distance(y - mean, std) - np.asarray(std) / np.sqrt(np.pi))


def crps_of_normal_mixture(y: Array, weights: Array, means: Array, deviations: Array) -> Array:
    """Of mixtures of normal distributions: ``means`` and ``deviations`` [m, …], y […], ``weights`` [m] or [m, …].

    Grimit, Gneiting, Berrocal, Johnson, "The continuous ranked probability score for circular variables and its
    application to mesoscale forecast ensemble verification" (2006), eq. 5.
    """
    weights = np.asarray(weights).reshape(np.shape(weights) + (1,) * (np.ndim(means) - np.ndim(weights)))
    to_truth = (weights * _expected_distance(y - means, deviations)).sum(axis=0)
    between = np.zeros_like(to_truth)
    for weight, mean, deviation in zip(weights, means, deviations, strict=True):
        joint = np.sqrt(deviation**2 + np.asarray(deviations) ** 2)
        between += weight * (weights * _expected_distance(mean - means, joint)).sum(axis=0)
    return np.asarray(to_truth - between / 2)


def _expected_distance(difference: Array, std: Array) -> Array:
    """E|X − y| for X normal, of which ``difference`` is y minus the mean: d(2Φ(d/σ) − 1) + 2σφ(d/σ)."""
    z = difference / std
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(difference * (2 * ndtr(z) - 1) + 2 * std * density)


def crps_of_integral(y: Array, mixed: Mixture) -> Array:
    """Of any mixture, as the integral over its distribution function; y as its places.

    It is wrong by less than 1e-4 of the standard deviation for normal, Laplace and Student distributions (of 2 degrees
    of freedom or more) and their mixtures, wherever y is within ten deviations of the mean.
    """
    return _in_blocks(y, mixed, len(mixed.components) * len(CUTS), lambda y, some: _integral(y, some, some.cdf))


def crps_of_counts(y: Array, mixed: Mixture) -> Array:
    """Of a mixture of distributions of counts, Σ_k (F(k) − [k ≥ y])², exact but for tails of a probability of 1e-12.

    Where that would be more than 500 counts, F is taken to be a line between them, and integrated: the score is then
    wrong by less than 2e-4 of the standard deviation.
    """
    low, high = (
        np.ravel(which([one.quantile(level) for one in mixed.components], axis=0))
        for which, level in ((np.min, 1e-12), (np.max, 1 - 1e-12))
    )
    count = high - low + 1
    found, flat = np.empty(mixed.shape).ravel(), y.ravel()
    few, many = np.flatnonzero(count <= COUNTS), np.flatnonzero(count > COUNTS)
    if len(few):
        width = int(count[few].max())
        found[few] = _in_blocks(flat[few], mixed.take(few), width, lambda y, some: _sum(y, some, width))
    if len(many):
        pieces = len(mixed.components) * len(CUTS)
        found[many] = _in_blocks(
            flat[many], mixed.take(many), pieces, lambda y, some: _integral(y, some, lambda x: _smoothed(some, x))
        )
    return found.reshape(mixed.shape)


def _in_blocks(y: Array, mixed: Mixture, each: int, score: Callable[[Array, Mixture], Array]) -> Array:
    """The scores of all places, of some at a time: ``each`` is how many numbers one of them takes."""
    flat, size = y.ravel(), max(1, AT_ONCE // each)
    blocks = np.split(np.arange(flat.size), range(size, flat.size, size))
    return np.concatenate([score(flat[some], mixed.take(some)) for some in blocks]).reshape(mixed.shape)


def _integral(y: Array, mixed: Mixture, cdf: Callable[[Array], Array]) -> Array:
    """∫ (F(x) − [x ≥ y])² dx at places [p]."""
    cuts = np.sort([one.quantile(level) for one in mixed.components for level in CUTS], axis=0)
    cuts = cuts[np.linspace(0, len(cuts) - 1, min(len(cuts), MOST_CUTS)).round().astype(int)]
    cuts = np.sort([*cuts, y], axis=0)
    start, width = cuts[:-1], np.diff(cuts, axis=0)
    total = np.zeros(y.shape)
    for node, weight in zip(*np.polynomial.legendre.leggauss(NODES), strict=True):
        beyond = cdf(start + width * (1 + node) / 2) - (start >= y)
        total += (weight / 2 * width * beyond**2).sum(axis=0)
    return total


def _sum(y: Array, mixed: Mixture, count: int) -> Array:
    """Σ_k (F(k) − [k ≥ y])² at places [p], over so many counts from the least that is not improbable."""
    least = np.min([one.quantile(1e-12) for one in mixed.components], axis=0)
    k = least + np.arange(count)[:, None]
    function = mixed.cdf(k)
    below = np.clip(y - k, 0, 1)  # the share of the unit from k to k + 1 that lies below y
    within = (below * function**2 + (1 - below) * (1 - function) ** 2).sum(axis=0)
    return np.asarray(within + np.maximum(least - y, 0) + np.maximum(y - least - count, 0))


def _smoothed(counts: Mixture, x: Array) -> Array:
    """A distribution function of counts k, with its value at the middle from k to k + 1 and lines between."""
    k = np.floor(x - 0.5)
    share = x - 0.5 - k
    return np.asarray((1 - share) * counts.cdf(k) + share * counts.cdf(k + 1))


def crps_of_samples(y: Array, samples: Array) -> Array:
    """Of what samples [n, …] say of their distribution, without bias for any n ≥ 2; y […].

    Ferro, "Fair scores for ensemble forecasts" (2014), eq. 11; the sum over pairs from the sorted samples.
    Raises ChainruleError for fewer than two samples.
    """
    count = len(samples)
    if count < 2:
        raise ChainruleError(f"the score of samples needs at least two of each row, not {count}")
    ordered = np.sort(samples, axis=0)
    place = (2 * np.arange(count) - count + 1).reshape(-1, *(1,) * (ordered.ndim - 1))
    between = 2 * (place * ordered).sum(axis=0) / (count * (count - 1))
    return np.asarray(np.abs(samples - y).mean(axis=0) - between / 2)
