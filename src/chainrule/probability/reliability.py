"""Whether probabilities mean what they say: of the rows predicted with 80 %, are 80 % right?

    ECE = Σₘ (nₘ/n) |share right in bin m − mean confidence in bin m|

(Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", 2015; Guo et al., "On
calibration of modern neural networks", 2017, eq. 3.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.probability.score import Score, resampled

Array = NDArray[Any]

BINS = 15  # as in Guo et al.


@dataclass(frozen=True, eq=False)
class Reliability:
    """By bins of confidence [m]: how many rows, their mean confidence, and the share of them that is right.

    Mean and share of a bin without rows are no numbers.
    """

    edges: Array
    counts: Array
    confidence: Array
    accuracy: Array

    @property
    def error(self) -> float:
        """The expected calibration error."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.counts * gaps)[self.counts > 0].sum() / self.counts.sum())


def reliability(confidence: Array, right: Array, bins: int = BINS) -> Reliability:
    """Rows with a confidence [b] from 0 to 1 that turned out right or not [b], in bins of equal width."""
    edges = np.linspace(0, 1, bins + 1)
    at = np.clip(np.digitize(confidence, edges[1:-1]), 0, bins - 1)
    counts = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, confidence, bins) / counts
        share = np.bincount(at, right.astype(float), bins) / counts
    return Reliability(edges, counts, mean, share)


def calibration_error(t: Array, probabilities: Array, bins: int = BINS, seed: int = 0) -> Score:
    """The expected calibration error of the class predicted, for classes t[b] and p[b,k].

    The band is that of the basic bootstrap, 2·ECE minus the percentiles of ECE on rows drawn anew (Davison and Hinkley,
    "Bootstrap Methods and their Application", 1997, eq. 5.6): drawing rows anew adds noise to every bin, which moves
    the error of a resample up, by about as much as that of the sample itself is above the true one.  It begins at 0
    where the error is no larger than 95 % of those of probabilities that are right, with so many rows (consistency
    resampling: Bröcker and Smith, "Increasing the reliability of reliability diagrams", 2007).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == t

    def error(confidence: Array, right: Array) -> float:
        return reliability(confidence, right, bins).error

    def error_if_calibrated(confidence: Array) -> float:
        return error(confidence, generator.random(len(confidence)) < confidence)

    generator = np.random.default_rng(seed + 1)
    found = error(confidence, right)
    low, high = 2 * found - np.percentile(resampled(error, confidence, right, seed=seed), [97.5, 2.5])
    by_chance = np.percentile(resampled(error_if_calibrated, confidence, seed=seed), 95)
    return Score("ECE", found, 0.0 if found <= by_chance else max(0.0, float(low)), max(0.0, float(high)))


def classwise_calibration_error(t: Array, probabilities: Array, bins: int = BINS) -> float:
    """The mean over classes of the calibration error of p[b,k] as the probability of [k = t[b]].

    Kull et al., "Beyond temperature scaling: Obtaining well-calibrated multi-class probabilities with Dirichlet
    calibration" (2019), eq. 3.
    """
    classes = range(probabilities.shape[1])
    return float(np.mean([reliability(probabilities[:, k], t == k, bins).error for k in classes]))
