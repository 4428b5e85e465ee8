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
from chainrule.layers.embedding import Embedding
from chainrule.layers.layer import Layer
from chainrule.layers.network import Branch, Custom, Equations, Network, Residual, Sum, as_layer
from chainrule.layers.positions import LearnedPositions, RotaryPositions, SinusoidalPositions
from chainrule.layers.recurrent import GRU, LSTM, RNN, Backward, Bidirectional, RecurrentDropout

LAYERS: dict[str, type[Layer]] = Layer.catalogue

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GRU",
    "LAYERS",
    "LSTM",
    "RNN",
    "SELU",
    "Backward",
    "Bidirectional",
    "Branch",
    "Composed",
    "Composition",
    "Custom",
    "Dense",
    "Dropout",
    "DropoutPrediction",
    "Embedding",
    "Equations",
    "HardSigmoid",
    "Identity",
    "Layer",
    "LeakyReLU",
    "LearnedPositions",
    "Linear",
    "LogSoftmax",
    "Mish",
    "Network",
    "PReLU",
    "ReLU",
    "RecurrentDropout",
    "Residual",
    "RotaryPositions",
    "SiLU",
    "Sigmoid",
    "SinusoidalPositions",
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
