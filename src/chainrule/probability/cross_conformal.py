"""Conformal sets and intervals that hold no row out for good: each part is judged by a model of the others.

CV+, and jackknife+ where each row is a part: Barber, Candès, Ramdas, Tibshirani, "Predictive inference with the
jackknife+" (2021), §1.3 and §3; of classes, Romano, Sesia, Candès, "Classification with valid and adaptive coverage"
(2020), §2.3.  What is promised for any model is a coverage of 2·level − 1, less 1/√n for few parts; what is found is
that of the level, unless models of nearly the same rows differ much.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from chainrule.definition import check_count
from chainrule.errors import ChainruleError
from chainrule.probability.calibration import (
    check_gives_probabilities,
    class_numbers,
    class_probabilities,
    given_labels,
)
from chainrule.probability.conformal import (
    LEVELS,
    asked_levels,
    check_band,
    check_enough,
    chosen,
    class_scores,
    given_values,
    level_place,
)
from chainrule.probability.distribution import check_level
from chainrule.probability.held_out import is_frozen, take, trained
from chainrule.probability.nonconformity import BANDS, CLASS_SCORES, Band, conformal_rank
from chainrule.probability.wrapper import OfTheSameTargets, Wrapper

Array = NDArray[Any]

AT_ONCE = 4_000_000  # numbers of new rows against rows of the training


class _CrossConformal(Wrapper):
    """Common to both: a model for each fold, trained on the rows of the others, and the scores of the fold's rows."""

    folds: int | None
    random_state: Any
    estimators_: list[Any]
    folds_: Array

    @property
    def input_(self) -> Any:
        """How the models within read their rows."""
        return self.estimators_[0].input_

    @abstractmethod
    def _check(self) -> None:
        """Raise ChainruleError for settings that cannot be used."""

    def _fit_folds(self, X: Any, y: Array, sample_weight: Any, order: Array, generator: Any) -> None:
        """Models and the fold of each row [n]; rows are dealt out in this order."""
        if is_frozen(self.estimator):
            raise ChainruleError(f"{type(self).__name__} trains the estimator on each part of the rows; thaw it")
        weights = self._weights(sample_weight, len(y))
        folds = len(y) if self.folds is None else min(check_count(type(self).__name__, "folds", self.folds), len(y))
        if folds < 2:
            raise ChainruleError(f"{type(self).__name__}: {len(y)} sample(s) in {folds} fold(s); at least 2 are needed")
        self.folds_ = np.empty(len(y), dtype=np.int64)
        self.folds_[order] = np.arange(len(y)) % folds
        self.estimators_ = []
        for fold in range(folds):
            others = np.flatnonzero(self.folds_ != fold)
            self.estimators_.append(trained(self.estimator, generator, X, y, others, weights))

    def _parts(self) -> dict[str, Any]:
        return {f"fold{fold}": model for fold, model in enumerate(self.estimators_)}

    def _take_parts(self, parts: Sequence[Any]) -> None:
        self.estimators_ = list(parts)
        self._take_over(parts[0])


class CrossConformalClassifier(ClassifierMixin, _CrossConformal):  # type: ignore[misc]
    """A classifier whose ``predict_set(X, level)`` holds the true class about that often; no row is held out for good.

    Parameters
    ----------
    estimator : a classifier with ``predict_proba``; one is trained for each fold.
    nonconformity : as for ``ConformalClassifier``.
    folds : how many parts the rows are divided into, each class evenly; None for each row by itself (jackknife+).
    random_state : a whole number makes fitting repeatable: the division, an estimator without a seed of its own, and
        the random part of adaptive sets.

    Attributes
    ----------
    estimators_ : the fitted classifiers, whose mean probabilities are ``predict_proba``.
    scores_ : of the true class of each row [n]; folds_ : the fold of each row [n].
    """

    learnt = ("scores_", "folds_", "seed_")

    classes_: Array
    scores_: Array
    seed_: Array

    def __init__(
        self, estimator: Any, nonconformity: str = "adaptive", *, folds: int | None = 10, random_state: Any = None
    ) -> None:
        self.estimator = estimator
        self.nonconformity = nonconformity
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the estimator on all rows but those of each fold.

        ``sample_weight`` [b]: the weights of rows in training; all count the same in sets and intervals.
        Raises ChainruleError for an estimator without probabilities, and for one whose training takes no weights where
        some are given.
        """
        self._check()
        X, labels = given_labels(X, y)
        generator = check_random_state(self.random_state)
        shuffled = generator.permutation(len(labels))
        self._fit_folds(X, labels, sample_weight, shuffled[np.argsort(labels[shuffled], kind="stable")], generator)
        self._take_parts(self.estimators_)
        self.seed_ = np.array(generator.randint(2**31 - 1))
        t = class_numbers(labels, self.classes_)
        self.scores_ = np.empty(len(t))
        for fold, model in enumerate(self.estimators_):
            rows = np.flatnonzero(self.folds_ == fold)
            scores = class_scores(self, self._probabilities(model, take(X, rows)), 2 + fold)
            self.scores_[rows] = scores[np.arange(len(rows)), t[rows]]
        return self

    def predict_set(self, X: Any, level: float = 0.9) -> Array:
        """Whether each class is in the set of each row, [b,k] of true and false: those that, for fewer than level of
        the rows of the training, look stranger than these to the model that knows neither.

        Raises ChainruleError for a level that is not between 0 and 1, or that needs more rows.
        """
        check_is_fitted(self)
        rank = conformal_rank(len(self.scores_), level)
        stranger: Any = 0
        for fold, model in enumerate(self.estimators_):
            scores = class_scores(self, self._probabilities(model, X), 1)
            stranger = stranger + np.searchsorted(np.sort(self.scores_[self.folds_ == fold]), scores, side="left")
        return np.asarray(stranger < rank)

    def predict_proba(self, X: Any) -> Array:
        """The mean of the probabilities of the models within [b,k]."""
        check_is_fitted(self)
        return np.asarray(np.mean([self._probabilities(model, X) for model in self.estimators_], axis=0))

    def predict(self, X: Any) -> Array:
        """The most probable class of each row [b]."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def _take_parts(self, parts: Sequence[Any]) -> None:
        super()._take_parts(parts)
        # The model of a fold that has all rows of a class does not know it.
        self.classes_ = np.unique(np.concatenate([model.classes_ for model in parts]))

    def _check(self) -> None:
        self._check_estimator(classifies=True)
        chosen(self, "nonconformity", CLASS_SCORES)
        check_gives_probabilities(self, self.estimator)

    def _probabilities(self, model: Any, X: Any) -> Array:
        """p[b,k] of one model: 0 for a class of which it knows no row."""
        found = class_probabilities(model, X)
        whole = np.zeros((len(found), len(self.classes_)))
        whole[:, class_numbers(np.asarray(model.classes_), self.classes_)] = found
        return whole


