"""Classes predicted with a Laplace approximation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import check_random_state

from chainrule.equations.parse import parse
from chainrule.errors import ChainruleError
from chainrule.estimators.classifier import Classifier, sum_to_one
from chainrule.estimators.rows import Rows
from chainrule.probability.evidence import greatest_evidence
from chainrule.probability.gauss_newton import Linearized
from chainrule.probability.laplace import LaplaceApproximation, from_output
from chainrule.probability.posterior import Block, Posterior
from chainrule.training.programs import program

Array = NDArray[Any]

# Outputs s whose prediction is nearly the mean prediction of normal outputs with mean m and covariance v.  A sigmoid of
# each is nearly that of the mean divided by a root that grows with the variance (MacKay, The Evidence Framework Applied
# to Classification Networks, 1992, eq. 10); a softmax is made of such sigmoids of the differences between two outputs
# (Lu, Ie, Sha, Mean-Field Approximation to Gaussian-Softmax Integral, 2020, eq. 11).
MODERATED = {
    "binary": """
    data m[b,k], v[b,k,k']
    s[b,k] = m[b,k]*rsqrt(1 + π*v[b,k,k]/8)
    """,
    "classes": """
    data m[b,k], v[b,k,k']
    d[b,k,k'] = v[b,k,k] + v[b,k',k'] - 2*v[b,k,k']
    s[b,k] = -logsumexp[k']((m[b,k'] - m[b,k])*rsqrt(1 + π*d[b,k,k']/8))
    """,
}


class LaplaceClassifier(ClassifierMixin, LaplaceApproximation):  # type: ignore[misc]
    """Predicts probabilities that take into account what is not known of the network's parameters.

    Parameters
    ----------
    estimator : a ``Classifier`` whose loss is a likelihood (a cross-entropy), which is trained;
        ``FrozenEstimator(model)`` for one that is to stay as it is; None for ``Classifier()``.
    structure, prior_precision, memory_limit, verbose : as for ``LaplaceRegressor``.

    Attributes
    ----------
    estimator_, classes_, posterior_, prior_precision_, log_marginal_likelihood_, requirements_.
    """

    kind = Classifier

    def __init__(
        self,
        estimator: Any = None,
        structure: str = "last_layer",
        *,
        prior_precision: float | None = None,
        memory_limit: int | None = None,
        verbose: bool = False,
    ) -> None:
        self.estimator = estimator
        self.structure = structure
        self.prior_precision = prior_precision
        self.memory_limit = memory_limit
        self.verbose = verbose

    def predict(self, X: Any) -> Array:
        """The most probable class of each row [b]; for several labels a row, [b, k] of 0 and 1."""
        probabilities = self.predict_proba(X)
        if self.estimator_.target_.several:
            return (probabilities > 0.5).astype(np.int64)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class [b, k], by the probit approximation: what separates two outputs is divided by
        a root that grows with its variance.
        """
        output, covariance = self._outputs(X)
        moderated = parse(MODERATED[self._plain().task], "moderated outputs")
        backend = self.estimator_.backend
        made = program(moderated, ("s",), "float64", backend).run({"m": output, "v": covariance}, {})["s"]
        return self._prediction(made)

    def sample_proba(self, X: Any, samples: int = 100, random_state: Any = None) -> Array:
        """Probabilities [n, b, k] of so many networks drawn from the posterior, linearised; their mean is the
        prediction without the probit approximation, their spread what is not known.
        """
        if isinstance(samples, bool) or not isinstance(samples, int | np.integer) or samples < 1:
            raise ChainruleError(f"samples is a whole number of at least 1, not {samples!r}")
        output, covariance = self._outputs(X)
        values, vectors = np.linalg.eigh(covariance)
        roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        drawn = check_random_state(random_state).standard_normal((int(samples), *covariance.shape[:2]))
        outputs = output + np.einsum("bko,nbo->nbk", roots, drawn).reshape(samples, *output.shape)
        return self._prediction(outputs.reshape(-1, *output.shape[1:])).reshape(samples, len(output), -1)

    def _prediction(self, output: Array) -> Array:
        """The probabilities [b, k] that outputs mean."""
        step, backend = self.estimator_.specification_.step, self.estimator_.backend
        name = step.prediction.name
        found = from_output(step.evaluation, step.output.name, (name,), output, backend)[name]
        if self.estimator_.target_.several:
            return found
        # With one output for each class, each has a probability of its own.
        return np.hstack([1 - found, found]) if found.shape[1] == 1 else sum_to_one(found)

    def _check_likelihood(self) -> None:
        loss = self._plain()
        if not loss.prediction:
            raise ChainruleError(
                f"LaplaceClassifier is for a loss that is a likelihood, and {loss!r} is none: use CrossEntropy() or "
                "BinaryCrossEntropy()"
            )

    def _targets(self, rows: Rows) -> dict[str, Array]:
        learnt = self.estimator_._beside(rows)
        return {name: learnt[name] for name in ("t", "y")}

    def _settle(self, network: Linearized, blocks: tuple[Block, ...], misfit: float, rows: Rows) -> None:
        eigenvalues = np.concatenate([block.eigenvalues for block in blocks])
        chosen = greatest_evidence(eigenvalues, self._squares(network), misfit, 0.0, self.prior_precision, 1.0)
        self.posterior_ = Posterior(blocks, 1.0, chosen.precision)
        self.log_marginal_likelihood_ = chosen.log_marginal_likelihood

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.classifier_tags.multi_label = True
        return tags
