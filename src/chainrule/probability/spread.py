"""Predicted distributions made wider, or narrower, by a factor that rows which were held out ask for."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import ChainruleError
from chainrule.estimators.predictive import DistributionMixin
from chainrule.probability.conformal import given_values
from chainrule.probability.distribution import Distribution, Normal
from chainrule.probability.foreseen import check_scalable
from chainrule.probability.held_out import hold_out, is_frozen, take
from chainrule.probability.wrapper import OfTheSameTargets, Wrapper

Array = NDArray[Any]

FACTORS = (1e-3, 1e3)  # where every held-out row is predicted without an error, the likelihood has no highest point
ROUNDING = 1e-4  # of the logarithm of a factor


def spread(distribution: Distribution, factor: ArrayLike) -> Distribution:
    """The distribution about its own mean, ``factor`` times as wide, factor > 0, [] or [o].

    Raises ChainruleError for a distribution of counts.
    """
    factor = np.asarray(factor, dtype=np.float64)
    return distribution.affine(factor, (1 - factor) * distribution.mean)


def likeliest_spread(distribution: Distribution, y: ArrayLike) -> Array:
    """The factor under which values y, [b] or [b,o], are most probable, [] or [o].

    Between 1/1000 and 1000; a UserWarning says where it is the least.
    Raises ChainruleError for a distribution of counts, and for deviations so small that the most is not enough.
    """
    spread(distribution, 1.0)  # refused at once, if at all
    y = np.asarray(y, dtype=np.float64)
    mean = distribution.mean

    def found(target: int | None) -> float:
        def cost(logarithm: float) -> float:
            # A density that is so many times as wide is that of the nearer value, divided by as much.
            each = logarithm - distribution.log_prob(mean + (y - mean) * np.exp(-logarithm))
            return float(np.mean(each if target is None else each[:, target]))

        return _cheapest(cost, "" if target is None else f" of target {target + 1}")

    return np.array(found(None) if y.ndim == 1 else [found(target) for target in range(y.shape[1])])


def _cheapest(cost: Callable[[float], float], of: str) -> float:
    """The factor, of whose logarithm this is the cost; ``of`` which target, in words."""
    least, most = np.log(FACTORS)
    with np.errstate(all="ignore"):  # deviations too small for the density of a row to be a number
        best = minimize_scalar(cost, bounds=(least, most), method="bounded", options={"xatol": ROUNDING})
    if not np.isfinite(best.fun) or best.x > most - 10 * ROUNDING:
        raise ChainruleError(
            f"the deviations{of} are too small to be scaled: the rows to calibrate with ask for more than "
            f"{FACTORS[1]:g} times as much"
        )
    if best.x < least + 10 * ROUNDING:
        warnings.warn(
            f"the rows to calibrate with are predicted{of} without an error, or nearly so: deviations are multiplied "
            f"by {FACTORS[0]:g}, the least factor there is",
            UserWarning,
            stacklevel=6,  # whoever calls fit
        )
    return float(np.exp(best.x))


class SpreadScaling(OfTheSameTargets, DistributionMixin, RegressorMixin, Wrapper):  # type: ignore[misc]
    """A regressor whose distributions are widened by one factor for each target; their means stay the same.

    A network that learnt means and deviations from the same rows is too sure of rows that are new.
    Levi, Gispan, Giladi, Fetaya, "Evaluating and calibrating uncertainty prediction in regression tasks" (2022), §4.

    Parameters
    ----------
    estimator : a regressor with ``predict_distribution``, or with ``predict(X, return_std=True)``, whose distribution
        is taken to be normal.
    calibration_fraction : the share of the rows that ``fit`` holds out to calibrate with.
    random_state : a whole number makes fitting repeatable: the division, and an estimator without a seed of its own.

    Attributes
    ----------
    spread_ : what deviations are multiplied by, [] or [o]; above 1 where the estimator was too sure.
    estimator_ : the fitted regressor within; n_features_in_, feature_names_in_ are its own.
    """

    learnt = ("spread_",)

    spread_: Array

    def __init__(self, estimator: Any, *, calibration_fraction: float = 0.2, random_state: Any = None) -> None:
        self.estimator = estimator
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the estimator on a part of the rows, and calibrate it with the others.

        A ``sklearn.frozen.FrozenEstimator`` is calibrated with all of them.
        ``sample_weight`` [b]: the weights of the rows that the estimator is trained on; all count the same where it is
        calibrated.
        Raises ChainruleError, before anything is trained, for an estimator that predicts no spread, for one whose
        training takes no weights where some are given, and for distributions of counts; after it, for deviations less
        than 1/1000 of those that the rows held out ask for.
        """
        self._check()
        X, y = given_values(X, y)
        weights = self._weights(sample_weight, len(y))
        if is_frozen(self.estimator):
            return self.calibrate(X, y)
        kept, aside = hold_out(len(y), self.calibration_fraction, None, self.random_state)
        self._train(X, y, kept, weights)
        return self._calibrate(take(X, aside), y[aside])

    def calibrate(self, X: Any, y: Any = None) -> Self:
        """Calibrate the estimator, which is fitted already, with rows that it was not trained on.

        Raises ChainruleError for an estimator that predicts no spread, for distributions of counts, and for deviations
        less than 1/1000 of those that the rows ask for.
        """
        self._check()
        self._take_fitted()
        return self._calibrate(*given_values(X, y))

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The mean of each row's distribution, [b] or [b,o]; with ``return_std`` also its standard deviation."""
        check_is_fitted(self)
        if not return_std:
            return np.asarray(self.estimator_.predict(X))
        found = self.predict_distribution(X)
        return found.mean, found.std

    def predict_distribution(self, X: Any) -> Distribution:
        """The distribution of each row's target, [b] or [b,o], in the targets' own unit."""
        check_is_fitted(self)
        return spread(_distribution(self.estimator_, X), self.spread_)

    def _check(self) -> None:
        """Raise ChainruleError for an estimator whose distributions cannot be scaled."""
        self._check_estimator(classifies=False)
        check_scalable(self.estimator)

    def _calibrate(self, X: Any, y: Array) -> Self:
        self.spread_ = likeliest_spread(_distribution(self.estimator_, X), y)
        return self


def _distribution(estimator: Any, X: Any) -> Distribution:
    """What a fitted regressor predicts."""
    if hasattr(estimator, "predict_distribution"):
        found: Distribution = estimator.predict_distribution(X)
        return found
    return Normal(*estimator.predict(X, return_std=True))
