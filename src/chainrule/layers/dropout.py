"""Noise in training: dropout of elements or of whole channels, normal noise; and what takes their place afterwards."""

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

    @property
    def sampling(self) -> Layer:
        return self


@dataclass(frozen=True, repr=False)
class SpatialDropout(Layer):
    """In training, each channel c of ``x[b,...,c]`` is 0 everywhere with probability ``rate``, like ``Dropout``."""

    family = "dropout"
    source = "Tompson et al., Efficient Object Localization Using Convolutional Networks (2015), §3.2"
    equations = """
    data x[b,...,c], ρ
    random r[b,c] ~ uniform
    a[b,...,c] = x[b,...,c]*[r[b,c] >= ρ]/(1 - ρ)
    """

    rate: float = symbol("ρ", 0.5, low=0, below=1)

    @property
    def predicting(self) -> Layer:
        return DropoutPrediction()

    @property
    def sampling(self) -> Layer:
        return self


@dataclass(frozen=True, repr=False)
class DropoutPrediction(Layer):
    """Dropout once training is over: the input itself, under dropout's name."""

    family = "dropout"
    source = "Srivastava et al., Dropout (2014), §10"
    equations = "data x[...]\na[...] = x[...]"


@dataclass(frozen=True, repr=False)
class GaussianNoise(Layer):
    """In training, normal noise of standard deviation ``deviation`` is added to each element."""

    family = "noise"
    source = "Bishop, Training with Noise is Equivalent to Tikhonov Regularization (1995), eq. 6"
    equations = """
    data x[...], σ
    random r[...] ~ normal
    a[...] = x[...] + σ*r[...]
    """

    deviation: float = symbol("σ", 0.1, low=0)

    @property
    def predicting(self) -> Layer:
        return NoisePrediction()


@dataclass(frozen=True, repr=False)
class NoisePrediction(Layer):
    """Noise once training is over: the input itself, under the noise's name."""

    family = "noise"
    source = "Bishop, Training with Noise is Equivalent to Tikhonov Regularization (1995), eq. 6"
    equations = "data x[...]\na[...] = x[...]"
