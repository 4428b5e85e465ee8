"""Sets of classes and intervals that hold the truth as often as is asked for, whatever the model within is worth.

A part of the rows is held out; what they look like to the model (``nonconformity.py``) says how wide to be.  That is
so on average over rows; with ``conditional``, also within each class or group (Vovk, Lindsay, Nouretdinov, Gammerman,
"Mondrian confidence machine", 2003).
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from chainrule.data.frame import is_missing
from chainrule.data.target import read_values
from chainrule.definition import plain
from chainrule.errors import ChainruleError
from chainrule.probability.calibration import (
    check_every_class,
    check_every_class_held,
    check_gives_probabilities,
    class_numbers,
    class_probabilities,
    given_labels,
)
from chainrule.probability.distribution import check_level
from chainrule.probability.foreseen import check_deviation, check_intervals
from chainrule.probability.held_out import given_rows, hold_out, is_frozen, take
from chainrule.probability.nonconformity import BANDS, CLASS_SCORES, conformal_quantile, conformal_rank
from chainrule.probability.wrapper import OfTheSameTargets, Wrapper

Array = NDArray[Any]

LEVELS = (0.5, 0.8, 0.9, 0.95)


def chosen(owner: Any, name: str, table: Mapping[Any, Any]) -> Any:
    """What a setting chooses.  Raises ChainruleError, saying what there is, for anything else."""
    value = getattr(owner, name)
    if not (value is None or isinstance(value, str)) or value not in table:
        raise ChainruleError(f"{type(owner).__name__}: {name} is one of {', '.join(map(repr, table))}, not {value!r}")
    return table[value]


class _Conformal(Wrapper):
    """Common to both: scores of held-out rows, each in a stratum for which quantiles are taken by themselves."""

    conditions: ClassVar[Mapping[str | None, str]]  # what a stratum is, in words
    named = ("groups_",)

    conditional: str | None
    calibration_fraction: float
    random_state: Any
    strata_: Array
    groups_: list[Any]

    def _check(self) -> None:
        """Raise ChainruleError for settings that cannot be used."""
        chosen(self, "conditional", self.conditions)

    @abstractmethod
    def _given(self, X: Any, y: Any) -> tuple[Any, Array]:
        """Rows and their targets, checked."""

    @abstractmethod
    def _check_held(self, y: Array, aside: Array, of: Sequence[Any]) -> None:
        """Raise ChainruleError where the rows held out, by their numbers, will be too few; ``of`` their groups."""

    @abstractmethod
    def _calibrate(self, X: Any, y: Array, of: Sequence[Any]) -> None:
        """Learn the scores of rows that the fitted estimator does not know; ``of`` which group each is, if any."""

    def fit(self, X: Any, y: Any = None, groups: Any = None, sample_weight: Any = None) -> Self:
        """Train the estimator on a part of the rows, and calibrate it with the others; ``groups`` [b] of each row.

        Of each class, and of each group, the same part is held out.  A ``sklearn.frozen.FrozenEstimator`` is calibrated
        with all rows.
        ``sample_weight`` [b]: the weights of the rows that the estimator is trained on; all count the same where it is
        calibrated.
        Raises ChainruleError, before anything is trained, for an estimator that does not say what is needed, for one
        whose training takes no weights where some are given, for a class or a group that is not held out, and for
        ``levels`` that need more rows than are held out.
        """
        self._check()
        X, y = self._given(X, y)
        of = self._given_groups(groups, len(y))
        weights = self._weights(sample_weight, len(y))
        if is_frozen(self.estimator):
            return self.calibrate(X, y, groups)
        kept, aside = hold_out(len(y), self.calibration_fraction, self._strata(y, of), self.random_state)
        held = [of[row] for row in aside] if of else []
        alone = [group for group in dict.fromkeys(of) if group not in set(held)]
        if alone:
            raise ChainruleError(
                f"groups: {alone[0]!r} has one row; two are needed, one to train with and one to calibrate with"
            )
        self._check_held(y, aside, held)
        self._train(X, y, kept, weights)
        self._calibrate(take(X, aside), y[aside], held)
        return self

    def calibrate(self, X: Any, y: Any = None, groups: Any = None) -> Self:
        """Calibrate the estimator, which is fitted already, with rows that it was not trained on.

        Raises ChainruleError for an estimator that does not say what is needed, and for a class without a row.
        """
        self._check()
        X, y = self._given(X, y)
        of = self._given_groups(groups, len(y))
        self._take_fitted()
        self._calibrate(X, y, of)
        return self

    def _strata(self, y: Array, of: Sequence[Any]) -> Array | None:
        """What rows are held out by [b]: their class, their group, or both; None for neither."""
        classes = np.unique(y, return_inverse=True)[1] if isinstance(self, ClassifierMixin) else None
        if not of:
            return classes
        groups = numbered(of)
        if classes is None:
            return groups
        both = numbered(list(zip(groups.tolist(), classes.tolist(), strict=True)))
        # What a group has one row of is divided with what else it has one row of.
        return np.where(np.bincount(both)[both] == 1, -1 - groups, both)

    def _given_groups(self, groups: Any, rows: int) -> list[Any]:
        """The group of each row, checked; none where the setting asks for none."""
        if self.conditional != "group":
            if groups is not None:
                raise ChainruleError(f"groups are for conditional='group'; here it is {self.conditional!r}")
            return []
        if groups is None:
            raise ChainruleError("conditional='group' needs groups, one for each row")
        given = np.asarray(groups, dtype=object)
        if given.shape != (rows,):
            raise ChainruleError(f"groups has shape {given.shape}; X has {rows} rows, so it must be ({rows},)")
        of = [plain(group) for group in given]
        for row, group in enumerate(of, 1):
            if not isinstance(group, str) and is_missing(group):
                raise ChainruleError(f"groups, row {row} is missing; give such rows a group of their own")
        return of

    def _learn_groups(self, rows: int, of: Sequence[Any]) -> None:
        self.groups_ = list(dict.fromkeys(of))
        self.strata_ = numbered(of) if of else np.zeros(rows, dtype=np.int64)

    def _strata_of(self, rows: int, groups: Any) -> Array:
        """The number of the group of each new row [b]; 0 where there are none."""
        of = self._given_groups(groups, rows)
        place = {group: number for number, group in enumerate(self.groups_)}
        for row, group in enumerate(of, 1):
            if group not in place:
                raise ChainruleError(f"groups, row {row}: {group!r} is no group of the rows to calibrate with")
        return np.array([place[group] for group in of], dtype=np.int64) if of else np.zeros(rows, dtype=np.int64)

    def _quantiles(self, scores: Array, level: float, names: Sequence[Any]) -> Array:
        """The conformal quantile of the scores [n, …] of each stratum, [stratum, …]."""
        what = chosen(self, "conditional", self.conditions)
        return np.stack(
            [
                conformal_quantile(scores[self.strata_ == number], level, f" of {what} {name}" if what else "")
                for number, name in enumerate(names)
            ]
        )


class ConformalClassifier(ClassifierMixin, _Conformal):  # type: ignore[misc]
    """A classifier whose ``predict_set(X, level)`` holds the true class with that probability.

    Parameters
    ----------
    estimator : a classifier with ``predict_proba``.
    nonconformity : ``"adaptive"``, sets that grow on hard rows, or ``"threshold"``, the smallest sets on average.
    conditional : ``"class"`` or ``"group"``: coverage within each class, or within each of the ``groups`` that are
        given; None: over all rows.
    calibration_fraction : the share of the rows that ``fit`` holds out to calibrate with.
    random_state : a whole number makes fitting repeatable: the division, an estimator without a seed of its own, and
        the random part of adaptive sets.

    Attributes
    ----------
    scores_ : of the true class of each row held out [n].
    estimator_ : the fitted classifier within; classes_, n_features_in_, feature_names_in_ are its own.
    """

    conditions: ClassVar[Mapping[str | None, str]] = {None: "", "class": "class", "group": "group"}
    learnt = ("scores_", "strata_", "seed_")

    classes_: Array
    scores_: Array
    seed_: Array

    def __init__(
        self,
        estimator: Any,
        nonconformity: str = "adaptive",
        *,
        conditional: str | None = None,
        calibration_fraction: float = 0.2,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.nonconformity = nonconformity
        self.conditional = conditional
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    def predict_set(self, X: Any, level: float = 0.9, groups: Any = None) -> Array:
        """Whether each class is in the set of each row, [b,k] of true and false.

        A set may be empty where coverage would else be more than was asked for.  The random part of adaptive sets is
        the same at each call.
        Raises ChainruleError for a level that is not between 0 and 1, or that needs more rows to calibrate with.
        """
        check_is_fitted(self)
        check_level(level)
        scores = self._scores(X, 1)
        if self.conditional == "class":
            return np.asarray(scores <= self._quantiles(self.scores_, level, self.classes_.tolist()))
        quantiles = self._quantiles(self.scores_, level, self.groups_ or [""])
        return np.asarray(scores <= quantiles[self._strata_of(len(scores), groups)][:, None])

    def predict_proba(self, X: Any) -> Array:
        """The probabilities of the estimator within [b,k]."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict_proba(X))

    def predict(self, X: Any) -> Array:
        """The class that the estimator within predicts [b]."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    def _check(self) -> None:
        super()._check()
        self._check_estimator(classifies=True)
        chosen(self, "nonconformity", CLASS_SCORES)
        check_gives_probabilities(self, self.estimator)

    def _given(self, X: Any, y: Any) -> tuple[Any, Array]:
        return given_labels(X, y)

    def _check_held(self, y: Array, aside: Array, of: Sequence[Any]) -> None:
        if self.conditional == "class":
            check_every_class_held(type(self).__name__, y, aside)

    def _calibrate(self, X: Any, y: Array, of: Sequence[Any]) -> None:
        t = class_numbers(y, self.classes_)
        self.seed_ = np.array(check_random_state(self.random_state).randint(2**31 - 1))
        self.scores_ = np.take_along_axis(self._scores(X, 0), t[:, None], axis=1)[:, 0]
        self._learn_groups(len(t), of)
        if self.conditional == "class":
            check_every_class(type(self).__name__, t, self.classes_)
            self.strata_ = t

    def _scores(self, X: Any, stream: int) -> Array:
        """The score of each class of each row [b,k]; rows to calibrate with and others have random numbers apart."""
        return class_scores(self, class_probabilities(self.estimator_, X), stream)


class ConformalRegressor(OfTheSameTargets, RegressorMixin, _Conformal):  # type: ignore[misc]
    """A regressor whose ``predict_interval(X, level)`` holds the true value with that probability.

    Of several targets a row, each interval does so by itself.

    Parameters
    ----------
    estimator : a regressor.
    nonconformity : ``"absolute"``, intervals of one width; ``"normalized"``, in proportion to the standard deviation
        that ``predict(X, return_std=True)`` says; ``"quantile"``, those of the estimator's own ``predict_interval``,
        made wider or narrower.
    levels : those at which intervals can be asked for with ``"quantile"``, each of which must have rows enough; the
        others know any level.
    conditional : ``"group"``: coverage within each of the ``groups`` that are given; None: over all rows.
    calibration_fraction : the share of the rows that ``fit`` holds out to calibrate with.
    random_state : a whole number makes fitting repeatable: the division, and an estimator without a seed of its own.

    Attributes
    ----------
    scores_ : of each row held out, [1,n] or [level,n], and [1,n,o] of several targets.
    estimator_ : the fitted regressor within; n_features_in_, feature_names_in_ are its own.
    """

    conditions: ClassVar[Mapping[str | None, str]] = {None: "", "group": "group"}
    learnt = ("scores_", "strata_")

    scores_: Array

    def __init__(
        self,
        estimator: Any,
        nonconformity: str = "absolute",
        *,
        levels: tuple[float, ...] = LEVELS,
        conditional: str | None = None,
        calibration_fraction: float = 0.2,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.nonconformity = nonconformity
        self.levels = levels
        self.conditional = conditional
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    def predict_interval(self, X: Any, level: float = 0.9, groups: Any = None) -> tuple[Array, Array]:
        """The lower and the upper end for each row, both [b] or [b,o].

        Where the estimator's own interval is to become narrower than nothing, the lower end is above the upper one.
        Raises ChainruleError for a level that is not between 0 and 1, or that needs more rows to calibrate with.
        """
        check_is_fitted(self)
        scores = self.scores_[level_place(self, level)]
        band = BANDS[self.nonconformity](self.estimator_, X, check_level(level))
        quantiles = self._quantiles(scores, level, self.groups_ or [""])
        return band.widened(quantiles[self._strata_of(len(band.lower), groups)])

    def predict(self, X: Any) -> Array:
        """The value that the estimator within predicts, [b] or [b,o]."""
        check_is_fitted(self)
        return np.asarray(self.estimator_.predict(X))

    def _check(self) -> None:
        super()._check()
        self._check_estimator(classifies=False)
        check_band(self)

    def _given(self, X: Any, y: Any) -> tuple[Any, Array]:
        return given_values(X, y)

    def _check_held(self, y: Array, aside: Array, of: Sequence[Any]) -> None:
        groups = [(count, f" of group {group}") for group, count in Counter(of).items()]
        check_enough(self, groups or [(len(aside), "")])

    def _calibrate(self, X: Any, y: Array, of: Sequence[Any]) -> None:
        band = BANDS[self.nonconformity]
        self.scores_ = np.stack([band(self.estimator_, X, level).scores(y) for level in asked_levels(self)])
        self._learn_groups(len(y), of)


def class_scores(classifier: Any, probabilities: Array, stream: int) -> Array:
    """The score of each class [b,k] from p[b,k]; the random numbers are those of the classifier's seed and a stream."""
    uniform = np.random.default_rng((int(classifier.seed_), stream)).random(len(probabilities))
    return np.asarray(CLASS_SCORES[classifier.nonconformity](probabilities, uniform))


