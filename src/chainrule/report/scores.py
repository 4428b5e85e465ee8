"""How good predictions are, and how sure that is."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.probability.score import Score

Array = NDArray[Any]

NORMAL_95 = 1.959963984540054
RESAMPLES = 2000


def accuracy(y: NDArray[Any], predicted: NDArray[Any]) -> Score:
    """The share of rows predicted right, with the interval of Wilson (1927); of several labels a row, all must be."""
    right = y == predicted
    n = len(y)
    share = float(np.mean(right if right.ndim == 1 else right.all(axis=1)))
    z2 = NORMAL_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Score("accuracy", share, max(0.0, centre - half), min(1.0, centre + half))


def regression_scores(y: Array, predicted: Array, seed: int = 0) -> list[Score]:
    """R², RMSE and MAE, each with the percentiles of a bootstrap over rows (Efron 1979).

    Of several values a row [b, o], the means of the scores of each.
    """
    # Thousands of times on few rows: what checks its arguments each time takes seconds.
    y, predicted = (np.asarray(values, np.float64).reshape(len(values), -1) for values in (y, predicted))
    rows = np.random.default_rng(seed).integers(0, len(y), (RESAMPLES, len(y)))
    scores = []
    for name, function in (("R²", _r2), ("RMSE", _rmse), ("MAE", _mae)):
        values = [function(y[some], predicted[some]) for some in rows[: RESAMPLES if len(y) < 5000 else 200]]
        low, high = np.percentile(values, [2.5, 97.5])
        scores.append(Score(name, function(y, predicted), float(low), float(high)))
    return scores


def _r2(y: Array, predicted: Array) -> float:
    """The share of the variance that is predicted; of values that are all alike, 1 if they are predicted and else 0."""
    left = ((y - predicted) ** 2).sum(axis=0)
    whole = ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    share = 1 - left / np.where(whole > 0, whole, 1)
    return float(np.where(whole > 0, share, left == 0).mean())


def _rmse(y: Array, predicted: Array) -> float:
    return float(np.sqrt(((y - predicted) ** 2).mean(axis=0)).mean())


def _mae(y: Array, predicted: Array) -> float:
    return float(np.abs(y - predicted).mean())
