"""Losses: each is one definition of equations from the output ``s`` and the targets to ``L[b]``."""

from chainrule.losses.classification import (
    BinaryCrossEntropy,
    CrossEntropy,
    CrossEntropyCost,
    Hinge,
    MulticlassHinge,
    SmoothedCrossEntropy,
    SoftCrossEntropy,
)
from chainrule.losses.likelihood import Gaussian, Laplace, Poisson
from chainrule.losses.loss import ClassWeighted, Loss, SampleWeighted
from chainrule.losses.regression import AbsoluteError, Huber, QuadraticCost, Quantile, SquaredError

LOSSES: dict[str, type[Loss]] = Loss.catalogue

__all__ = [
    "LOSSES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "ClassWeighted",
    "CrossEntropy",
    "CrossEntropyCost",
    "Gaussian",
    "Hinge",
    "Huber",
    "Laplace",
    "Loss",
    "MulticlassHinge",
    "Poisson",
    "QuadraticCost",
    "Quantile",
    "SampleWeighted",
    "SmoothedCrossEntropy",
    "SoftCrossEntropy",
    "SquaredError",
]
