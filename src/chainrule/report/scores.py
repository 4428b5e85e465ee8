"""How good predictions are, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

NORMAL_95 = 1.959963984540054
RESAMPLES = 2000


@dataclass(frozen=True)
class Score:
    """A score with its 95 % confidence interval."""

    name: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.name == "accuracy":
            return f"accuracy {self.value:.2%}  (95 % interval {self.low:.2%} … {self.high:.2%})"
        return f"{self.name} {self.value:.4g}  (95 % interval {self.low:.4g} … {self.high:.4g})"


def accuracy(y: NDArray[Any], predicted: NDArray[Any]) -> Score:
    """The share of rows predicted right, with the interval of Wilson (1927); of several labels a row, all must be."""
    right = y == predicted
    n = len(y)
    share = float(np.mean(right if right.ndim == 1 else right.all(axis=1)))
    z2 = NORMAL_95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Score("accuracy", share, max(0.0, centre - half), min(1.0, centre + half))


def regression_scores(y: NDArray[Any], predicted: NDArray[Any], seed: int = 0) -> list[Score]:
    """R², RMSE and MAE, each with the percentiles of a bootstrap over rows (Efron 1979)."""
    rows = np.random.default_rng(seed).integers(0, len(y), (RESAMPLES, len(y)))
    scores = []
    for name, function in (("R²", r2_score), ("RMSE", root_mean_squared_error), ("MAE", mean_absolute_error)):
        values = [function(y[some], predicted[some]) for some in rows[: RESAMPLES if len(y) < 5000 else 200]]
        low, high = np.percentile(values, [2.5, 97.5])
        scores.append(Score(name, float(function(y, predicted)), float(low), float(high)))
    return scores