class CrossConformalRegressor(OfTheSameTargets, RegressorMixin, _CrossConformal):  # type: ignore[misc]
    """A regressor whose ``predict_interval(X, level)`` holds the true value about that often, with no row held out for
    good.

    Parameters
    ----------
    estimator : a regressor; one is trained for each fold.
    nonconformity, levels : as for ``ConformalRegressor``.
    folds : how many parts the rows are divided into (CV+); None for each row by itself (jackknife+).
    random_state : a whole number makes fitting repeatable: the division, and an estimator without a seed of its own.

    Attributes
    ----------
    estimators_ : the fitted regressors, whose mean is ``predict``.
    scores_ : of each row, [1,n] or [level,n], and [1,n,o] of several targets; folds_ : the fold of each row [n].
    """

    learnt = ("scores_", "folds_")

    scores_: Array

    def __init__(
        self,
        estimator: Any,
        nonconformity: str = "absolute",
        *,
        levels: tuple[float, ...] = LEVELS,
        folds: int | None = 10,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.nonconformity = nonconformity
        self.levels = levels
        self.folds = folds
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train the estimator on all rows but those of each fold.

        ``sample_weight`` [b]: the weights of rows in training; all count the same in sets and intervals.
        Raises ChainruleError, before anything is trained, for an estimator that does not say what ``nonconformity``
        needs, for one whose training takes no weights where some are given, and for ``levels`` that need more rows.
        """
        self._check()
        X, y = given_values(X, y)
        check_enough(self, [(len(y), "")])
        generator = check_random_state(self.random_state)
        self._fit_folds(X, y, sample_weight, generator.permutation(len(y)), generator)
        self._take_parts(self.estimators_)
        band, levels = BANDS[self.nonconformity], asked_levels(self)
        self.scores_ = np.empty((len(levels), *y.shape))
        for fold, model in enumerate(self.estimators_):
            rows = np.flatnonzero(self.folds_ == fold)
            for place, level in enumerate(levels):
                self.scores_[place, rows] = band(model, take(X, rows), level).scores(y[rows])
        return self

    def predict_interval(self, X: Any, level: float = 0.9) -> tuple[Array, Array]:
        """The lower and the upper end for each row, both [b] or [b,o]: quantiles over the rows of the training of what
        the model that does not know the row says of X, widened by that row's miss.

        Raises ChainruleError for a level that is not between 0 and 1, or that needs more rows.
        """
        check_is_fitted(self)
        scores = self.scores_[level_place(self, level)]
        rank = conformal_rank(len(scores), level)
        bands = [BANDS[self.nonconformity](model, X, check_level(level)) for model in self.estimators_]
        rows = len(bands[0].lower)
        at_once = max(1, AT_ONCE // scores.size)
        found = [self._ends(bands, scores, rank, slice(at, at + at_once)) for at in range(0, rows, at_once)]
        lower, upper = (np.concatenate(ends) for ends in zip(*found, strict=True))
        return lower, upper

    def _ends(self, bands: Sequence[Band], scores: Array, rank: int, rows: slice) -> tuple[Array, Array]:
        """The ends for some of the new rows: the rank-th largest of the lower, the rank-th smallest of the upper."""
        lower, upper = [], []
        for fold, band in enumerate(bands):
            part = Band(*(side[rows][:, None] for side in (band.lower, band.upper, band.unit)))
            low, high = part.widened(scores[self.folds_ == fold][None])
            lower.append(low)
            upper.append(high)
        low, high = np.concatenate(lower, axis=1), np.concatenate(upper, axis=1)
        count = low.shape[1]
        return (
            np.partition(low, count - rank, axis=1)[:, count - rank],
            np.partition(high, rank - 1, axis=1)[:, rank - 1],
        )

    def predict(self, X: Any) -> Array:
        """The mean of what the models within predict, [b] or [b,o]."""
        check_is_fitted(self)
        return np.asarray(np.mean([model.predict(X) for model in self.estimators_], axis=0))

    def _check(self) -> None:
        self._check_estimator(classifies=False)
        check_band(self)
