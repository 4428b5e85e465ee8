"""What a fitted regressor says of the distribution of its targets, in their own unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ChainruleError
from chainrule.estimators.model import plain_loss
from chainrule.estimators.prediction import distribution_predictor
from chainrule.losses import CountLoss, Loss, Quantiles

if TYPE_CHECKING:
    from chainrule.probability.distribution import Distribution, KnownQuantiles

Array = NDArray[Any]

LIKELIHOODS = "Gaussian(), Laplace(), StudentT() or MixtureDensity(); for counts, Poisson() or NegativeBinomial()"


def predictive_distribution(model: Any, X: Any) -> Distribution:
    """The distribution of the target of each row, [b] or [b,o]; of an ensemble, the mixture of its members'.

    Raises ChainruleError where the loss of the model has no distribution.
    """
    from chainrule.probability.distribution import FAMILIES, equal_mixture

    loss = _likelihood(model)
    if isinstance(loss, Quantiles):
        raise ChainruleError(
            f"{loss!r} predicts quantiles and no density: ask for predict_quantiles or predict_interval, or fit with "
            f"loss={LIKELIHOODS}"
        )
    members = [FAMILIES[loss.distribution](*parameters) for parameters in _parameters(model, X)]
    if not isinstance(loss, CountLoss):
        members = [member.affine(*_unit(model)) for member in members]
    return members[0] if model.specification_.along is None else equal_mixture(members)


def predictive_quantiles(model: Any, X: Any) -> Distribution | KnownQuantiles:
    """What has ``quantile(q)`` and ``interval(level)``: the distribution; or the quantiles that a network predicts, and
    of an ensemble their means over members.
    """
    loss = _likelihood(model)
    if not isinstance(loss, Quantiles):
        return predictive_distribution(model, X)
    from chainrule.probability.distribution import KnownQuantiles

    values = np.mean([values for (values,) in _parameters(model, X)], axis=0)
    return KnownQuantiles(loss.levels, values).affine(*_unit(model))


def _likelihood(model: Any) -> Loss:
    """The loss of the model.  Raises ChainruleError where it has no distribution."""
    loss = plain_loss(model.specification_.loss)
    assert loss is not None
    if not loss.distribution:
        raise ChainruleError(
            f"{loss!r} predicts a value and not how far from it the truth may be: fit with loss={LIKELIHOODS}; "
            "or with Quantiles(), for intervals alone"
        )
    return loss


def _parameters(model: Any, X: Any) -> list[Array]:
    """The parameters of the distribution for each member, [p, b, …] or [p, b, o, …], in the network's unit."""
    found = np.moveaxis(model._predict(X, distribution_predictor), -1, 0)
    members = [found] if model.specification_.along is None else list(np.moveaxis(found, 2, 0))
    return [member[:, :, 0] if model.target_.single else member for member in members]


def _unit(model: Any) -> tuple[Array, Array]:
    """The factor and the shift from the network's unit to the targets' own, [] or [o]."""
    target = model.target_
    return (target.deviation[0], target.mean[0]) if target.single else (target.deviation, target.mean)
