"""Scores of predictions by name: those of scikit-learn."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from chainrule.errors import ChainruleError

Array = NDArray[Any]


def check_metric(name: str) -> str:
    """The name, if scikit-learn has a scorer of that name (``accuracy``, ``f1_macro``, ``roc_auc``, ``r2`` …).

    For all of them higher is better; errors have names such as ``neg_mean_absolute_error``.
    """
    # Half a tenth of a second to import, for models without validation rows in vain.
    from sklearn.metrics import get_scorer_names

    names = get_scorer_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "; see sklearn.metrics.get_scorer_names()"
        raise ChainruleError(f"no metric {name!r}{hint}")
    return name


def class_score(name: str, y: Array, probabilities: Array, classes: Array, several: bool) -> float:
    """The score of probabilities [b, k] for labels ``y``: [b], or [b, k] of 0 and 1 where ``several``."""
    predicted = (probabilities > 0.5).astype(np.int64) if several else classes[probabilities.argmax(axis=1)]
    return _score(name, _Classes(classes, predicted, probabilities), y)


def value_score(name: str, y: Array, predicted: Array) -> float:
    """The score of predicted values, [b] or [b, o]."""
    return _score(name, _Values(predicted), y)


def _score(name: str, answers: Any, y: Array) -> float:
    from sklearn.metrics import get_scorer

    try:
        return float(get_scorer(check_metric(name))(answers, np.empty((len(y), 1)), y))
    except (TypeError, ValueError) as error:
        if isinstance(error, ChainruleError):
            raise
        raise ChainruleError(f"the metric {name!r} does not fit this task: {str(error).splitlines()[0]}") from None


class _Classes(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predictions already made, in the form in which a scorer asks for them."""

    def __init__(self, classes: Array, predicted: Array, probabilities: Array) -> None:
        self.classes_ = classes
        self.predicted = predicted
        self.probabilities = probabilities

    def predict(self, X: Any) -> Array:
        return self.predicted

    def predict_proba(self, X: Any) -> Array:
        return self.probabilities


class _Values(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    def __init__(self, predicted: Array) -> None:
        self.predicted_ = predicted

    def predict(self, X: Any) -> Array:
        return self.predicted_
