"""What a fitted regressor says of the distribution of its targets, in their own unit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.definition import check_count
from chainrule.errors import ChainruleError
from chainrule.estimators.model import plain_loss
from chainrule.estimators.prediction import distribution_predictor
from chainrule.losses import CountLoss, Loss, Quantiles

if TYPE_CHECKING:
    from chainrule.probability.distribution import Distribution, KnownQuantiles

Array = NDArray[Any]

LIKELIHOODS = "Gaussian(), Laplace(), StudentT() or MixtureDensity(); for counts, Poisson() or NegativeBinomial()"


class DistributionMixin:
    """What follows from the distribution of each row's target: intervals, quantiles, samples; all in its own unit."""

    @abstractmethod
    def predict_distribution(self, X: Any) -> Distribution:
        """The distribution of the target of each row, [b], or [b, o] for several targets."""

    def _quantiles(self, X: Any) -> Distribution | KnownQuantiles:
        return self.predict_distribution(X)

    def predict_interval(self, X: Any, level: float = 0.9) -> tuple[Array, Array]:
        """The lower and the upper end, [b] or [b, o], of intervals that hold the target with the probability ``level``,
        and are missed as often on either side, if the distribution is the true one.

        Raises ChainruleError where neither a distribution nor quantiles of these levels are predicted.
        """
        return self._quantiles(X).interval(level)

    def predict_quantiles(self, X: Any, levels: Sequence[float]) -> Array:
        """The quantiles of these levels, [b, q] or [b, o, q].

        Raises ChainruleError where neither a distribution nor quantiles of these levels are predicted.
        """
        if not np.ndim(levels) or not len(levels):
            raise ChainruleError(f"levels are one or more numbers between 0 and 1, such as [0.1, 0.9], not {levels!r}")
        found = self._quantiles(X)
        return np.stack([found.quantile(level) for level in levels], axis=-1)

    def sample(self, X: Any, n: int, random_state: Any = None) -> Array:
        """``n`` values drawn from the distribution of each row, [n, b] or [n, b, o]."""
        return self.predict_distribution(X).sample(check_count("sample", "n", n), random_state)


def predictive_distribution(model: Any, X: Any) -> Distribution:
    """The distribution of the target of each row, [b] or [b,o]; of an ensemble, the mixture of its members'.

    Raises ChainruleError where the loss of the model has no distribution.
    """
    from chainrule.probability.distribution import FAMILIES, equal_mixture

    loss = _loss(model)
    check_has_density(loss)
    members = [FAMILIES[loss.distribution](*parameters) for parameters in _parameters(model, X)]
    if not isinstance(loss, CountLoss):
        members = [member.affine(*_unit(model)) for member in members]
    return members[0] if model.specification_.along is None else equal_mixture(members)


def predictive_quantiles(model: Any, X: Any) -> Distribution | KnownQuantiles:
    """What has ``quantile(q)`` and ``interval(level)``: the distribution; or the quantiles that a network predicts, and
    of an ensemble their means over members.
    """
    loss = _loss(model)
    check_says_spread(loss)
    if not isinstance(loss, Quantiles):
        return predictive_distribution(model, X)
    from chainrule.probability.distribution import KnownQuantiles

    values = np.mean([values for (values,) in _parameters(model, X)], axis=0)
    return KnownQuantiles(loss.levels, values).affine(*_unit(model))


def check_has_density(loss: Loss) -> None:
    """Raise ChainruleError for a loss without a density, or a mass, of the targets."""
    check_says_spread(loss)
    if isinstance(loss, Quantiles):
        raise ChainruleError(
            f"{loss!r} predicts quantiles and no density: ask for predict_quantiles or predict_interval, or fit with "
            f"loss={LIKELIHOODS}"
        )


def check_says_spread(loss: Loss) -> None:
    """Raise ChainruleError for a loss with neither a distribution nor quantiles of the targets."""
    if not loss.distribution:
        raise ChainruleError(
            f"{loss!r} predicts a value and not how far from it the truth may be: fit with loss={LIKELIHOODS}; "
            "or with Quantiles(), for intervals alone"
        )


def _loss(model: Any) -> Loss:
    loss = plain_loss(model.specification_.loss)
    assert loss is not None
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
