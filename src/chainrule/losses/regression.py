"""Losses for real targets ``y[b,...]``, which have the axes of the output."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.definition import symbol
from chainrule.losses.loss import Loss


@dataclass(frozen=True, repr=False)
class QuadraticCost(Loss):
    """Nielsen's quadratic cost: C = 1/(2n) Σ_b ‖y - a‖²."""

    source = "Nielsen, Neural Networks and Deep Learning (2015), eq. 6"
    assumption = "a normal distribution around the output, of one variance for all rows"
    equations = "data s[b,...], y[b,...]\nL[b] = sum[...]((y[b,...] - s[b,...])^2)/2"


@dataclass(frozen=True, repr=False)
class SquaredError(Loss):
    """The mean squared error, over rows and outputs."""

    source = "Gauss, Theoria combinationis observationum (1823)"
    assumption = "a normal distribution around the output, of one variance for all rows"
    equations = "data s[b,...], y[b,...]\nL[b] = sum[...]((s[b,...] - y[b,...])^2)/size(...)"


@dataclass(frozen=True, repr=False)
class AbsoluteError(Loss):
    """The mean absolute error, over rows and outputs: predicts the median."""

    source = "Laplace, Mémoire sur la probabilité des causes (1774)"
    assumption = "a Laplace distribution around the output, of one scale for all rows"
    equations = "data s[b,...], y[b,...]\nL[b] = sum[...](abs(s[b,...] - y[b,...]))/size(...)"


@dataclass(frozen=True, repr=False)
class Huber(Loss):
    """Squared for errors up to ``delta``, absolute beyond."""

    source = "Huber, Robust Estimation of a Location Parameter (1964)"
    assumption = "Huber's distribution around the output, normal in the middle and exponential in the tails"
    equations = """
    data s[b,...], y[b,...], δ
    e[b,...] = s[b,...] - y[b,...]
    L[b] = sum[...](where(abs(e[b,...]) <= δ, e[b,...]^2/2, δ*(abs(e[b,...]) - δ/2)))/size(...)
    """

    delta: float = symbol("δ", 1.0, above=0)


@dataclass(frozen=True, repr=False)
class Quantile(Loss):
    """The pinball loss: predicts the quantile ``level`` of the targets."""

    source = "Koenker and Bassett, Regression Quantiles (1978), eq. 3.1"
    assumption = "an asymmetric Laplace distribution around the output, of one scale for all rows"
    equations = """
    data s[b,...], y[b,...], τ
    L[b] = sum[...](max(τ*(y[b,...] - s[b,...]), (τ - 1)*(y[b,...] - s[b,...])))/size(...)
    """

    level: float = symbol("τ", 0.5, above=0, below=1)
