"""What the probabilities, distributions, intervals and sets of a fitted model are worth on rows it does not know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError
from chainrule.probability.distribution import Distribution
from chainrule.probability.intervals import coverage, in_set, inside, mean_set_size, sharpness
from chainrule.probability.reliability import calibration_error
from chainrule.probability.score import Score, mean_score
from chainrule.probability.scores import brier_scores, crps, log_scores, negative_log_likelihood

Array = NDArray[Any]

LEVELS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Covered:
    """Intervals, or sets of classes, of one level: the share that held the truth, and their mean width, or size."""

    level: float
    coverage: Score
    size: float


@dataclass(frozen=True)
class Evaluation:
    """``scores`` of probabilities or distributions; ``covered`` at each level, if intervals or sets are predicted."""

    scores: tuple[Score, ...] = ()
    covered: tuple[Covered, ...] = ()


def evaluate_classes(model: Any, X: Any, t: Array) -> Evaluation:
    """Of the probabilities and sets of a classifier, for rows of the classes t[b], by their places in ``classes_``."""
    scores: tuple[Score, ...] = ()
    if hasattr(model, "predict_proba"):
        scores = probability_scores(t, np.asarray(model.predict_proba(X)))
    if not hasattr(model, "predict_set"):
        return Evaluation(scores)
    sets = _of_each_level(lambda level: model.predict_set(X, level))
    return Evaluation(scores, tuple(Covered(at, coverage(in_set(t, s)), mean_set_size(s)) for at, s in sets))


def evaluate_values(model: Any, X: Any, y: Array) -> Evaluation:
    """Of the distributions and intervals of a regressor, for rows of the values y, [b] or [b,o]."""
    distribution = _distribution(model, X)
    if distribution is not None:
        found = _of_each_level(distribution.interval)
        return Evaluation(distribution_scores(y, distribution), _covered(y, found))
    if not hasattr(model, "predict_interval"):
        return Evaluation()
    return Evaluation((), _covered(y, _of_each_level(lambda level: model.predict_interval(X, level))))


def probability_scores(t: Array, probabilities: Array) -> tuple[Score, ...]:
    """Log-likelihood, Brier score and calibration error of p[b,k] for the classes t[b]."""
    return (
        mean_score("NLL", log_scores(t, probabilities)),
        mean_score("Brier score", brier_scores(t, probabilities)),
        calibration_error(t, probabilities),
    )


def distribution_scores(y: Array, distribution: Distribution) -> tuple[Score, ...]:
    """Log-likelihood and ranked probability score of distributions for values y, means over several targets."""
    rows = (len(y), -1)
    return (
        mean_score("NLL", negative_log_likelihood(y, distribution).reshape(rows).mean(axis=1)),
        mean_score("CRPS", crps(y, distribution).reshape(rows).mean(axis=1)),
    )


def _distribution(model: Any, X: Any) -> Distribution | None:
    """What the model predicts, if that is a distribution: its loss says so."""
    try:
        found: Distribution = model.predict_distribution(X)
    except (AttributeError, ChainruleError):
        return None
    return found


def _of_each_level(predict: Callable[[float], Any]) -> list[tuple[float, Any]]:
    """Levels and what is predicted at them; without those that the model does not know, or has too few rows for."""
    found = []
    for level in LEVELS:
        try:
            found.append((level, predict(level)))
        except ChainruleError:
            continue
    return found


def _covered(y: Array, intervals: list[tuple[float, Any]]) -> tuple[Covered, ...]:
    return tuple(
        Covered(level, coverage(inside(y, lower, upper)), sharpness(lower, upper))
        for level, (lower, upper) in intervals
    )
