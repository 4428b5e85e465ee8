"""What a regressor will say of its targets, known before it is trained by its methods and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import Any

from chainrule.errors import ChainruleError
from chainrule.estimators import defaults
from chainrule.estimators.model import plain_loss
from chainrule.estimators.predictive import check_has_density, check_says_spread
from chainrule.estimators.regressor import Regressor
from chainrule.losses import CountLoss, Loss, Quantiles
from chainrule.probability.distribution import known_ends
from chainrule.probability.held_out import unfrozen


def says_deviation(estimator: Any) -> bool:
    """Whether ``predict(X, return_std=True)`` can be asked for."""
    return "return_std" in signature(unfrozen(estimator).predict).parameters


def check_deviation(estimator: Any) -> None:
    """Raise ChainruleError for a regressor that predicts no standard deviation."""
    if not says_deviation(estimator):
        raise ChainruleError(
            f"nonconformity='normalized' needs predict(X, return_std=True), which {_name(estimator)} has not"
        )
    loss = loss_of(estimator)
    if loss is not None:
        check_has_density(loss)


def check_intervals(estimator: Any, levels: Sequence[float]) -> None:
    """Raise ChainruleError for a regressor that predicts no intervals, or none of one of these levels."""
    if not hasattr(unfrozen(estimator), "predict_interval"):
        raise ChainruleError(
            f"nonconformity='quantile' needs predict_interval(X, level), which {_name(estimator)} has not"
        )
    loss = loss_of(estimator)
    if loss is not None:
        check_says_spread(loss)
    if isinstance(loss, Quantiles):
        for level in levels:
            known_ends(level, loss.levels)


def check_scalable(estimator: Any) -> None:
    """Raise ChainruleError for a regressor without a distribution that can be made wider or narrower."""
    if not hasattr(unfrozen(estimator), "predict_distribution") and not says_deviation(estimator):
        raise ChainruleError(
            "SpreadScaling needs an estimator with predict_distribution, or with predict(X, return_std=True); "
            f"{_name(estimator)} has neither"
        )
    loss = loss_of(estimator)
    if loss is not None:
        check_has_density(loss)
    if isinstance(loss, CountLoss):
        raise ChainruleError(
            f"{loss!r} predicts a distribution of counts, which have no other unit, and so no spread to be scaled"
        )


def loss_of(estimator: Any) -> Loss | None:
    """The loss that a regressor of chainrule is trained with, or will be; None for other estimators, or no loss."""
    inner = unfrozen(estimator)
    if not isinstance(inner, Regressor):
        return None
    given = inner.loss
    if given is None:
        given = inner.specification_.loss if hasattr(inner, "specification_") else defaults.value_loss()
    return plain_loss(given) if isinstance(given, Loss) else None


def _name(estimator: Any) -> str:
    return type(unfrozen(estimator)).__name__
