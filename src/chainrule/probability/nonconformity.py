"""How strange a row looks, and how strange rows may look: the arithmetic of conformal prediction.

Of n rows that were held out, and one more that comes from where they come from, all orders of their scores are equally
likely.  So the new row's score is at most the ⌈(n + 1)·level⌉-th smallest of the n with a probability of at least
``level``, and below (level + 1/(n + 1)) where no two are equal: for any model, any distribution and any n.

Vovk, Gammerman, Shafer, "Algorithmic Learning in a Random World" (2005); Lei, G'Sell, Rinaldo, Tibshirani, Wasserman,
"Distribution-free predictive inference for regression" (2018), Theorem 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError
from chainrule.probability.distribution import check_level

Array = NDArray[Any]


def conformal_rank(rows: int, level: Any, what: str = "") -> int:
    """⌈(rows + 1)·level⌉, of the level as it is written.

    Raises ChainruleError where there are not so many rows, saying how many are needed; ``what``: of which rows, in
    words.
    """
    exact = Fraction(str(check_level(level)))  # 0.9 is 9/10
    rank = ceil((rows + 1) * exact)
    if rank > rows:
        needed = ceil(exact / (1 - exact))
        raise ChainruleError(
            f"level {float(level):g} needs at least {needed} rows to calibrate with{what}; there are {rows}"
        )
    return rank


def conformal_quantile(scores: Array, level: Any, what: str = "") -> Array:
    """The ⌈(n + 1)·level⌉-th smallest of scores [n, …], […]; raises ChainruleError where there are too few."""
    rank = conformal_rank(len(scores), level, what)
    return np.asarray(np.partition(scores, rank - 1, axis=0)[rank - 1])


# --- classes ----------------------------------------------------------------------------------------------------------


def threshold_scores(probabilities: Array, uniform: Array) -> Array:
    """1 − p[b,k]: the sets are the classes whose probability is high enough, and smallest on average.

    Sadinle, Lei, Wasserman, "Least ambiguous set-valued classifiers with bounded error levels" (2019).
    """
    return np.asarray(1 - probabilities)


def adaptive_scores(probabilities: Array, uniform: Array) -> Array:
    """Σ of p[b,k'] over the classes more probable than k, and uniform[b] of p[b,k] itself: sets grow on hard rows.

    A random share of the last class makes coverage exact.  Of equally probable classes the first counts as the more
    probable.  Romano, Sesia, Candès, "Classification with valid and adaptive coverage" (2020), eq. 5.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    sorted_ = np.take_along_axis(probabilities, order, axis=1).astype(np.float64)
    found = np.cumsum(sorted_, axis=1) - (1 - uniform[:, None]) * sorted_
    scores = np.empty_like(found)
    np.put_along_axis(scores, order, found, axis=1)
    return scores


CLASS_SCORES: dict[str, Callable[[Array, Array], Array]] = {
    "adaptive": adaptive_scores,
    "threshold": threshold_scores,
}

# --- numbers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Band:
    """What a model says of each row: an interval, perhaps of no width, and the unit in which misses are counted.

    All [b] or [b,o].
    """

    lower: Array
    upper: Array
    unit: Array

    def scores(self, y: Array) -> Array:
        """How far y is outside, in units; below 0 where it is inside."""
        return np.asarray(np.maximum(self.lower - y, y - self.upper) / self.unit)

    def widened(self, by: Array) -> tuple[Array, Array]:
        """Lower and upper end of the values whose score is at most ``by``."""
        return self.lower - by * self.unit, self.upper + by * self.unit


def absolute_band(estimator: Any, X: Any, level: float) -> Band:
    """Misses are |y − ŷ|: intervals of one width."""
    mean = _floats(estimator.predict(X))
    return Band(mean, mean, np.ones_like(mean))


def normalized_band(estimator: Any, X: Any, level: float) -> Band:
    """Misses are |y − ŷ|/σ, with the standard deviation that the model says: wide where it is not sure.

    Papadopoulos, Gammerman, Vovk, "Normalized nonconformity measures for regression conformal prediction" (2008).
    """
    mean, std = (_floats(part) for part in estimator.predict(X, return_std=True))
    return Band(mean, mean, np.maximum(std, np.finfo(np.float64).tiny))


def quantile_band(estimator: Any, X: Any, level: float) -> Band:
    """Misses are how far y is outside of the model's own interval of this level: that is mended, and little changed.

    Romano, Patterson, Candès, "Conformalized quantile regression" (2019), eq. 6.
    """
    lower, upper = (_floats(part) for part in estimator.predict_interval(X, level))
    return Band(lower, upper, np.ones_like(lower))


BANDS: dict[str, Callable[[Any, Any, float], Band]] = {
    "absolute": absolute_band,
    "normalized": normalized_band,
    "quantile": quantile_band,
}


def _floats(values: Any) -> Array:
    return np.asarray(values, dtype=np.float64)
