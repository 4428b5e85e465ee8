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
from chainrule.losses.metric import Contrastive, NTXent, Triplet
from chainrule.losses.regression import AbsoluteError, Huber, QuadraticCost, Quantile, SquaredError
from chainrule.losses.segmentation import BinaryFocal, Dice, Focal, MulticlassDice
from chainrule.losses.sequence import CTC, MaskedCrossEntropy, SequenceCrossEntropy

LOSSES: dict[str, type[Loss]] = Loss.catalogue

__all__ = [
    "CTC",
    "LOSSES",
    "AbsoluteError",
    "BinaryCrossEntropy",
    "BinaryFocal",
    "ClassWeighted",
    "Contrastive",
    "CrossEntropy",
    "CrossEntropyCost",
    "Dice",
    "Focal",
    "Gaussian",
    "Hinge",
    "Huber",
    "Laplace",
    "Loss",
    "MaskedCrossEntropy",
    "MulticlassDice",
    "MulticlassHinge",
    "NTXent",
    "Poisson",
    "QuadraticCost",
    "Quantile",
    "SampleWeighted",
    "SequenceCrossEntropy",
    "SmoothedCrossEntropy",
    "SoftCrossEntropy",
    "SquaredError",
    "Triplet",
]
