"""What uncertainty is good for: refusing the rows least sure, telling rows of another kind, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.metrics import roc_auc_score

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """The mean error of the rows kept, ``risk``, when the surest share of them is kept, ``coverage``, both [b]."""

    coverage: Array
    risk: Array

    @property
    def area(self) -> float:
        """The area under the curve: the mean risk over all coverages."""
        return float(np.mean(self.risk))


def risk_coverage(uncertainty: Array, error: Array) -> RiskCoverage:
    """The curve for the uncertainty and the error (such as 0 or 1, wrong) of each row [b]; among equals, their mean.

    El-Yaniv and Wiener, "On the foundations of noise-free selective classification" (2010); Geifman, Uziel, El-Yaniv,
    "Bias-reduced uncertainty estimation for deep neural classifiers" (2019), eq. 2, for the area.
    """
    order = np.argsort(uncertainty, kind="stable")
    _, start, ties = np.unique(uncertainty[order], return_index=True, return_counts=True)
    in_order = np.repeat(np.add.reduceat(error[order].astype(float), start) / ties, ties)
    kept = np.arange(1, len(in_order) + 1)
    return RiskCoverage(kept / len(in_order), np.cumsum(in_order) / kept)


def out_of_distribution_auroc(familiar: Array, foreign: Array) -> float:
    """The chance that a foreign row is less sure than a familiar one, from the uncertainty of both kinds [b].

    Hendrycks and Gimpel, "A baseline for detecting misclassified and out-of-distribution examples in neural networks"
    (2017).
    """
    kind = np.repeat([0, 1], [len(familiar), len(foreign)])
    return float(roc_auc_score(kind, np.concatenate([familiar, foreign])))


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Uncertainty in its two parts, each […]: ``aleatoric``, which no data would take away, and ``epistemic``."""

    aleatoric: Array
    epistemic: Array

    @property
    def total(self) -> Array:
        return np.asarray(self.aleatoric + self.epistemic)


def class_uncertainty(probabilities: Array) -> Decomposition:
    """Of the members' probabilities [e,b,k], in nats [b]: the mean of their entropies, and what the entropy of their
    mean is above it, which is the mutual information of class and member.

    Depeweg et al., "Decomposition of uncertainty in Bayesian deep learning" (2018), eq. 4.
    """
    aleatoric = entr(probabilities).sum(axis=-1).mean(axis=0)
    total = entr(probabilities.mean(axis=0)).sum(axis=-1)
    return Decomposition(aleatoric, np.maximum(total - aleatoric, 0))


def value_uncertainty(means: Array, variances: Array) -> Decomposition:
    """Of the members' means and variances [e, …], as variances […]: Var y = E[variance] + Var[mean].

    The law of total variance; Depeweg et al. (2018), eq. 5.
    """
    return Decomposition(np.mean(variances, axis=0), np.var(means, axis=0))
