"""A score with what is known of it: its value on these rows, and an interval for that on all rows there could be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RESAMPLES = 1000
MANY_ROWS = 5000  # from which on a fifth of the resamples has to do
SHARES = ("accuracy", "ECE", "coverage")  # scores that are read as per cent


@dataclass(frozen=True)
class Score:
    """A score with its 95 % confidence interval."""

    name: str
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.name.startswith(SHARES):
            return f"{self.name} {self.value:.2%}  (95 % interval {self.low:.2%} … {self.high:.2%})"
        return f"{self.name} {self.value:.4g}  (95 % interval {self.low:.4g} … {self.high:.4g})"


def resampled(statistic: Callable[..., float], *arrays: Array, seed: int = 0) -> Array:
    """The statistic of rows drawn anew with replacement, many times [r] (Efron 1979).

    ``arrays``: what the statistic reads, each [b, …].
    """
    generator, rows = np.random.default_rng(seed), len(arrays[0])
    resamples = RESAMPLES if rows < MANY_ROWS else RESAMPLES // 5
    drawn = (generator.integers(rows, size=rows) for _ in range(resamples))
    return np.array([statistic(*(array[some] for array in arrays)) for some in drawn])


def mean_score(name: str, rows: Array, seed: int = 0) -> Score:
    """The mean of what each row contributes [b], with the percentiles of a bootstrap."""
    low, high = np.percentile(resampled(np.mean, rows, seed=seed), [2.5, 97.5])
    return Score(name, float(np.mean(rows)), float(low), float(high))


def share_score(name: str, true: Array) -> Score:
    """The share of rows of which something is true [b], with the exact binomial interval (Clopper, Pearson 1934)."""
    from scipy.stats import binomtest

    interval = binomtest(int(np.sum(true)), len(true)).proportion_ci(0.95, method="exact")
    return Score(name, float(np.mean(true)), float(interval.low), float(interval.high))