def numbered(values: Sequence[Any]) -> Array:
    """The number of each value among those that differ, in the order in which they come [b]."""
    place = {value: number for number, value in enumerate(dict.fromkeys(values))}
    return np.array([place[value] for value in values], dtype=np.int64)


def given_values(X: Any, y: Any) -> tuple[Any, Array]:
    """Rows and their values, [b] or [b,o].  Raises ChainruleError for values that are no numbers."""
    X, y = given_rows(X, y)
    values = np.asarray(y)
    if values.dtype.kind == "c":
        raise ChainruleError("Complex data not supported: y holds complex numbers")
    return X, read_values(column_or_1d(values, warn=True) if values.ndim == 2 and values.shape[1] == 1 else values)


def check_band(regressor: Any) -> None:
    """Raise ChainruleError for settings that cannot be used, and an estimator that does not say what they need."""
    chosen(regressor, "nonconformity", BANDS)
    levels = asked_levels(regressor)
    if regressor.nonconformity == "normalized":
        check_deviation(regressor.estimator)
    if regressor.nonconformity == "quantile":
        check_intervals(regressor.estimator, levels)


def check_enough(regressor: Any, rows: Sequence[tuple[int, str]]) -> None:
    """Raise ChainruleError where one of the ``levels`` needs more rows than there are; ``rows``: how many, and of what.

    With another nonconformity than ``"quantile"`` a level is not known before an interval is asked for.
    """
    if regressor.nonconformity == "quantile":
        for level in asked_levels(regressor):
            for count, what in rows:
                try:
                    conformal_rank(count, level, what)
                except ChainruleError as error:
                    raise ChainruleError(f"{error}; leave it out of levels=, or give more rows") from None


def asked_levels(regressor: Any) -> tuple[float, ...]:
    """The levels that scores are for: with all but ``"quantile"`` one for all.  Raises ChainruleError for others."""
    levels = regressor.levels
    if not isinstance(levels, Sequence | np.ndarray) or not np.size(levels) or not np.ndim(levels):
        raise ChainruleError(f"levels are numbers such as {LEVELS}, not {levels!r}")
    known = tuple(check_level(level) for level in levels)
    return known if regressor.nonconformity == "quantile" else (0.5,)


def level_place(regressor: Any, level: float) -> int:
    """The place of the scores for a level.  Raises ChainruleError where it was not calibrated."""
    wanted = check_level(level)
    if regressor.nonconformity != "quantile":
        return 0
    known = asked_levels(regressor)
    if wanted not in known:
        raise ChainruleError(
            f"level {wanted:g} was not calibrated; levels={known!r} were. Give it among levels, and fit again"
        )
    return known.index(wanted)
