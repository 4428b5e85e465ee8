"""Layers: each is one definition of equations from ``x`` to its output.  ``LAYERS`` is their catalogue."""

from chainrule.layers.activation import (
    CELU,
    ELU,
    GELU,
    SELU,
    HardSigmoid,
    Identity,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
    TanhGELU,
)
from chainrule.layers.composition import Composed, Composition, Tensor, fans, initialization
from chainrule.layers.dense import Dense, Linear
from chainrule.layers.dropout import Dropout, DropoutPrediction
from chainrule.layers.layer import Layer
from chainrule.layers.network import Branch, Custom, Equations, Network, Residual, Sum, as_layer

LAYERS: dict[str, type[Layer]] = Layer.catalogue

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "LAYERS",
    "SELU",
    "Branch",
    "Composed",
    "Composition",
    "Custom",
    "Dense",
    "Dropout",
    "DropoutPrediction",
    "Equations",
    "HardSigmoid",
    "Identity",
    "Layer",
    "LeakyReLU",
    "Linear",
    "LogSoftmax",
    "Mish",
    "Network",
    "PReLU",
    "ReLU",
    "Residual",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sum",
    "Tanh",
    "TanhGELU",
    "Tensor",
    "as_layer",
    "fans",
    "initialization",
]
