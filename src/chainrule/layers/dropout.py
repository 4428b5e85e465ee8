"""Dropout: a layer for training, and the one that takes its place for predicting."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import symbol
from chainrule.layers.layer import Layer


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """In training, each element is 0 with probability ``rate`` and divided by 1 - ``rate`` otherwise."""

    source = "Srivastava et al., Dropout (2014), §10 (the scaling in training)"
    equations = """
    data x[...], ρ
    random r[...] ~ uniform
    a[...] = x[...]*[r[...] >= ρ]/(1 - ρ)
    """

    rate: float = symbol("ρ", 0.5, low=0, below=1)

    @property
    def predicting(self) -> Layer:
        return DropoutPrediction()


@dataclass(frozen=True, repr=False)
class DropoutPrediction(Layer):
    """Dropout once training is over: the input itself, under dropout's name."""

    family = "dropout"
    source = "Srivastava et al., Dropout (2014), §10"
    equations = "data x[...]\na[...] = x[...]"
