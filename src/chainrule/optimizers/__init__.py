"""Optimizers, schedules and clipping: each is one definition of equations, so that Adam prints and compiles itself."""

from chainrule.optimizers.adaptive import Adagrad, Adam, AdamW, AMSGrad, Lion, NAdam, RMSprop
from chainrule.optimizers.clipping import ClipGlobalNorm, ClipNorm, Clipping, ClipValue
from chainrule.optimizers.descent import SGD, GradientDescent, Momentum, Nesterov
from chainrule.optimizers.optimizer import Optimizer
from chainrule.optimizers.schedules import (
    ConstantRate,
    CosineCycles,
    CosineDecay,
    ExponentialDecay,
    Held,
    OneCycle,
    Schedule,
    StepDecay,
    WarmUp,
)

OPTIMIZERS: dict[str, type[Optimizer]] = Optimizer.catalogue
SCHEDULES: dict[str, type[Schedule]] = Schedule.catalogue
CLIPPINGS: dict[str, type[Clipping]] = Clipping.catalogue

__all__ = [
    "CLIPPINGS",
    "OPTIMIZERS",
    "SCHEDULES",
    "SGD",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "ClipGlobalNorm",
    "ClipNorm",
    "ClipValue",
    "Clipping",
    "ConstantRate",
    "CosineCycles",
    "CosineDecay",
    "ExponentialDecay",
    "GradientDescent",
    "Held",
    "Lion",
    "Momentum",
    "NAdam",
    "Nesterov",
    "OneCycle",
    "Optimizer",
    "RMSprop",
    "Schedule",
    "StepDecay",
    "WarmUp",
]
