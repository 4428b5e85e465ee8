"""The regressor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted

from chainrule.data.augment import Augmentation
from chainrule.data.rule import ReadingRule
from chainrule.data.target import Values, fit_values, read_values
from chainrule.errors import ChainruleError
from chainrule.estimators import defaults
from chainrule.estimators.base import NetworkEstimator
from chainrule.estimators.inspect import Inspection
from chainrule.estimators.model import plain_loss, target_shape
from chainrule.estimators.predictive import DistributionMixin, predictive_distribution, predictive_quantiles
from chainrule.estimators.rows import Rows
from chainrule.layers import Layer
from chainrule.losses import CountLoss, Loss, SampleWeighted
from chainrule.optimizers import Clipping, Optimizer
from chainrule.regularizers import Regularizer
from chainrule.training.callbacks import EarlyStopping
from chainrule.training.members import Ensemble
from chainrule.training.metrics import value_score
from chainrule.training.step import TrainingStep

if TYPE_CHECKING:
    from chainrule.probability.distribution import Distribution, KnownQuantiles

Array = NDArray[Any]


class Regressor(DistributionMixin, RegressorMixin, Inspection, NetworkEstimator):  # type: ignore[misc]
    """A neural network that predicts numbers, one or several a row, as a scikit-learn estimator.

    Tables are read as ``Classifier`` reads them.  Targets are brought to mean 0 and deviation 1 for the network, and
    predictions come in the targets' own unit; so a loss with a length in it (``Huber(delta)``) counts in deviations.
    Counts (``Poisson``, ``NegativeBinomial``) keep their own unit.

    Parameters
    ----------
    network : layers whose last gives one value for each target (or what the loss reads, such as ``Dense((targets, 2))``
        for ``Gaussian``), or None for two hidden layers of 128.
    loss : None for the squared error; a likelihood, such as ``Gaussian()``, to predict distributions; ``Quantiles()``
        for intervals alone.
    optimizer, epochs, batch_size, regularizer, clipping, ensemble, early_stopping, reading, augmentation, callbacks,
    backend, n_jobs, random_state, verbose : as for ``Classifier``.
    validation_fraction : share of the rows set aside; None for 0.1 from 4,000 rows on.

    Attributes
    ----------
    history_, parameters_, n_features_in_, feature_names_in_, n_iter_ (epochs), best_epoch_.
    """

    def __init__(
        self,
        network: Layer | None = None,
        loss: Loss | None = None,
        optimizer: Optimizer | None = None,
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        regularizer: Regularizer | tuple[Regularizer, ...] | None = None,
        clipping: Clipping | None = None,
        ensemble: int | Ensemble | None = None,
        early_stopping: EarlyStopping | bool | None = None,
        validation_fraction: float | None = None,
        reading: ReadingRule | None = None,
        augmentation: Augmentation | tuple[Augmentation, ...] | None = None,
        callbacks: Any = None,
        backend: str | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.epochs = epochs
        self.batch_size = batch_size
        self.regularizer = regularizer
        self.clipping = clipping
        self.ensemble = ensemble
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.reading = reading
        self.augmentation = augmentation
        self.callbacks = callbacks
        self.backend = backend
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def partial_fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch more, on these rows only, at a constant learning rate (the highest of the schedule).

        The first call decides how columns and targets are scaled.
        """
        with self._threads():
            return self._fit_more(X, y, sample_weight)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The value of each row [b], or [b, o] for several targets, in the targets' own unit.

        ``return_std``: that, and the standard deviation of its distribution (see ``predict_distribution``).
        """
        prediction = self._predict(X)
        assert isinstance(self.target_, Values)
        values = self.target_.decode(prediction)
        return (values, self.predict_distribution(X).std) if return_std else values

    def predict_distribution(self, X: Any) -> Distribution:
        """The distribution of the target of each row [b], or [b, o], in the targets' own unit.

        It has ``mean``, ``std``, ``log_prob(y)``, ``cdf(y)``, ``quantile(q)``, ``interval(level)`` and ``sample(n)``.
        Of an ensemble it is the mixture of the members', whose variance is the noise that they see
        (``aleatoric_variance``) and what they disagree in (``epistemic_variance``).
        Raises ChainruleError where the loss has no distribution (``SquaredError``).
        """
        check_is_fitted(self, "parameters_")
        return predictive_distribution(self, X)

    def _quantiles(self, X: Any) -> Distribution | KnownQuantiles:
        check_is_fitted(self, "parameters_")
        return predictive_quantiles(self, X)

    # --- targets ------------------------------------------------------------------------------------------------------

    def _read_target(self, y: Any) -> Array:
        values = read_values(y)
        loss = plain_loss(self.loss)
        if isinstance(loss, CountLoss):
            check_counts(values, loss)
        return values

    def _fit_target(self, y: Array, weights: Array) -> Values:
        fitted, loss = fit_values(y, weights), plain_loss(self.loss)
        if not isinstance(loss, CountLoss):
            return fitted
        self._mean_counts = tuple(float(f"{mean:.4g}") for mean in np.where(fitted.mean > 0, fitted.mean, 1.0))
        return Values(np.zeros_like(fitted.mean), np.ones_like(fitted.mean), fitted.single)

    def _fitted_loss(self, loss: Loss) -> Loss:
        if isinstance(loss, SampleWeighted):
            return replace(loss, loss=self._fitted_loss(loss.loss))
        if isinstance(loss, CountLoss) and loss == type(loss)():
            return replace(loss, mean_counts=self._mean_counts)
        return loss

    def _default_loss(self) -> Loss:
        return defaults.value_loss()

    def _units(self, loss: Loss) -> int | tuple[int, ...]:
        if "t" in loss.system.input_by_name or loss.task == "binary":
            raise ChainruleError(
                f"{loss!r} is for classes, not for numbers; use {self._default_loss()!r} or Classifier"
            )
        return loss.units(self.target_.size)

    def _described(self) -> str:
        return f"{self.target_.size} target{'s' if self.target_.size > 1 else ''}"

    def _learnt(self, y: Array, step: TrainingStep) -> Array:
        learnt: Array = self.target_.encode(y)
        return learnt.reshape(len(y), *target_shape(step))

    def _weigh(self, rows: Rows) -> Array:
        return rows.weights

    def _strata(self, y: Array) -> Array | None:
        return None

    def _metrics(self, names: tuple[str, ...], y: Array, prediction: Array) -> dict[str, float]:
        assert isinstance(self.target_, Values)
        values = self.target_.decode(prediction)
        return {name: value_score(name, y, values) for name in dict.fromkeys(("r2", *names))}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        return tags


def check_counts(y: Array, loss: Loss) -> None:
    """Raise ChainruleError, naming the first, for a value of y, [b] or [b, o], that is none of 0, 1, 2, …"""
    wrong = np.argwhere((y < 0) | (y != np.floor(y)))
    if len(wrong):
        value = y[tuple(wrong[0])]
        raise ChainruleError(f"y, row {wrong[0][0] + 1}: {value:g} is no count (0, 1, 2, …); {loss!r} is for counts")
