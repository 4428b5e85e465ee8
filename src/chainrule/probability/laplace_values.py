"""Numbers predicted with a Laplace approximation: how sure the network is of its mean, and the noise around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from chainrule.definition import check_number
from chainrule.errors import ChainruleError
from chainrule.estimators.model import target_shape
from chainrule.estimators.predictive import DistributionMixin
from chainrule.estimators.regressor import Regressor
from chainrule.estimators.rows import Rows
from chainrule.losses import Gaussian, QuadraticCost, SquaredError
from chainrule.probability.distribution import Normal
from chainrule.probability.evidence import greatest_evidence
from chainrule.probability.gauss_newton import Linearized
from chainrule.probability.laplace import LaplaceApproximation, from_output
from chainrule.probability.posterior import Block, Posterior

Array = NDArray[Any]


class LaplaceRegressor(DistributionMixin, RegressorMixin, LaplaceApproximation):  # type: ignore[misc]
    """Predicts normal distributions: the noise of the targets and what is not known of the network's parameters.

    With the squared error the variance of the noise is chosen too; with ``Gaussian()`` the network gives it.

    Parameters
    ----------
    estimator : a ``Regressor``, which is trained; ``FrozenEstimator(model)`` for one that is to stay as it is; None for
        ``Regressor()``.
    structure : the curvature that is kept: ``"last_layer"``, of the last layer's parameters with each other;
        ``"diagonal"``, of each number alone; ``"kronecker"``, of each parameter, as two factors; ``"full"``, of all
        with all.
    prior_precision : δ of the normal prior; None for the one under which the data are most probable.
    noise_variance : of the targets, in squares of their deviation over the training rows; None for the most probable.
    memory_limit : bytes; None for what is available.
    verbose : say what memory and time are needed before they are used.

    Attributes
    ----------
    estimator_, posterior_, prior_precision_, noise_variance_, log_marginal_likelihood_ (of the targets, in their own
    unit), requirements_.
    """

    kind = Regressor

    def __init__(
        self,
        estimator: Any = None,
        structure: str = "last_layer",
        *,
        prior_precision: float | None = None,
        noise_variance: float | None = None,
        memory_limit: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.structure = structure
        self.prior_precision = prior_precision
        self.noise_variance = noise_variance
        self.memory_limit = memory_limit
        self.verbose = verbose

    @property
    def noise_variance_(self) -> float | None:
        """The variance of the noise, in squares of the targets' deviation; None where the network gives it."""
        return None if self._has_noise() else 1 / self.posterior_.count

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The mean of each row's distribution [b], or [b, o] for several targets; with ``return_std`` also its standard
        deviation, both in the targets' own unit.
        """
        if not return_std:
            check_is_fitted(self, "posterior_")
            return self.estimator_.predict(X)
        found = self.predict_distribution(X)
        return found.mean, found.std

    def predict_distribution(self, X: Any) -> Normal:
        """The distribution of each row's target [b], or [b, o], in the targets' own unit."""
        mean, variance = self._moments(X)
        target = self.estimator_.target_
        spread = np.sqrt(variance) * target.deviation
        return Normal(target.decode(mean), spread[:, 0] if target.single else spread)

    def _moments(self, X: Any) -> tuple[Array, Array]:
        """The mean and the variance [b, o], in the network's unit."""
        output, covariance = self._outputs(X)
        variance = np.diagonal(covariance, axis1=1, axis2=2).reshape(output.shape)
        if not self._has_noise():
            return output.reshape(len(output), -1), variance.reshape(len(output), -1) + 1 / self.posterior_.count
        # σ² is the exponential of the second output, so it is log-normal where that output is normal.
        noise = self._noise(output)[1] ** 2 * np.exp(variance[..., 1] / 2)
        return output[..., 0], variance[..., 0] + noise

    def _has_noise(self) -> bool:
        """Whether the network gives the variance of the noise."""
        return isinstance(self._plain(), Gaussian)

    def _noise(self, output: Array) -> tuple[Array, Array]:
        """The mean and the standard deviation [b, o] that an output [b, …] means."""
        step = self.estimator_.specification_.step
        names = step.distribution["μ"].name, step.distribution["σ"].name
        found = from_output(step.evaluation, step.output.name, names, output, self.estimator_.backend)
        return found[names[0]], found[names[1]]

    def _check_settings(self) -> None:
        super()._check_settings()
        if self.noise_variance is not None:
            check_number(type(self).__name__, "noise_variance", self.noise_variance, above=0)

    def _check_likelihood(self) -> None:
        if not isinstance(self._plain(), SquaredError | QuadraticCost | Gaussian):
            raise ChainruleError(
                f"LaplaceRegressor is for normal noise, and {self._plain()!r} assumes another: use SquaredError() or "
                "Gaussian()"
            )
        if self._has_noise() and self.noise_variance is not None:
            raise ChainruleError("LaplaceRegressor: noise_variance is for SquaredError(); Gaussian() predicts its own")

    def _targets(self, rows: Rows) -> dict[str, Array]:
        model = self.estimator_
        scaled = (rows.y.reshape(len(rows), -1) - model.target_.mean) / model.target_.deviation
        return {"y": scaled.reshape(len(rows), *target_shape(model.specification_.step))}

    def _loss(self, output: Array, targets: Mapping[str, Array]) -> tuple[Array, Array]:
        each, curvature = super()._loss(output, targets)
        if not self._has_noise():
            # Divided by the curvature, which is the same everywhere, both losses are half the sum of squares.
            return each / curvature[0, 0, 0], curvature / curvature[0, 0, 0]
        # Its expectation over targets as predicted: at a target far from that it need not be a precision.  It is
        # quadratic in the target, so the mean of two targets, a deviation to either side, is exact.
        mean, deviation = self._noise(output)
        sides = [super(LaplaceRegressor, self)._loss(output, {"y": mean + s * deviation})[1] for s in (-1, 1)]
        return each, (sides[0] + sides[1]) / 2

    def _settle(self, network: Linearized, blocks: tuple[Block, ...], misfit: float, rows: Rows) -> None:
        target = self.estimator_.target_
        weight = float(rows.weights.sum())
        eigenvalues = np.concatenate([block.eigenvalues for block in blocks])
        normals, noise = (0.0, 1.0) if self._has_noise() else (weight * target.size, self.noise_variance)
        chosen = greatest_evidence(eigenvalues, self._squares(network), misfit, normals, self.prior_precision, noise)
        self.posterior_ = Posterior(blocks, 1 / chosen.noise, chosen.precision)
        own_unit = weight * float(np.sum(np.log(target.deviation)))
        self.log_marginal_likelihood_ = chosen.log_marginal_likelihood - own_unit

    def _facts(self) -> list[str]:
        return [] if self.noise_variance_ is None else [f"noise variance {self.noise_variance_:.4g}"]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
