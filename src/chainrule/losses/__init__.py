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
from chainrule.losses.count import CountLoss, NegativeBinomial, Poisson
from chainrule.losses.likelihood import FixedStudentT, Gaussian, Laplace, MixtureDensity, StudentT
from chainrule.losses.loss import ClassWeighted, Loss, SampleWeighted
from chainrule.losses.metric import Contrastive, NTXent, Triplet
from chainrule.losses.ordinal import Ordinal
from chainrule.losses.quantiles import Quantiles
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
    "CountLoss",
    "CrossEntropy",
    "CrossEntropyCost",
    "Dice",
    "FixedStudentT",
    "Focal",
    "Gaussian",
    "Hinge",
    "Huber",
    "Laplace",
    "Loss",
    "MaskedCrossEntropy",
    "MixtureDensity",
    "MulticlassDice",
    "MulticlassHinge",
    "NTXent",
    "NegativeBinomial",
    "Ordinal",
    "Poisson",
    "QuadraticCost",
    "Quantile",
    "Quantiles",
    "SampleWeighted",
    "SequenceCrossEntropy",
    "SmoothedCrossEntropy",
    "SoftCrossEntropy",
    "SquaredError",
    "StudentT",
    "Triplet",
]
